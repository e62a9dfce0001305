"""Drawing arguments that fit a schema, mostly from values that a state holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from envscaler_gym.types import JSON

__all__ = ["ValuePool", "sample_arguments"]

_WORDS = (
    "north",
    "river",
    "amber",
    "signal",
    "harbor",
    "violet",
    "maple",
    "stone",
    "comet",
    "willow",
    "ember",
    "delta",
)
_OPTIONAL = 0.5
"""Chance that a parameter with a default is given."""
_ODD = 0.1
"""Chance that a value is drawn without looking at the state."""
_SCALARS = frozenset({str, int, float, bool})


class ValuePool:
    """The scalar values of a state, by the name of the field that holds them.

    A record's key counts as a value of the fields that repeat it, and of the collection's singular with ``_id``.

    Args:
        state: The state: attributes holding records by key, or anything else that is JSON.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        values: dict[str, dict[JSON, None]] = {}
        for name, value in state.items():
            _collect(name, value, values)
        self._values = {field: list(bucket) for field, bucket in values.items()}
        self._strings = [v for bucket in self._values.values() for v in bucket if isinstance(v, str)]
        self._candidates: dict[str, list[JSON]] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> ValuePool:
        """Return the pool itself: it does not change."""
        return self

    def candidates(self, parameter: str) -> list[JSON]:
        """Return the values of the fields that a parameter's name refers to; empty when there are none.

        ``new_status`` refers to ``status``, ``copy_ids`` to ``copy_id``, ``from_member_id`` to ``member_id``.
        """
        if parameter not in self._candidates:
            self._candidates[parameter] = self._find(parameter)
        return self._candidates[parameter]

    def _find(self, parameter: str) -> list[JSON]:
        for name in _variants(parameter):
            if name in self._values:
                return self._values[name]
        for field, values in self._values.items():
            if field.endswith("_" + parameter):
                return values
        return []

    def string(self, rng: np.random.Generator) -> str:
        """Draw some string of the state, or a word where it holds none."""
        if self._strings and rng.random() > _ODD:
            return str(self._strings[int(rng.integers(len(self._strings)))])
        return " ".join(_WORDS[int(i)] for i in rng.integers(len(_WORDS), size=int(rng.integers(1, 4))))


def _variants(parameter: str) -> Iterator[str]:
    parts = parameter.split("_")
    for start in range(len(parts)):
        name = "_".join(parts[start:])
        yield name
        if name.endswith("s"):
            yield name[:-1]


def _collect(field: str, value: Any, values: dict[str, dict[JSON, None]]) -> None:
    """Add the scalars of a value that stands in ``field`` to ``values``, in the order of the state."""
    kind = type(value)
    if kind is dict:
        is_table = bool(value) and type(next(iter(value.values()))) is dict
        if is_table:
            values.setdefault(field.removesuffix("s") + "_id", {}).update(dict.fromkeys(value))
        for key, item in value.items():
            name = field if is_table else key
            if type(item) in _SCALARS:
                values.setdefault(name, {})[item] = None
            else:
                _collect(name, item, values)
    elif kind in (list, tuple):
        for item in value:
            _collect(field, item, values)
    elif kind in _SCALARS:
        values.setdefault(field, {})[value] = None


def sample_arguments(schema: Mapping[str, JSON], pool: ValuePool, rng: np.random.Generator) -> dict[str, JSON]:
    """Draw arguments that fit a tool's schema.

    Args:
        schema: JSON schema of the arguments, of type ``object``.
        pool: Values of the state.
        rng: Random source.
    """
    required = schema.get("required", ())
    return {
        name: _sample(prop, name, pool, rng)
        for name, prop in schema.get("properties", {}).items()
        if name in required or rng.random() < _OPTIONAL
    }


def _sample(schema: Mapping[str, JSON], name: str, pool: ValuePool, rng: np.random.Generator) -> JSON:
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][int(rng.integers(len(schema["enum"])))]
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option.get("type") != "null"]
        if not options or (len(options) < len(schema["anyOf"]) and rng.random() < _ODD):
            return None
        return _sample(options[int(rng.integers(len(options)))], name, pool, rng)
    match schema.get("type"):
        case "array":
            items = schema.get("items", {})
            return [_sample(items, name, pool, rng) for _ in range(int(rng.integers(1, 4)))]
        case "object":
            properties = schema.get("properties")
            if properties is None:
                extra = schema.get("additionalProperties")
                value_schema = extra if isinstance(extra, Mapping) else {}
                return {
                    pool.string(rng): _sample(value_schema, name, pool, rng) for _ in range(int(rng.integers(0, 3)))
                }
            return sample_arguments(schema, pool, rng)
        case kind:
            return _scalar(kind, name, pool, rng)


def _scalar(kind: str | None, name: str, pool: ValuePool, rng: np.random.Generator) -> JSON:
    if kind == "null":
        return None
    if kind == "boolean":
        return bool(rng.random() < 0.5)
    fitting = [value for value in pool.candidates(name) if _fits(value, kind)]
    if fitting and rng.random() > _ODD:
        return fitting[int(rng.integers(len(fitting)))]
    if kind == "integer":
        return int(rng.integers(-1, 20)) if rng.random() > _ODD else int(rng.integers(-1000, 10**6))
    if kind == "number":
        return round(float(rng.uniform(-1, 100)), 2)
    return pool.string(rng)


def _fits(value: JSON, kind: str | None) -> bool:
    if isinstance(value, bool):
        return kind is None
    if kind == "integer":
        return isinstance(value, int)
    if kind == "number":
        return isinstance(value, int | float)
    return isinstance(value, str) or kind is None
