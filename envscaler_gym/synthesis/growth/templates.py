"""The small language of the manifest's phrases, in which a call is written as a request.

``{copy_id}`` stands for an argument, ``{items[{quantity} of {part_id}]}`` for the items of an array, each said as the
inner phrase has it. ``<, for {reason}>`` is left out where the call does not give the argument. ``{years=2|3}`` says
nothing, and makes what it stands in fit only calls with one of those values; ``{reason=*}`` takes any. A phrase fits a
call when it has a place for every argument.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from envscaler_gym.errors import BundleError
from envscaler_gym.synthesis.growth.saying import join_words
from envscaler_gym.types import JSON

__all__ = ["Place", "render"]


class Place(NamedTuple):
    """An argument's place in a phrase.

    Attributes:
        name: Name of the argument.
        wanted: Values for which alone the phrase is meant, ``"*"`` for any; such a place says nothing.
        inner: How each item is said, where it is an array of objects.
    """

    name: str
    wanted: str | None = None
    inner: tuple[_Part, ...] = ()


class _Optional(NamedTuple):
    parts: tuple[_Part, ...]


_Part: TypeAlias = "str | Place | _Optional"
Say: TypeAlias = Callable[[tuple[str, ...], JSON], str]


def render(phrase: str, arguments: Mapping[str, JSON], say: Say) -> str | None:
    """Say a call in a phrase's words.

    Args:
        phrase: The phrase.
        arguments: The call's arguments.
        say: Says the value of a parameter, given the names on the way to it.

    Returns:
        The text; ``None`` where the phrase does not fit the call.

    Raises:
        BundleError: The phrase is malformed.
    """
    used: set[str] = set()
    text = _render(_parse(phrase), arguments, (), say, used)
    return text if text is not None and used == set(arguments) else None


def _render(
    parts: Sequence[_Part], values: Mapping[str, JSON], path: tuple[str, ...], say: Say, used: set[str]
) -> str | None:
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
        elif isinstance(part, _Optional):
            mine: set[str] = set()
            inner = _render(part.parts, values, path, say, mine)
            if inner is not None:
                text += inner
                used |= mine
        elif part.name not in values or not _is_wanted(part.wanted, values[part.name]):
            return None
        else:
            used.add(part.name)
            said = _say_place(part, values[part.name], (*path, part.name), say)
            if said is None:
                return None
            text += said
    return text


def _say_place(place: Place, value: JSON, path: tuple[str, ...], say: Say) -> str | None:
    if place.wanted is not None:
        return ""
    if not place.inner:
        return say(path, value)
    items = []
    for item in value if isinstance(value, list) else [value]:
        used: set[str] = set()
        said = _render(place.inner, item, path, say, used) if isinstance(item, dict) else None
        if said is None or used != set(item):
            return None
        items.append(said)
    return join_words(items)


def _is_wanted(wanted: str | None, value: JSON) -> bool:
    return wanted in (None, "*") or (value if isinstance(value, str) else json.dumps(value)) in wanted.split("|")


@lru_cache(maxsize=1024)
def _parse(phrase: str) -> tuple[_Part, ...]:
    parts, end = _parse_until(phrase, 0, "")
    if end != len(phrase):
        raise BundleError(f"phrase {phrase!r}: unexpected {phrase[end]!r} at character {end + 1}")
    return parts


def _parse_until(phrase: str, at: int, stop: str) -> tuple[tuple[_Part, ...], int]:
    parts: list[_Part] = []
    while at < len(phrase) and phrase[at] not in (stop or "\0"):
        if phrase[at] == "{":
            place, at = _parse_place(phrase, at + 1)
            parts.append(place)
        elif phrase[at] == "<":
            inner, at = _parse_until(phrase, at + 1, ">")
            parts.append(_Optional(inner))
            at = _expect(phrase, at, ">")
        else:
            parts.append(phrase[at])
            at += 1
    return tuple(parts), at


def _parse_place(phrase: str, at: int) -> tuple[Place, int]:
    start = at
    while at < len(phrase) and (phrase[at].isalnum() or phrase[at] == "_"):
        at += 1
    name = phrase[start:at]
    if at < len(phrase) and phrase[at] == "=":
        end = phrase.find("}", at)
        end = len(phrase) if end < 0 else end
        return Place(name, phrase[at + 1 : end]), _expect(phrase, end, "}")
    inner: tuple[_Part, ...] = ()
    if at < len(phrase) and phrase[at] == "[":
        inner, at = _parse_until(phrase, at + 1, "]")
        at = _expect(phrase, at, "]")
    return Place(name, None, inner), _expect(phrase, at, "}")


def _expect(phrase: str, at: int, character: str) -> int:
    if at >= len(phrase) or phrase[at] != character:
        raise BundleError(f"phrase {phrase!r}: {character!r} is missing at character {at + 1}")
    return at + 1
