"""The records in a state: what the manifest and the types say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import shorten
from envscaler_gym.manifest import Entity
from envscaler_gym.quality.scenarios.edits import Path, show_path
from envscaler_gym.quality.state_types import StateTypes
from envscaler_gym.types import JSON

__all__ = ["Records", "Reference", "tables"]


class Reference(NamedTuple):
    """A value that is to be the key of a record.

    Attributes:
        path: Where it stands.
        target: Attribute that is to hold the record.
        key: The value.
    """

    path: Path
    target: str
    key: JSON


def tables(state: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the attributes of a state that hold records by key, the empty ones left out."""
    return {
        name: table
        for name, table in state.items()
        if isinstance(table, dict) and table and all(isinstance(record, dict) for record in table.values())
    }


class Records:
    """What is known of a bundle's records.

    Args:
        bundle: The bundle.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._schema = StateTypes.of(bundle).schema
        self._entities = {entity.name: entity for entity in bundle.manifest.entities}

    def entity(self, table: str) -> Entity:
        """Return what the manifest says of the records of an attribute."""
        return self._entities.get(table) or Entity(name=table)

    def target(self, path: Path) -> str | None:
        """Return the attribute whose keys stand at a path; ``None`` where no reference does."""
        if len(path) < 3 or not isinstance(path[2], str):
            return None
        return self.entity(str(path[0])).references.get(path[2])

    def is_key(self, path: Path) -> bool:
        """Return whether the field at a path repeats the key of its record."""
        return len(path) == 3 and self.entity(str(path[0])).key == path[2]

    def schema(self, path: Path) -> Mapping[str, JSON]:
        """Return the JSON schema of what stands at a path; empty where the source does not say."""
        schema: Any = self._schema
        for part in path:
            schema = _inner(schema, part)
        return schema if isinstance(schema, Mapping) else {}

    def references(self, state: Mapping[str, Any]) -> Iterator[Reference]:
        """Yield every reference in a state that is not ``None``."""
        for name, table in tables(state).items():
            for field, target in self.entity(name).references.items():
                for key, record in table.items():
                    yield from _references((name, key, field), target, record.get(field))

    def misfits(self, state: Mapping[str, Any]) -> list[str]:
        """List the references that lead nowhere, and the records whose key is not that in their field."""
        found = [
            f"{show_path(path)} is {shorten(key)}, and {target} has no such record"
            for path, target, key in self.references(state)
            if not isinstance(state.get(target), dict) or not isinstance(key, str) or key not in state[target]
        ]
        for name, table in tables(state).items():
            field = self.entity(name).key
            found += [
                f"{show_path((name, key, field))} is {shorten(record.get(field))}, not the record's key"
                for key, record in table.items()
                if field is not None and record.get(field) != key
            ]
        return found


def _references(path: Path, target: str, value: Any) -> Iterator[Reference]:
    if isinstance(value, list | dict):  # a dict refers by its keys
        for index, item in enumerate(value):
            yield Reference((*path, index if isinstance(value, list) else item), target, item)
    elif value is not None:
        yield Reference(path, target, value)


def _inner(schema: Any, part: str | int) -> Any:
    options = [schema, *schema.get("anyOf", ())] if isinstance(schema, Mapping) else []
    for option in options:
        if isinstance(part, int):
            found = option.get("items")
        else:
            found = option.get("properties", {}).get(part, option.get("additionalProperties"))
        if isinstance(found, Mapping):
            return found
    return {}
