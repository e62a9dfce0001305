"""The values in arguments, results and states, and whether a text says them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from envscaler_gym.types import JSON

__all__ = ["Scalar", "scalars", "stands_in"]

Scalar: TypeAlias = str | int | float

_DIGITS = 3
"""Digits below which a number may stand anywhere by chance."""


def scalars(value: JSON, *, keys: bool = False) -> Iterator[Scalar]:
    """Yield the texts in a value, and the numbers that are long enough to mean something.

    Args:
        value: The value.
        keys: Whether the keys of objects count too, as they do where records stand under their ids.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            if keys:
                yield key
            yield from scalars(item, keys=keys)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from scalars(item, keys=keys)
    elif isinstance(value, bool) or not value:
        return
    elif isinstance(value, str) or (isinstance(value, int | float) and len(str(abs(value))) >= _DIGITS):
        yield value


def stands_in(value: Scalar, text: str) -> bool:
    """Return whether a text says a value, as words of its own, in any case."""
    return re.search(rf"(?<!\w){re.escape(str(value))}(?!\w)", text, re.IGNORECASE) is not None
