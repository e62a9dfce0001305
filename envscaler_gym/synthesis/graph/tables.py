"""What the records of a state are: their keys, what they refer to, and what a person knows them by.

The manifest says it for some bundles and says little for imported ones, so what it leaves open is read off the start
states: a field that repeats the key of every record is the key, a field whose values are keys of another table refers
to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envscaler_gym.bundle import Bundle
from envscaler_gym.manifest import Entity

__all__ = ["Record", "Table", "Tables", "records_of", "singular", "words"]

Record = tuple[str, str]
"""A record: name of its table and its key."""

_NAMES = ("name", "full_name", "display_name", "title", "label", "username", "subject")
_PERSON = ("email", "phone", "birth", "contact_info", "phone_numbers", "emails")
_PERSON_NOUNS = frozenset({
    "user", "member", "customer", "guest", "patient", "employee", "student", "client", "person", "contact",
    "technician", "housekeeper", "owner", "teacher", "doctor", "driver", "author", "staff",
})  # fmt: skip
_LONGEST_NAME = 80
_OPAQUE_WITHIN = 3
"""Keys shorter than this may be equal by chance."""


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of record.

    Attributes:
        name: State attribute that holds the records by key.
        noun: What one of them is called.
        key: Field that repeats the key, if there is one.
        references: Table whose keys a field holds (one, or a list of them), by field.
        names: Fields that a person knows a record by, best first.
        known_key: Whether a person knows the key itself, such as the number of a room.
        person: Whether the records are people.
        phrase: The manifest's way to name a record.
    """

    name: str
    noun: str
    key: str | None
    references: Mapping[str, str]
    names: tuple[str, ...]
    known_key: bool
    person: bool
    phrase: str


class Tables(Mapping[str, Table]):
    """The tables of a bundle's states, by name.

    Args:
        bundle: The bundle.
        states: States to read off what the manifest leaves open; its start states, as a rule.
    """

    def __init__(self, bundle: Bundle, states: Sequence[Mapping[str, Any]]) -> None:
        rows = {name: _rows(name, states) for name in _table_names(states)}
        entities = {entity.name: entity for entity in bundle.manifest.entities}
        keys = {name: _key_field(entities.get(name), rows[name]) for name in rows}
        self._tables = {name: _table(name, entities.get(name), keys, rows) for name in rows}

    def __getitem__(self, name: str) -> Table:
        return self._tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


def records_of(state: Mapping[str, Any], table: str) -> Mapping[str, Any]:
    """Return the records of a table in a state; none where the state lacks it."""
    value = state.get(table)
    return value if isinstance(value, dict) else {}


def singular(word: str) -> str:
    """Return the singular of an English plural, by its ending."""
    for ending, replacement in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("xes", "x")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word.removesuffix(ending) + replacement
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def words(name: str) -> str:
    """Return an identifier as words: ``"due_on"`` and ``"dueOn"`` are ``"due on"``."""
    return " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").split()).lower()


def _table_names(states: Sequence[Mapping[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for state in states for name in state)
    return [name for name in names if _is_table([state[name] for state in states if name in state])]


def _is_table(values: Sequence[Any]) -> bool:
    records = [record for value in values if isinstance(value, dict) for record in value.values()]
    return bool(records) and all(isinstance(value, dict) for value in values) and all(map(_is_record, records))


def _is_record(value: Any) -> bool:
    return isinstance(value, dict)


def _rows(name: str, states: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(str(key), record) for state in states for key, record in records_of(state, name).items()]


def _key_field(entity: Entity | None, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str | None:
    if entity is not None and entity.key:
        return entity.key
    fields = [field for field in rows[0][1] if all(record.get(field) == key for key, record in rows)]
    return fields[0] if fields else None


def _table(
    name: str,
    entity: Entity | None,
    keys: Mapping[str, str | None],
    rows: Mapping[str, Sequence[tuple[str, Mapping[str, Any]]]],
) -> Table:
    own = rows[name]
    found = _references(name, keys, rows)
    references = found | {f: t for f, t in (entity.references if entity else {}).items() if t in rows}
    noun = words(re.sub(r"(Record|Info|Row|Entry)$", "", entity.record or "")) if entity else ""
    noun = noun or " ".join([*words(name).split()[:-1], singular(words(name).split()[-1])])
    names = _name_fields(own, noun, keys[name], references)
    fields = {field for _, record in own for field in record}
    person = bool(names) and (noun.split()[-1] in _PERSON_NOUNS or any(field.startswith(_PERSON) for field in fields))
    return Table(
        name, noun, keys[name], references, names, _is_known(keys[name], own), person, entity.phrase if entity else ""
    )


def _is_known(key: str | None, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> bool:
    """Return whether people know a table's keys: numbers of rooms and plain words, not generated ids."""
    if key is not None and not key.lower().endswith("id"):
        return True
    return all(re.fullmatch(r"[A-Za-z][A-Za-z ]*", value) for value, _ in rows)


def _name_fields(
    rows: Sequence[tuple[str, Mapping[str, Any]]], noun: str, key: str | None, references: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the fields that hold names: text in every record, and seldom the same in two."""
    found = []
    last = noun.rsplit(maxsplit=1)[-1]
    for field in rows[0][1]:
        if field == key or field in references:
            continue
        rank = _name_rank(field, last)
        values = [record.get(field) for _, record in rows]
        if rank is None or not all(isinstance(v, str) and v and len(v) <= _LONGEST_NAME for v in values):
            continue
        if len(set(values)) * 2 >= len({key for key, _ in rows}):  # states may be variants of one another
            found.append((rank, field))
    return tuple(field for _, field in sorted(found))


def _name_rank(field: str, noun: str) -> int | None:
    if field in _NAMES:
        return _NAMES.index(field)
    return len(_NAMES) if field in (f"{noun}_name", f"{noun}_title") else None


def _references(
    name: str, keys: Mapping[str, str | None], rows: Mapping[str, Sequence[tuple[str, Mapping[str, Any]]]]
) -> dict[str, str]:
    known = {other: {key for key, _ in rows[other]} for other in rows}
    fields = dict.fromkeys(field for _, record in rows[name] for field in record)
    found = {}
    for field in fields:
        if field == keys[name]:
            continue
        values = [value for _, record in rows[name] for value in _strings(record.get(field))]
        for other in rows:
            if values and known[other].issuperset(values) and _may_refer(field, values, other, keys[other]):
                found[field] = other
                break
    return found


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _may_refer(field: str, values: Sequence[str], table: str, key: str | None) -> bool:
    """Return whether a field whose values are all keys of a table can be taken to refer to it."""
    stem = singular(table)
    if (key and field.endswith(key)) or stem in field or singular(field) in stem:
        return True
    return all(len(v) > _OPAQUE_WITHIN and re.search(r"\d", v) and re.search(r"[^\d]", v) for v in values)
