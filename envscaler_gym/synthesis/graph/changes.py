"""The difference between two states, record by record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from envscaler_gym.state import Change, diff
from envscaler_gym.synthesis.graph.tables import Record, records_of

__all__ = ["changed_fields", "changes_between", "is_new", "record_of"]


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any], tables: Iterable[str]) -> list[Change]:
    """List the differences between the records of two states, as :func:`~envscaler_gym.state.diff` does.

    Records that are equal are passed over without a walk through them.
    """
    changes: list[Change] = []
    for table in tables:
        old, new = records_of(before, table), records_of(after, table)
        if old == new:
            continue
        left = {key: record for key, record in old.items() if key not in new or new[key] != record}
        right = {key: record for key, record in new.items() if key not in old or old[key] != record}
        changes += diff({table: left}, {table: right})
    return changes


def changed_fields(
    before: Mapping[str, Any], after: Mapping[str, Any], tables: Iterable[str]
) -> set[tuple[str | int, ...]]:
    """Return table, key and field of what differs, table and key of whole records; lists may be in another order."""
    found = set()
    for change in changes_between(before, after, tables):
        if len(change.path) > 2:
            (table, key), field = record_of(change), change.path[2]
            old, new = (records_of(state, table).get(key, {}).get(field) for state in (before, after))
            if isinstance(old, list) and isinstance(new, list) and sorted(map(repr, old)) == sorted(map(repr, new)):
                continue
        found.add(change.path[:3])
    return found


def is_new(change: Change) -> bool:
    """Return whether a change is a record that was not there."""
    return change.kind == "added" and len(change.path) == 2


def record_of(change: Change) -> Record:
    """Return the record that has changed."""
    return str(change.path[0]), str(change.path[1])
