"""Collateral damage: solved states in which something that nobody asked for was changed or deleted as well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from envscaler_gym.draw import draw
from envscaler_gym.quality.checks.mutants import Mutant, Solved, copied_record
from envscaler_gym.quality.scenarios.edits import put, without
from envscaler_gym.quality.scenarios.plausible import example, other_values
from envscaler_gym.quality.scenarios.records import Records, tables
from envscaler_gym.scenario import Scenario

__all__ = ["all_damage", "some_damage"]

_RECORDS = 2  # of a kind that are damaged
_FIELDS = 2  # of a record that are changed


def some_damage(scenario: Scenario, solved: Solved, records: Records, seed: int) -> Iterator[Mutant]:
    """Change, delete and add some records of every kind that the task never mentions and the solution leaves alone.

    Args:
        scenario: The scenario.
        solved: Its solved state.
        records: What is known of the bundle's records.
        seed: Seed of the choice.
    """
    said = " ".join((scenario.task, *scenario.requests)).casefold()
    for table, keys in _untouched(solved).items():
        unmentioned = [key for key in keys if not _mentioned(table, key, solved, said)]
        for number in range(min(_RECORDS, len(unmentioned))):
            key = draw(unmentioned, seed, number, f"{scenario.id}:{table}")
            unmentioned.remove(key)
            fields = [field for field in solved.final[table][key] if not records.is_key((table, key, field))]
            for turn in range(min(_FIELDS, len(fields))):
                field = draw(fields, seed, turn, f"{scenario.id}:{table}:{key}")
                fields.remove(field)
                yield from _changed(table, key, field, solved, records)
            yield _deleted(table, key, solved)
        if keys:
            yield copied_record(solved.final, (table, draw(keys, seed, 0, f"{scenario.id}:{table}:copy")), records)


def all_damage(solved: Solved, records: Records) -> Iterator[Mutant]:
    """Change every field that the solution leaves alone, delete every record, and add records of every kind."""
    for table, present in tables(solved.final).items():
        before = solved.initial.get(table, {})
        for key in (key for key in present if key in before):
            yield _deleted(table, key, solved)
            kept = [
                field for field, value in present[key].items() if field in before[key] and before[key][field] == value
            ]
            for field in kept:
                yield from _changed(table, key, field, solved, records)
    for name, value in solved.final.items():
        if isinstance(value, dict):
            yield from _added(name, solved, records)
        for wrong in other_values(value, records.schema((name,)), ()):
            yield Mutant("collateral change", (name,), value, wrong, put(solved.final, (name,), wrong))


def _added(table: str, solved: Solved, records: Records) -> Iterator[Mutant]:
    """Add a record like each that is there, and some that are like the last one but for one field."""
    present = solved.final[table]
    for key in present:
        yield copied_record(solved.final, (table, key), records)
    if not present:
        yield from _invented(table, solved, records)
        return
    state, path = solved.final, (table, list(present)[-1])
    copied = copied_record(state, path, records)
    for field, value in copied.wrong.items() if isinstance(copied.wrong, dict) else ():
        spot = (*copied.path, field)
        target = records.target(spot)
        known = [] if target is None else list(state.get(target, ()))
        for other in known or other_values(value, records.schema(spot), []):
            yield Mutant("collateral record", copied.path, None, other, put(copied.state, spot, other))


def _invented(table: str, solved: Solved, records: Records) -> Iterator[Mutant]:
    """Add a record made from the types alone to a kind of which there is none."""
    fields = records.schema((table, "new")).get("properties", {})
    record = {field: "new" if records.is_key((table, "new", field)) else example(fields[field]) for field in fields}
    yield Mutant("collateral record", (table, "new"), None, record, put(solved.final, (table, "new"), record))
    for field in fields:
        for key in solved.final.get(records.target((table, "new", field)) or "", ()):
            other = {**record, field: key}
            yield Mutant("collateral record", (table, "new"), None, other, put(solved.final, (table, "new"), other))


def _untouched(solved: Solved) -> dict[str, list[str]]:
    before = tables(solved.initial)
    return {
        name: [key for key, record in table.items() if before.get(name, {}).get(key) == record]
        for name, table in tables(solved.final).items()
    }


def _mentioned(table: str, key: str, solved: Solved, said: str) -> bool:
    """Return whether the text holds a record's key, or a text that no other record of its kind has."""
    mates = solved.final[table]
    own = {value for value in mates[key].values() if isinstance(value, str) and value}
    others: set[Any] = {
        value for other, mate in mates.items() if other != key for value in mate.values() if isinstance(value, str)
    }
    return any(text.casefold() in said for text in {key} | (own - others))


def _changed(table: str, key: str, field: str, solved: Solved, records: Records) -> Iterator[Mutant]:
    path = (table, key, field)
    if records.is_key(path):
        return
    value = solved.final[table][key][field]
    others = [mate[field] for other, mate in solved.final[table].items() if other != key and field in mate]
    for wrong in other_values(value, records.schema(path), others)[:1]:
        yield Mutant("collateral change", path, value, wrong, put(solved.final, path, wrong))


def _deleted(table: str, key: str, solved: Solved) -> Mutant:
    path = (table, key)
    return Mutant("collateral loss", path, solved.final[table][key], None, without(solved.final, path))
