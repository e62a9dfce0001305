"""Conditions that values of the reference final state fulfil, as Python source.

How a value is compared depends on what it is. A value that differs when the same calls are made at another second or
under another seed only has to be there. Free text is compared without regard to case, spaces and the full stop. The
key of a new record stands for any new record that holds the same. Lists may have any order. All else has to be equal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from envscaler_gym.synthesis.graph.literals import is_prose
from envscaler_gym.synthesis.graph.tables import Record, Tables, records_of
from envscaler_gym.types import JSON

__all__ = ["SOMETHING", "Conditions", "Outcome"]

SOMETHING = "is not None"
"""How the condition ends of a field whose value differs each time."""


class Outcome(NamedTuple):
    """What a chain leads to.

    Attributes:
        start: The start state.
        final: The state after the reference solution.
        other: The state after the same calls at another second and under another seed.
        texts: Texts among the arguments of the solution.
    """

    start: Mapping[str, Any]
    final: Mapping[str, Any]
    other: Mapping[str, Any]
    texts: frozenset[str]


class Conditions:
    """Writes the conditions of one outcome.

    Args:
        outcome: The outcome.
        tables: The tables.
    """

    def __init__(self, outcome: Outcome, tables: Tables) -> None:
        self._outcome, self._tables = outcome, tables
        self._twins = dict(self._pairs())
        self._numbers = {record: number for number, record in enumerate(self._twins)}
        self._links: dict[Record, list[Record]] = {}
        for record in self._twins:
            self._link(record, ())

    def _pairs(self) -> Iterator[tuple[Record, Record]]:
        """Yield each new record with the one that the same calls made the other time, whose key may be another."""
        for table in self._tables:
            old = records_of(self._outcome.start, table)
            new = [key for key in records_of(self._outcome.final, table) if key not in old]
            other = [key for key in records_of(self._outcome.other, table) if key not in old]
            yield from (((table, a), (table, b)) for a, b in zip(new, other, strict=False))

    def _link(self, record: Record, above: tuple[Record, ...]) -> None:
        """Note the new records that a new record refers to, but for those that lead back to it."""
        if record in self._links:
            return
        value = records_of(self._outcome.final, record[0])[record[1]]
        found = [other for other in self._mentioned(record[0], value) if other not in (*above, record)]
        for other in found:
            self._link(other, (*above, record))
        self._links[record] = [other for other in found if other in self._links]

    def _mentioned(self, table: str, value: Mapping[str, Any]) -> Iterator[Record]:
        for field, item in value.items():
            if field != self._tables[table].key:
                yield from self._inside(self._tables[table].references.get(field, ""), item)

    def _inside(self, table: str, value: JSON) -> Iterator[Record]:
        if isinstance(value, str) and (table, value) in self._twins:
            yield table, value
        for field, item in value.items() if isinstance(value, dict) else ():
            yield from self._inside(self._table_of(field), item)
        for item in value if isinstance(value, list) else ():
            yield from self._inside(table, item)

    def _table_of(self, field: str) -> str:
        return next((table.name for table in self._tables.values() if table.key == field), "")

    def finder(self, record: Record) -> str:
        """Return the name of the function that finds the keys of a new record's likes."""
        return f"new_{record[0]}_{self._numbers[record]}"

    def definitions(self, *records: Record) -> str:
        """Return the functions that find new records, and before them those that these need."""
        needed: dict[Record, None] = {}
        for record in records:
            self._collect(record, needed)
        return "".join(map(self._definition, needed))

    def _collect(self, record: Record, needed: dict[Record, None]) -> None:
        for other in self._links[record]:
            self._collect(other, needed)
        needed[record] = None

    def removed(self, table: str) -> list[str]:
        """Return the keys of the records that are gone in the end."""
        final = records_of(self._outcome.final, table)
        return [key for key in records_of(self._outcome.start, table) if key not in final]

    def is_reused(self, table: str) -> bool:
        """Return whether a new record may get the key of a removed one, where calls are made in another order."""
        return bool(self.removed(table)) and any(record[0] == table for record in self._twins)

    def _definition(self, record: Record) -> str:
        gone = self.removed(record[0])
        known = f"(key not in before or key in {gone!r})" if gone else "key not in before"
        lines = "".join(f"\n        and {condition}" for condition in self.of_new(record))
        return (
            f"def {self.finder(record)}(final_state):\n"
            f"    before = initial_state.get({record[0]!r}, {{}})\n"
            f"    return [\n"
            f"        key for key, record in final_state.get({record[0]!r}, {{}}).items()\n"
            f"        if {known}{lines}\n"
            f"    ]\n\n"
        )

    def of_new(self, record: Record) -> list[str]:
        """Return the conditions that the fields of ``record`` fulfil, for a new record."""
        return [condition for found in self._by_field(record).values() for condition in found]

    def compared(self, record: Record) -> list[str]:
        """Return the fields of a new record that have to hold what they hold in the reference final state."""
        return [
            field
            for field, conditions in self._by_field(record).items()
            if not all(condition.endswith(SOMETHING) for condition in conditions)
        ]

    def _by_field(self, record: Record) -> dict[str, list[str]]:
        table, key = record
        value = records_of(self._outcome.final, table)[key]
        twin = records_of(self._outcome.other, table).get(self._twins.get(record, record)[1], {})
        return {
            field: self._of(
                f"record.get({field!r})",
                field,
                self._tables[table].references.get(field, ""),
                (item, twin.get(field)),
                self._links.get(record, []),
            )
            for field, item in value.items()
            if field != self._tables[table].key
        }

    def of_field(self, record: Record, field: str) -> tuple[str, list[str]]:
        """Return the condition that ``value`` fulfils in a record that was there, with the functions it needs."""
        final = records_of(self._outcome.final, record[0])[record[1]].get(field)
        twin = records_of(self._outcome.other, record[0]).get(record[1], {}).get(field)
        to = self._tables[record[0]].references.get(field, "")
        links = list(self._inside(to, final))
        conditions = self._of("value", field, to, (final, twin), links)
        if conditions == [f"value {SOMETHING}"]:  # a time, say: it has to be there, and another one than before
            before = records_of(self._outcome.start, record[0])[record[1]].get(field)
            conditions += [f"value != {_literal(before)}"] * (before is not None)
        return self.definitions(*links), conditions

    def _of(self, expression: str, field: str, table: str, values: tuple[JSON, JSON], links: list[Record]) -> list[str]:
        value, twin = values
        if isinstance(value, str) and (table, value) in self._twins:
            found = (table, value)
            return [f"{expression} in {self.finder(found)}(final_state)"] if found in links else []
        if isinstance(value, dict) and value and self._is_varied(table, value, twin):
            return self._of_object(expression, value, twin, links)
        if isinstance(value, list) and self._is_varied(table, value, twin):
            return self._of_items(expression, field, table, value, twin, links)
        if value != twin:
            return [] if value is None else [f"{expression} {SOMETHING}"]
        if isinstance(value, str) and " " in value and value in self._outcome.texts and is_prose(field):
            return [f"' '.join(str({expression}).casefold().split()).rstrip('.') == {_fold(value)!r}"]
        if isinstance(value, bool) or value is None:
            return [f"{expression} is {value!r}"]
        if isinstance(value, list) and value:
            return [
                f"isinstance({expression}, list) and len({expression}) == {len(value)}",
                f"all(item in {expression} for item in {_literal(value)})",
            ]
        if value in (0, 1):
            return [f"{expression} == {value} and not isinstance({expression}, bool)"]
        return [f"{expression} == {_literal(value)}"]

    def _is_varied(self, table: str, value: JSON, twin: JSON) -> bool:
        """Return whether a part of a container is not the same each time."""
        return value != twin or next(self._inside(table, value), None) is not None

    def _of_object(self, expression: str, value: JSON, twin: JSON, links: list[Record]) -> list[str]:
        other = twin if isinstance(twin, dict) else {}
        conditions = [f"isinstance({expression}, dict)"]
        for field, item in value.items():
            inner = f"{expression}.get({field!r})"
            conditions += self._of(inner, field, self._table_of(field), (item, other.get(field)), links)
        return conditions

    def _of_items(
        self, expression: str, field: str, table: str, value: JSON, twin: JSON, links: list[Record]
    ) -> list[str]:
        conditions = [f"isinstance({expression}, list)"]
        if not isinstance(twin, list) or len(twin) != len(value):
            return conditions
        conditions.append(f"len({expression}) == {len(value)}")
        name = f"item_{expression.count('item_')}"
        for item, other in zip(value, twin, strict=True):
            inner = self._of(name, field, table, (item, other), links)
            if inner:
                conditions.append(f"any({' and '.join(inner)} for {name} in {expression})")
        return conditions


def _fold(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")


def _literal(value: JSON) -> str:
    """Return Python source of a JSON value."""
    return repr(json.loads(json.dumps(value)))
