"""State as data: copies, canonical JSON, digests and differences.

A state is what ``vars()`` of a synthesized object holds: JSON by contract. Published classes also keep tuples, sets
or dates in theirs, so everything here takes those too.
"""

from __future__ import annotations

import copy
import datetime
import enum
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from envscaler_gym.errors import without_addresses
from envscaler_gym.types import JSON

__all__ = ["Change", "canonical_json", "copy_state", "diff", "digest", "plain", "to_json"]

_ATOMS = frozenset({str, int, float, bool, type(None)})
_ENCODER = msgspec.json.Encoder()
_SORTING_ENCODER = msgspec.json.Encoder(order="deterministic")
_MAX_DEPTH = 200
_MAX_ITEMS = 100_000
"""Most containers and objects that are written of one value; a value that refers to itself has no end."""
_MAX_BITS = 2000
"""Longest integer that is written in digits: Python may refuse more."""


def copy_state(value: Any) -> Any:
    """Return a deep copy of plain data, several times faster than ``copy.deepcopy``.

    Strings and numbers are shared with the original, so many copies of one start state stay small. What the value holds
    in two places is held in two places by the copy as well, so that a fork goes on as the original does.
    """
    return _copy(value, {})


def _copy(value: Any, memo: dict[int, Any]) -> Any:
    kind = type(value)
    if kind is dict:
        made = memo.get(id(value))
        if made is None:
            memo[id(value)] = made = value.copy()  # most values of a record are atoms, and this copies those at once
            for key, item in value.items():
                if type(item) not in _ATOMS:
                    made[key] = _copy(item, memo)
        return made
    if kind is list:
        made = memo.get(id(value))
        if made is None:
            memo[id(value)] = made = value.copy()
            for index, item in enumerate(value):
                if type(item) not in _ATOMS:
                    made[index] = _copy(item, memo)
        return made
    return value if kind in _ATOMS else copy.deepcopy(value, memo)


def to_json(value: Any, *, ordered_sets: bool = False) -> str:
    """Encode a value as compact JSON text, whatever it holds.

    Args:
        value: The value. What JSON lacks is written as its nearest relative: sets as sorted lists, dates in ISO
            form, NaN as null, keys as text, and anything else as ``str(value)``.
        ordered_sets: The value may hold sets; write them sorted, so that the text does not depend on the hash seed.
    """
    if not ordered_sets:
        try:
            return _ENCODER.encode(value).decode()
        except (TypeError, ValueError, OverflowError, RecursionError):
            pass
    return _dump(plain(value))


def canonical_json(value: Any) -> bytes:
    """Encode a value as JSON with sorted keys and sets: equal values give equal bytes."""
    try:
        return _SORTING_ENCODER.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return _dump(plain(value), sort_keys=True).encode()


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of a value, as ``"sha256:<hex>"``."""
    return "sha256:" + hashlib.sha256(canonical_json(value)).hexdigest()


def plain(value: Any) -> JSON:
    """Return a value as pure JSON data. What nests too deep, or comes after too many items, is written as its type."""
    return _plain(value, _MAX_DEPTH, [_MAX_ITEMS])


def _plain(value: Any, depth: int, left: list[int]) -> JSON:
    if isinstance(value, enum.Enum):
        return _plain(value.value, depth - 1, left)
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return f"<int of {value.bit_length()} bits>"
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None
    if depth <= 0 or left[0] <= 0:
        return f"<{type(value).__name__}>"
    left[0] -= 1
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    try:
        if isinstance(value, Mapping):
            return {_key(k): _plain(v, depth - 1, left) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [_plain(v, depth - 1, left) for v in value]
        if isinstance(value, set | frozenset):
            return sorted((_plain(v, depth - 1, left) for v in value), key=lambda v: _dump(v, sort_keys=True))
        return without_addresses(str(value))
    except Exception as error:
        return f"<{type(value).__name__} whose str raised {type(error).__name__}>"


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    return _dump(plain(key)).strip('"')


def _dump(value: JSON, *, sort_keys: bool = False) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=sort_keys)
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates
        text = json.dumps(value, separators=(",", ":"), sort_keys=sort_keys)
    return text


class Change(NamedTuple):
    """One difference between two states.

    Attributes:
        path: Where, as keys and indexes from the top.
        kind: ``"added"``, ``"removed"`` or ``"changed"``.
        before: The value before; ``None`` when added.
        after: The value after; ``None`` when removed.
    """

    path: tuple[str | int, ...]
    kind: str
    before: Any
    after: Any

    def __str__(self) -> str:
        """Describe the change in one line."""
        where = ".".join(map(str, self.path))
        if self.kind == "added":
            return f"+ {where} = {to_json(self.after)}"
        if self.kind == "removed":
            return f"- {where} (was {to_json(self.before)})"
        return f"~ {where}: {to_json(self.before)} -> {to_json(self.after)}"


def diff(before: Any, after: Any) -> list[Change]:
    """List the differences between two states, in the order of their keys, whole records where one is new or gone."""
    return list(_differences(before, after, ()))


def _differences(before: Any, after: Any, path: tuple[str | int, ...]) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key, old in before.items():
            if key in after:
                yield from _differences(old, after[key], (*path, key))
            else:
                yield Change((*path, key), "removed", old, None)
        for key, new in after.items():
            if key not in before:
                yield Change((*path, key), "added", None, new)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(old, new, (*path, index))
    elif type(before) is not type(after) or before != after:
        yield Change(path, "changed", before, after)
