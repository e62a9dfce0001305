"""Where in a JSON text a value stands, for messages that name the line."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

__all__ = ["line_of"]

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the line of a value, from 1; the line of what would hold it where there is no such value.

    Args:
        text: JSON that can be parsed.
        path: Keys and indexes from the top.
    """
    at = _skip(text, 0)
    for part in path:
        inside = _child(text, at, part)
        if inside is None:
            break
        at = inside
    return text.count("\n", 0, at) + 1


def _child(text: str, at: int, part: str | int) -> int | None:
    """Return where an item of the object or array at ``at`` stands."""
    if text[at] not in "{[":
        return None
    is_object, key = text[at] == "{", -1
    at = _skip(text, at + 1)
    while text[at] not in "}]":
        name: str | int
        if is_object:
            name, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)  # past the colon
        else:
            name = key = key + 1
        if name == part:
            return at
        at = _skip(text, _DECODER.raw_decode(text, at)[1])
        if text[at] == ",":
            at = _skip(text, at + 1)
    return None


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
