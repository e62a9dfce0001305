"""JSON schemas as Hypothesis strategies, for the schemas that tools and states have.

Most values are ones that the state holds in a field of the same name, so that calls get past "there is no such record";
the others are any of the type, so that calls also try what nobody thought of. Everything shrinks: an id to the first
that the state holds, other texts and numbers to short and small ones, and what may be left out to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from envscaler_gym.annotations import MAX_INTEGER, MAX_STRING
from envscaler_gym.sampling import ValuePool
from envscaler_gym.types import JSON

__all__ = ["Candidates", "fixed_order", "mostly", "values"]

_ODD_IDS = 8  # for so many ids that name a record there is one that names none
_NULLS = 8  # one value in so many is null, where it may be
_LONGEST = 40  # characters of a text of no particular kind
_MOST = 4  # items of a list, or of an object of no particular form

_GIVEN = st.booleans()
_TEXT = st.text(max_size=_LONGEST)  # without lone surrogates, which no schema lets through
_SMALL = st.integers(-1, 20)  # where most limits are
_FRESH: Mapping[str, tuple[SearchStrategy[JSON], ...]] = {
    "string": (_TEXT,),
    "integer": (_SMALL, st.integers(-MAX_INTEGER, MAX_INTEGER)),
    "number": (_SMALL, st.floats(allow_nan=False, allow_infinity=False)),
    "boolean": (st.booleans(),),
    "null": (st.none(),),
}
"""Values of each type, the simplest first. Each takes one choice of Hypothesis's, as one of the state does, since what
takes fewer counts as simpler."""
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
}
_ANYTHING: SearchStrategy[JSON] = st.recursive(
    st.one_of([simple for kind in ("null", "boolean", "integer", "number", "string") for simple in _FRESH[kind]]),
    lambda inner: st.lists(inner, max_size=_MOST) | st.dictionaries(_TEXT, inner, max_size=_MOST),
    max_leaves=6,
)


class Candidates:
    """Values that are worth trying, by the name of the field that holds them.

    Args:
        state: The state.
        more: Other values, such as results and arguments of earlier calls.
    """

    def __init__(self, state: Mapping[str, Any], *more: Iterable[JSON]) -> None:
        self._pools = [ValuePool(state), *(ValuePool({"": list(some)}) for some in more)]
        self._found: dict[str, list[JSON]] = {}
        self._keys = {key for table in state.values() if isinstance(table, Mapping) for key in table}

    def of(self, name: str) -> list[JSON]:
        """Return the values of the fields that a parameter's name refers to, those of the state first."""
        if name not in self._found:
            values = dict.fromkeys(value for pool in self._pools for value in pool.candidates(name))
            self._found[name] = list(filter(_can_be_sent, values))
        return self._found[name]

    def are_ids(self, some: list[JSON]) -> bool:
        """Return whether values name records of the state."""
        return not self._keys.isdisjoint(some)


def _can_be_sent(value: JSON) -> bool:
    """Return whether a scalar can be an argument: a state may hold numbers and texts that JSON has no form for."""
    if isinstance(value, str):
        return len(value) <= MAX_STRING and not any("\ud800" <= letter <= "\udfff" for letter in value)
    return bool(abs(value) <= MAX_INTEGER)  # false for what is no number


def values(schema: Mapping[str, JSON], name: str, known: Candidates) -> SearchStrategy[JSON]:
    """Return a strategy for values that fit a schema.

    Args:
        schema: A JSON schema with the keywords that :class:`~envscaler_gym.types.ToolSpec` uses: ``type``, ``enum``,
            ``const``, ``anyOf``, ``items``, ``properties``, ``required`` and ``additionalProperties``. Others are
            overlooked.
        name: Name of the parameter or field, by which values of the state are found.
        known: What is worth trying.
    """
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option.get("type") != "null"]
        chosen = st.one_of([values(option, name, known) for option in options]) if options else st.none()
        return chosen if len(options) == len(schema["anyOf"]) else mostly(chosen, st.none(), _NULLS)
    kind = schema.get("type")
    if kind == "array":
        return st.lists(values(schema.get("items", {}), name, known), max_size=_MOST)
    if kind == "object":
        return _objects(schema, name, known)
    return _scalars(kind, name, known)


def mostly(usual: SearchStrategy[Any], odd: SearchStrategy[Any], one_in: int) -> SearchStrategy[Any]:
    """Return a strategy that draws from ``usual``, and once in so many times from ``odd``; it shrinks to ``usual``."""
    return st.integers(0, one_in - 1).flatmap(lambda number: odd if number == one_in - 1 else usual)


def _objects(schema: Mapping[str, JSON], name: str, known: Candidates) -> SearchStrategy[JSON]:
    properties = schema.get("properties")
    if properties is None:
        extra = schema.get("additionalProperties")
        inner = values(extra, name, known) if isinstance(extra, Mapping) else _ANYTHING
        return st.dictionaries(_TEXT, inner, max_size=_MOST)
    fields = {field: values(inner, field, known) for field, inner in properties.items()}
    return fixed_order(fields, frozenset(schema.get("required", ())))


@st.composite
def fixed_order(
    draw: st.DrawFn, fields: Mapping[str, SearchStrategy[JSON]], required: frozenset[str]
) -> dict[str, JSON]:
    """Draw an object whose fields stand in the order of ``fields``; those that are not required may be missing."""
    return {field: draw(value) for field, value in fields.items() if field in required or draw(_GIVEN)}


def _scalars(kind: str | None, name: str, known: Candidates) -> SearchStrategy[JSON]:
    fresh = (_ANYTHING,) if kind is None else _FRESH[kind]
    found = [value for value in known.of(name) if kind is None or type(value) in _TYPES.get(kind, ())]
    if not found:
        return st.one_of(fresh)
    if known.are_ids(found):
        return _ids(found, st.one_of(fresh))
    options = [fresh[0], st.sampled_from(found), st.sampled_from(found), *fresh[1:]]
    return st.integers(0, len(options) - 1).flatmap(options.__getitem__)


def _ids(found: list[JSON], odd: SearchStrategy[JSON]) -> SearchStrategy[JSON]:
    """Return a strategy for ids, which takes a single choice of Hypothesis's for one of those that were found."""
    usual = len(found) * math.ceil(_ODD_IDS / len(found))
    last = usual + usual // _ODD_IDS - 1
    return st.integers(0, last).flatmap(lambda number: st.just(found[number % len(found)]) if number < usual else odd)
