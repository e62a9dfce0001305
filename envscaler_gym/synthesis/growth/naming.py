"""How a person names a record, so that no other record of the state can be meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any

from envscaler_gym.synthesis.graph.literals import DATE
from envscaler_gym.synthesis.graph.tables import Record, Tables, records_of, words
from envscaler_gym.synthesis.growth.saying import Currency, quote, say

__all__ = ["Naming"]

_FIELD = re.compile(r"\{([\w.]+)\}")
_KIND = re.compile(r"status|kind|type|condition|category|state$")
_DEPTH = 3
"""References that are followed to name a record."""
_LONG = 40
_MOST_DETAILS = 3


class Naming:
    """The names of the records of one state.

    Args:
        tables: The tables.
        state: The state.
        currency: What amounts are called.
        stated: Tables whose keys have to be said, since no tool finds them.
    """

    def __init__(
        self, tables: Tables, state: Mapping[str, Any], currency: Currency, stated: Collection[str] = ()
    ) -> None:
        self._stated = stated
        self._tables, self._state, self._currency = tables, state, currency
        self._short: dict[Record, str] = {}
        self._full: dict[Record, str | None] = {}
        self._alike: dict[str, dict[str, list[str]]] = {}

    def full(self, record: Record) -> str | None:
        """Return a name that fits this record alone among those of its table; ``None`` where there is none."""
        if record not in self._full:
            self._full[record] = self._distinguish(record)
        return self._full[record]

    def short(self, record: Record, depth: int = _DEPTH) -> str:
        """Return a name that may fit others too."""
        if depth < _DEPTH:
            return self._make(record, depth)
        if record not in self._short:
            self._short[record] = self._make(record, depth)
        return self._short[record]

    def noun(self, record: Record) -> str:
        """Return what a record is."""
        return self._tables[record[0]].noun

    def inside(self, record: Record, name: str) -> list[Record]:
        """Return the records that a record refers to and whose own names stand in its name."""
        value = records_of(self._state, record[0]).get(record[1], {})
        references = [
            (to, value[field])
            for field, to in self._tables[record[0]].references.items()
            if isinstance(value.get(field), str) and value[field] in records_of(self._state, to)
        ]
        found = [other for other in references if self.short(other) in name and other != record]
        return [*found, *(inner for other in found for inner in self.inside(other, name))]

    def _make(self, record: Record, depth: int) -> str:
        said = self._from_fields(record, depth)
        return f"{said} ({record[1]})" if record[0] in self._stated and record[1] not in said else said

    def _from_fields(self, record: Record, depth: int) -> str:
        table, value = self._tables[record[0]], records_of(self._state, record[0]).get(record[1], {})
        parts = {path: self._follow(record, path.split("."), depth) for path in _FIELD.findall(table.phrase)}
        if table.phrase and all(parts.values()):
            return _FIELD.sub(lambda found: str(parts[found[1]]), table.phrase)
        if table.names:
            name = str(value.get(table.names[0], record[1]))
            return name if table.person else f"the {table.noun} {quote(name)}"
        if table.known_key:
            return (
                f"{table.noun} {record[1]}" if re.search(r"\d", record[1]) else f"the {table.noun} {quote(record[1])}"
            )
        return self._by_references(record, value, depth)

    def _follow(self, record: Record, path: Sequence[str], depth: int) -> str | None:
        """Say the field at the end of a way over references; ``None`` where the way ends before."""
        value = records_of(self._state, record[0]).get(record[1], {}).get(path[0])
        to = self._tables[record[0]].references.get(path[0])
        if value is None or (to is None and len(path) > 1):
            return None
        if to is None or value not in records_of(self._state, to):
            return say(path[0], value, self._currency)
        if len(path) > 1:
            return self._follow((to, value), path[1:], depth)
        return self.short((to, value), depth - 1) if depth else str(value)

    def _by_references(self, record: Record, value: Mapping[str, Any], depth: int) -> str:
        """Name a record by whom it belongs to and what it is for: ``"Ana Lopes's reservation for room 204"``."""
        table = self._tables[record[0]]
        owner, objects = "", []
        for field, to in table.references.items() if depth else ():
            key = value.get(field)
            if isinstance(key, str) and key in records_of(self._state, to):
                name = self.short((to, key), depth - 1)
                if self._tables[to].person and not owner:
                    owner = f"{name}'s"
                elif self._tables[to].names or self._tables[to].known_key or self._tables[to].phrase:
                    objects.append(name)
        text = f"{owner or 'the'} {table.noun}"
        return f"{text} for {objects[0]}" if objects else text

    def _distinguish(self, record: Record) -> str | None:
        name, key = record
        known = records_of(self._state, name)
        if key not in known:
            return None
        if name not in self._alike:
            alike = self._alike[name] = {}
            for other in known:
                alike.setdefault(self.short((name, other)).casefold(), []).append(other)
        short = self.short(record)
        group = self._alike[name][short.casefold()]
        if len(group) == 1:
            return short
        self._full[record] = None  # no name through itself
        others = [other for other in group if other != key]
        details = [text for field in self._fields(record) if (text := self._detail(record, field))]
        for size in range(1, _MOST_DETAILS + 1):
            for chosen in combinations(details, size):
                if not any(all(self._has(other, name, text) for text in chosen) for other in others):
                    return f"{short} ({', '.join(chosen)})"
        return None

    def _has(self, key: str, table: str, text: str) -> bool:
        """Return whether a detail is true of another record too."""
        return text in [self._detail((table, key), field) for field in self._fields((table, key))]

    def _fields(self, record: Record) -> list[str]:
        """Return the fields that may tell a record from others, the most telling first."""
        value = records_of(self._state, record[0])[record[1]]
        ranked = [
            (rank, place, field)
            for place, field in enumerate(value)
            if (rank := self._rank(record[0], field, value[field])) is not None
        ]
        return [field for _, _, field in sorted(ranked)]

    def _detail(self, record: Record, field: str) -> str:
        """Say what a field holds so that it can stand in brackets behind a name; empty where that says nothing."""
        table, value = self._tables[record[0]], records_of(self._state, record[0])[record[1]][field]
        to = table.references.get(field)
        if to is not None:
            short, full = self.short((to, value)), self.full((to, value))
            if short in self.short(record):  # said already, but for what tells it from its likes
                return full[len(short) + 2 : -1] if full and full != short else ""
            return f"{words(field.removesuffix('_id'))} {full or short}"
        said = say(field, value, self._currency)
        if field in table.names or "@" in str(value) or (_KIND.search(field) and isinstance(value, str)):
            return said
        return f"{words(field.removesuffix('_cents'))} {said}"

    def _rank(self, name: str, field: str, value: Any) -> int | None:
        table = self._tables[name]
        if field == table.key or value is None or f"{{{field}}}" in table.phrase or value == "":
            return None
        if field in table.references:
            to = self._tables[table.references[field]]
            named = isinstance(value, str) and value in records_of(self._state, to.name)
            return 3 if named and (to.names or to.known_key or to.phrase) else None
        if isinstance(value, bool | list | dict):
            return None
        if isinstance(value, int | float):
            return 5
        if DATE.match(value):
            return 2 if len(value) == len("2025-01-01") else 4
        if not value or len(value) > _LONG:
            return None
        return 0 if field in table.names or "@" in value else 1
