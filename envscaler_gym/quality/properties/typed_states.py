"""States made from their declared types alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from envscaler_gym.bundle import Bundle
from envscaler_gym.manifest import Entity
from envscaler_gym.quality.properties.schema_values import Candidates, fixed_order, mostly, values
from envscaler_gym.quality.state_types import StateTypes
from envscaler_gym.scenario import StartState
from envscaler_gym.state import copy_state
from envscaler_gym.types import JSON

__all__ = ["typed_states"]

_Keys = dict[str, list[str]]
_Schemas = Mapping[str, Mapping[str, JSON]]
_LONGEST_KEY = 8  # characters
_FRESH_KEYS = 4  # one key in so many is none of the start state's
_NULLS = 4  # one reference in so many is null, where it may be


def typed_states(
    bundle: Bundle, start_states: SearchStrategy[StartState], max_records: int
) -> SearchStrategy[dict[str, Any]]:
    """Return a strategy for states that fit their declared types, whose keys and references are right.

    What the types leave open is taken from a start state, as it is.

    Args:
        bundle: The environment.
        start_states: Start states, whose values are used for the fields of the same names.
        max_records: Most records of a kind.
    """
    attributes: _Schemas = StateTypes.of(bundle).schema["properties"]
    entities = {entity.name: entity for entity in bundle.manifest.entities}
    records = {name: record for name, schema in attributes.items() if (record := _record_schema(schema)) is not None}

    @cache
    def fields_of(start_id: str) -> dict[str, dict[str, SearchStrategy[JSON]]]:
        """Return strategies for the fields of each kind of record, as far as they do not depend on other records."""
        known = Candidates(bundle.start_states[start_id].state)
        return {
            name: {field: values(inner, field, known) for field, inner in record["properties"].items()}
            for name, record in records.items()
        }

    @st.composite
    def states(draw: st.DrawFn) -> dict[str, Any]:
        start = draw(start_states)
        keys: _Keys = {name: list(table) for name, table in start.state.items() if isinstance(table, Mapping)}
        keys |= {name: draw(_some_keys(keys.get(name, []), max_records)) for name in records}
        _drop_homeless(keys, records, entities)
        state: dict[str, Any] = {}
        for name, schema in attributes.items():
            if name in records:
                entity = entities.get(name, Entity(name=name))
                record = _record(records[name], entity, fields_of(start.id)[name], keys)
                state[name] = {key: _under(key, entity, draw(record)) for key in keys[name]}
            elif name in start.state:
                state[name] = copy_state(start.state[name])
            elif schema:  # otherwise it is left to the constructor
                state[name] = draw(values(schema, name, Candidates({})))
        return state

    return states()


def _record_schema(schema: Mapping[str, JSON]) -> Mapping[str, JSON] | None:
    """Return the schema of the records that an attribute holds by key; ``None`` where it holds something else."""
    record = schema.get("additionalProperties")
    return record if isinstance(record, Mapping) and "properties" in record else None


def _some_keys(known: list[str], at_most: int) -> SearchStrategy[list[str]]:
    fresh = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=_LONGEST_KEY)
    return st.lists(
        mostly(st.sampled_from(known), fresh, _FRESH_KEYS) if known else fresh, max_size=at_most, unique=True
    )


def _drop_homeless(keys: _Keys, records: _Schemas, entities: Mapping[str, Entity]) -> None:
    """Empty the tables whose records must name a record of a table that is empty."""
    changed = True
    while changed:
        changed = False
        for name, record in records.items():
            for field, target in entities[name].references.items() if name in entities else ():
                needed = field in record.get("required", ()) and "type" in record["properties"].get(field, {})
                scalar = needed and record["properties"][field]["type"] not in ("array", "object")
                if scalar and keys[name] and not keys.get(target):
                    keys[name] = []
                    changed = True


def _record(
    schema: Mapping[str, JSON], entity: Entity, fields: Mapping[str, SearchStrategy[JSON]], keys: _Keys
) -> SearchStrategy[dict[str, JSON]]:
    required = frozenset(schema.get("required", ()))
    chosen = dict(fields)
    for field in entity.references:
        if field in fields:
            named = keys.get(entity.references[field], [])
            chosen[field] = _reference(schema["properties"][field], named, fields[field])
            if not named and field not in required:
                del chosen[field]
    return fixed_order(chosen, required)


def _reference(schema: Mapping[str, JSON], keys: list[str], otherwise: SearchStrategy[JSON]) -> SearchStrategy[JSON]:
    """Return a strategy for a field that names a record, or several, or none where it may."""
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option.get("type") != "null"]
        chosen = st.one_of([_reference(option, keys, otherwise) for option in options])
        if len(options) == len(schema["anyOf"]):
            return chosen
        return mostly(chosen, st.none(), _NULLS) if keys else st.none()
    kind = schema.get("type")
    if kind == "array":
        return st.lists(st.sampled_from(keys), max_size=len(keys), unique=True) if keys else st.just([])
    return st.sampled_from(keys) if kind == "string" and keys else otherwise


def _under(key: str, entity: Entity, record: dict[str, JSON]) -> dict[str, JSON]:
    """Return a record with the key under which it is filed."""
    return record | {entity.key: key} if entity.key in record else record
