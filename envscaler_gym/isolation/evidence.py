"""What is seen of one call that is tried, as it comes out of a worker: small, and data only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Annotated, Any

import msgspec

__all__ = [
    "MAX_ENTRIES",
    "MAX_PATCH",
    "MAX_TEXT",
    "Evidence",
    "Line",
    "Lines",
    "aliases",
    "containers",
    "not_json",
    "shape_problem",
]

MAX_TEXT = 2_000
"""Longest text of a result or an error in evidence, in characters."""

MAX_ENTRIES = 5
"""Most problems of one kind that evidence lists."""

MAX_PATCH = 1 << 16
"""Most bytes of changed records in evidence; the rest are left out."""

_SCALARS = frozenset({str, int, bool, type(None)})

Line = Annotated[str, msgspec.Meta(max_length=4 * MAX_TEXT)]
Lines = Annotated[tuple[Line, ...], msgspec.Meta(max_length=MAX_ENTRIES)]


class Evidence(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """What was seen of one call.

    Attributes:
        text: The result as JSON text, cut at :data:`MAX_TEXT` characters; empty where it raised.
        success: What the result's ``"success"`` entry says; ``None`` where it says neither, or the call raised.
        raised: Type and text of what the call raised; empty where it returned.
        shape: What is unconventional in the result; empty where nothing is.
        changed: Whether the state is another one afterwards.
        patch: JSON text of the records that changed, as ``[attribute, key, value]``, or ``[attribute, key]`` for those
            that are gone; the key is null for an attribute that does not hold records.
        aliases: Where the result holds a container of the state itself.
        kept: Where the state holds a container of the arguments.
        not_json: Where a changed record holds something that is not JSON.
        violations: What breaks each invariant that held before the call.
        reached: Counters of the code that counted for the first time.
        digest: Hash of the whole result and of the state.
        lost: Whether the call ended the world, so that no other can follow.
    """

    text: Line = ""
    success: bool | None = None
    raised: Line = ""
    shape: Line = ""
    changed: bool = False
    patch: Annotated[bytes, msgspec.Meta(max_length=2 * MAX_PATCH)] = b"[]"
    aliases: Lines = ()
    kept: Lines = ()
    not_json: Lines = ()
    violations: Annotated[Mapping[Line, Lines], msgspec.Meta(max_length=1000)] = {}
    reached: Annotated[tuple[int, ...], msgspec.Meta(max_length=100_000)] = ()
    digest: Line = ""
    lost: bool = False


def shape_problem(result: Any) -> str:
    """Say what is unconventional in a result, or ``""``.

    The convention of published classes is ``{"success": True, "data": …}`` for a query, ``{"success": True,
    "message": …}`` for a change and ``{"success": False, "error": "…"}`` for a refusal (EnvScaler, arXiv 2601.05808).
    """
    if type(result) is not dict:
        return f"returned a {type(result).__name__} instead of a dict"
    success = result.get("success")
    if type(success) is not bool:
        got = f"a {type(success).__name__}" if "success" in result else "nothing"
        return f'"success" is {got} instead of true or false'
    if success and "data" not in result and "message" not in result:
        return 'a success has neither "data" nor "message"'
    if not success and type(result.get("error")) is not str:
        return 'a refusal has no text in "error"'
    return next(iter(not_json(result, "result", tuples=True)), "")


def not_json(value: Any, path: str, *, tuples: bool = False) -> list[str]:
    """Say where a value holds something that is not JSON, at most :data:`MAX_ENTRIES` times.

    Args:
        value: The value.
        path: What it is called.
        tuples: Whether a tuple counts as a list.
    """
    try:
        return list(islice(_not_json(value, path, tuples), MAX_ENTRIES))
    except RecursionError:
        return [f"{path} holds itself or nests too deep"]


def _not_json(value: Any, path: str, tuples: bool) -> Iterator[str]:
    kind = type(value)
    if kind in _SCALARS:
        return
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                yield f"{path} has the key {key!r}, a {type(key).__name__}"[:MAX_TEXT]
            elif type(item) not in _SCALARS:
                yield from _not_json(item, f"{path}.{key}", tuples)
    elif kind is list or (tuples and kind is tuple):
        for index, item in enumerate(value):
            if type(item) not in _SCALARS:
                yield from _not_json(item, f"{path}[{index}]", tuples)
    elif kind is not float or value - value != 0:
        yield f"{path} is {'the number ' + repr(value) if kind is float else 'a ' + kind.__name__}"[:MAX_TEXT]


def containers(values: Iterable[Any]) -> set[int]:
    """Return the identities of all lists, dicts and sets in some values, their own included."""
    found: set[int] = set()
    pending = list(values)
    while pending:
        value = pending.pop()
        kind = type(value)
        if kind in _SCALARS or kind is float or id(value) in found:
            continue
        if kind is dict:
            found.add(id(value))
            pending += value.values()
        elif kind is list or isinstance(value, set):
            found.add(id(value))
            pending += value
        elif isinstance(value, dict):
            found.add(id(value))
            pending += value.values()
        elif isinstance(value, tuple | list):
            if not isinstance(value, tuple):
                found.add(id(value))
            pending += value
    return found


def aliases(value: Any, name: str, others: Mapping[str, Any]) -> tuple[str, ...]:
    """Say which containers of a value are also containers of others, as ``"data is teas['T-1']"``.

    Args:
        value: The value.
        name: What it is called.
        others: Other values by name.
    """
    places: dict[int, str] = {}
    for attribute, other in others.items():
        for path, container in _walk(other, attribute, set()):
            places.setdefault(id(container), path)
    found = (f"{path} is {places[id(held)]}" for path, held in _walk(value, name, set()) if id(held) in places)
    return tuple(line[:MAX_TEXT] for line in islice(found, MAX_ENTRIES))


def _walk(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield the containers in a value with their paths, those around before those inside."""
    if isinstance(value, dict | list | set):
        if id(value) in seen:
            return
        seen.add(id(value))
        yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            if type(item) not in _SCALARS:
                yield from _walk(item, f"{path}[{key!r}]", seen)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if type(item) not in _SCALARS:
                yield from _walk(item, f"{path}[{index}]", seen)
