"""Checks and guards from the difference between a start state and the reference final state.

A changed field is one check, a removed record one, a new record one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from envscaler_gym.checks import Check
from envscaler_gym.state import Change
from envscaler_gym.synthesis.graph.changes import changes_between, is_new, record_of
from envscaler_gym.synthesis.graph.tables import Record, Tables, records_of, words
from envscaler_gym.synthesis.growth.conditions import SOMETHING, Conditions, Outcome
from envscaler_gym.synthesis.growth.naming import Naming
from envscaler_gym.synthesis.growth.saying import Currency, quote, say
from envscaler_gym.types import JSON

__all__ = ["make_checks", "make_guards"]


def make_checks(outcome: Outcome, tables: Tables, naming: Naming, currency: Currency) -> tuple[Check, ...]:
    """Return the checks that tell the reference final state from all that falls short of it."""
    writer = _Writer(outcome, tables, naming, currency)
    changes = changes_between(outcome.start, outcome.final, tables)
    return (*writer.changes(changes), *writer.additions(changes))


def make_guards(outcome: Outcome, tables: Tables) -> tuple[Check, ...]:
    """Return the guards: what the chain did not touch is as it was, and nothing more was made than it made."""
    changes = changes_between(outcome.start, outcome.final, tables)
    may_change: dict[str, dict[str, None]] = {}
    most: dict[str, int] = {}
    for change in changes:
        table, key = record_of(change)
        if is_new(change):
            most[table] = most.get(table, 0) + 1
        else:
            may_change.setdefault(table, {})[key] = None
    allowed = {table: sorted(keys) for table, keys in may_change.items()}
    untouched = (
        f"def check_func(final_state):\n"
        f"    may_change = {_literal(allowed)}\n"
        f"    return all(\n"
        f"        final_state.get(table, {{}}).get(key) == record\n"
        f"        for table, records in initial_state.items() if table in {_literal(sorted(tables))}\n"
        f"        for key, record in records.items()\n"
        f"        if key not in may_change.get(table, [])\n"
        f"    )\n"
    )
    no_more = (
        f"def check_func(final_state):\n"
        f"    most = {_literal(most)}\n"
        f"    return all(\n"
        f"        len(final_state.get(table, {{}})) <= len(records) + most.get(table, 0)\n"
        f"        for table, records in initial_state.items() if table in {_literal(sorted(tables))}\n"
        f"    )\n"
    )
    return (
        Check(text="Is every record that the task does not touch unchanged?", source=untouched),
        Check(text="Are there no more new records than the task asks for?", source=no_more),
    )


class _Writer:
    """Writes the checks of one outcome."""

    def __init__(self, outcome: Outcome, tables: Tables, naming: Naming, currency: Currency) -> None:
        self._outcome, self._tables, self._naming, self._currency = outcome, tables, naming, currency
        self._conditions = Conditions(outcome, tables)

    def changes(self, changes: Sequence[Change]) -> Iterator[Check]:
        """Yield a check for each field that has changed in a record that was there, and for each removed record."""
        fields: dict[tuple[Record, str], None] = {}
        for change in changes:
            table, key = record_of(change)
            if len(change.path) > 2:
                fields[(table, key), str(change.path[2])] = None
            elif change.kind == "removed":
                yield Check(text=f"Is {self._name((table, key))} gone?", source=self._gone(table, key))
        yield from (self._field(record, field) for record, field in fields)

    def _gone(self, table: str, key: str) -> str:
        """Return the source of the check for a removed record; a new one of something else may have its key."""
        value = records_of(self._outcome.start, table)[key]
        references = {field: value.get(field) for field in self._tables[table].references}
        if not references or not self._conditions.is_reused(table):
            return f"def check_func(final_state):\n    return {key!r} not in final_state.get({table!r}, {{}})\n"
        return (
            f"def check_func(final_state):\n"
            f"    record = final_state.get({table!r}, {{}}).get({key!r}, {{}})\n"
            f"    return any(record.get(field) != value for field, value in {_literal(references)}.items())\n"
        )

    def _field(self, record: Record, field: str) -> Check:
        table, key = record
        after = records_of(self._outcome.final, table)[key]
        definitions, conditions = self._conditions.of_field(record, field)
        found = f"final_state.get({table!r}, {{}}).get({key!r}, {{}})"
        if field not in after:
            test = f"    return {field!r} not in {found}\n"
        elif after[field] is None:
            test = f"    return {found}.get({field!r}, 0) is None\n"
        else:
            lines = " and ".join(conditions) or "True"
            test = f"    value = {found}.get({field!r})\n    return {lines}\n"
        source = f"{definitions}def check_func(final_state):\n{test}"
        said = self._said(table, field, after.get(field))
        if conditions[:1] == [f"value {SOMETHING}"]:
            said = "set" if len(conditions) == 1 else "another one"
        return Check(text=f"For {self._name(record)}: is {words(field)} now {said}?", source=source)

    def _name(self, record: Record) -> str:
        return self._naming.full(record) or f"{self._tables[record[0]].noun} {record[1]}"

    def _said(self, table: str, field: str, value: JSON) -> str:
        to = self._tables[table].references.get(field)
        if to and isinstance(value, str) and self._is_new(to, value):
            return f"the new {self._tables[to].noun}"
        name = self._naming.full((to, value)) if to and isinstance(value, str) else None
        text = name or say(field, value, self._currency) or "empty"
        return quote(text) if value and isinstance(value, str) and not name and text[:1] not in '"“' else text

    def _is_new(self, table: str, key: str) -> bool:
        return key in records_of(self._outcome.final, table) and key not in records_of(self._outcome.start, table)

    def additions(self, changes: Sequence[Change]) -> Iterator[Check]:
        """Yield a check for each kind of new record, with how many there are to be that hold the same."""
        groups: dict[str, list[Record]] = {}
        for record in (record_of(change) for change in changes if is_new(change)):
            groups.setdefault(f"{record[0]} {self._conditions.of_new(record)}", []).append(record)
        for records in groups.values():
            first, count = records[0], len(records)
            source = (
                f"{self._conditions.definitions(first)}"
                f"def check_func(final_state):\n"
                f"    return len({self._conditions.finder(first)}(final_state)) == {count}\n"
            )
            number = "exactly one" if count == 1 else f"exactly {count}"
            noun = self._tables[first[0]].noun
            yield Check(text=f"Is there {number} new {noun} with {self._summary(first)}?", source=source)

    def _summary(self, record: Record) -> str:
        """Say what is compared: neither times nor generated keys, which differ each time."""
        table, key = record
        value = records_of(self._outcome.final, table)[key]
        parts = [
            f"{words(field.removesuffix('_id').removesuffix('_cents'))} {self._said(table, field, value[field])}"
            for field in self._conditions.compared(record)
            if isinstance(value[field], str | int | float) and value[field] not in ("", False)
        ]
        return ", ".join(parts) or "no particular values"


def _literal(value: JSON) -> str:
    """Return Python source of a JSON value."""
    return repr(json.loads(json.dumps(value)))
