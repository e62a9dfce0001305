"""Places in states, and changed copies of states, which share with the original all that is the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from envscaler_gym.types import JSON

__all__ = ["Path", "fresh_key", "put", "rename", "show_path", "texts", "value_at", "without"]

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of a state."""

_FRESH = 500  # by which the number in a key is moved


def value_at(state: Any, path: Path) -> Any:
    """Return what stands at a path.

    Raises:
        KeyError: There is nothing.
        IndexError: There is nothing.
    """
    for part in path:
        state = state[part]
    return state


def put(state: Any, path: Path, value: Any) -> Any:
    """Return a copy of a state with a value at a path whose last container exists."""
    if not path:
        return value
    copy = state.copy()
    copy[path[0]] = put(state[path[0]], path[1:], value) if len(path) > 1 else value
    return copy


def without(state: Any, path: Path) -> Any:
    """Return a copy of a state that lacks what stands at a path."""
    copy = state.copy()
    if len(path) > 1:
        copy[path[0]] = without(state[path[0]], path[1:])
    else:
        del copy[path[0]]
    return copy


def texts(value: JSON) -> Iterator[str]:
    """Yield all texts in a value, the keys among them."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def rename(value: Any, names: Mapping[str, str]) -> Any:
    """Return a copy of a value in which words are replaced, as keys, as texts and within texts.

    Args:
        value: The value.
        names: The new word by the old one.
    """
    if not names:
        return value
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    words = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])")
    return _rename(value, lambda text: words.sub(lambda match: names[match[0]], text))


def _rename(value: Any, replace: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return replace(value)
    if isinstance(value, dict):
        return {_rename(key, replace): _rename(item, replace) for key, item in value.items()}
    if isinstance(value, list):
        return [_rename(item, replace) for item in value]
    return value


def show_path(path: Path) -> str:
    """Write a path as people do: ``rooms['101'].floor``."""
    return "".join(
        f"[{part!r}]" if depth == 1 or isinstance(part, int) else f".{part}" for depth, part in enumerate(path)
    ).removeprefix(".")


def fresh_key(key: str, taken: str) -> str:
    """Return a key of the same form that occurs nowhere in a text."""
    numbers = list(re.finditer(r"\d+", key))
    if not numbers:
        return f"{key}x"
    last = numbers[-1]
    number = int(last[0])
    while True:
        number += _FRESH
        fresh = f"{key[: last.start()]}{number:0{len(last[0])}}{key[last.end() :]}"
        if fresh not in taken:
            return fresh
