"""Mutants: states that differ from a solved one in one thing that the solution was to do.

As in mutation testing of programs, what they measure is the checks: a check set that passes a state in which something
asked for was not done, or done to the wrong record, does not tell right from wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from envscaler_gym.quality.scenarios.edits import Path, fresh_key, put, rename, value_at, without
from envscaler_gym.quality.scenarios.plausible import neighbours, other_values, same
from envscaler_gym.quality.scenarios.records import Records, tables
from envscaler_gym.state import Change, canonical_json, diff

__all__ = ["Mutant", "Solved", "copied_record", "mutants"]

_OTHERS = 3  # other values that a field is given
_NEIGHBOURS = 2  # records that get what another was to get


class Solved(NamedTuple):
    """A start state and what a reference solution made of it.

    Attributes:
        initial: The state at the start.
        final: The state at the end.
        generated: Keys that the environment made up.
        exempt: Where equal solutions differ: times, and what follows from made-up keys.
    """

    initial: Mapping[str, Any]
    final: Mapping[str, Any]
    generated: Collection[str] = ()
    exempt: Collection[Path] = ()


class Mutant(NamedTuple):
    """A state that is wrong in one thing.

    Attributes:
        kind: What is wrong, in a few words.
        path: Where.
        right: What the reference solution leads to; ``None`` where that is nothing.
        wrong: What the mutant holds there; ``None`` where that is nothing.
        state: The whole state.
    """

    kind: str
    path: Path
    right: Any
    wrong: Any
    state: Mapping[str, Any]


def mutants(solved: Solved, records: Records) -> list[Mutant]:
    """List the mutants of a solved state, each once, without those that are as good as the solved state itself.

    Args:
        solved: The state.
        records: What is known of the bundle's records.
    """
    seen = {canonical_json(solved.final)}
    found = []
    for mutant in _candidates(solved, records):
        text = canonical_json(mutant.state)
        if text not in seen and not _indistinguishable(mutant, solved):
            seen.add(text)
            found.append(mutant)
    return found


def _candidates(solved: Solved, records: Records) -> Iterator[Mutant]:
    changed: dict[Path, list[Change]] = {}
    for change in diff(solved.initial, solved.final):
        path = change.path
        if str(path[0]).startswith("_") or (change.kind == "changed" and same(change.before, change.after)):
            continue
        if change.kind == "added" and len(path) == 2 and isinstance(change.after, dict):
            yield Mutant("missing record", path, change.after, None, without(solved.final, path))
            yield copied_record(solved.final, path, records)
            yield from _other_fields(path, change.after, solved, records)
        elif change.kind == "removed" and len(path) == 2:
            yield Mutant("record still there", path, None, change.before, put(solved.final, path, change.before))
            yield from _neighbour_removed(path, solved)
        else:
            yield _put_back(change, solved.final)
            if change.kind != "removed":
                yield from _other_fields(path, change.after, solved, records)
            changed.setdefault(path[:2], []).append(change)
    for path, changes in changed.items():
        if len(path) == 2 and path[1] in value_at(solved.initial, path[:1]):
            yield Mutant("changed record gone", path, value_at(solved.final, path), None, without(solved.final, path))
        yield from _neighbour_changed(path, changes, solved)


def copied_record(state: Mapping[str, Any], path: Path, records: Records) -> Mutant:
    """Return a state with a record twice, the second time under a key of its own."""
    record = value_at(state, path)
    fresh = fresh_key(str(path[1]), str(state))
    field = records.entity(str(path[0])).key
    copied = {**record, field: fresh} if field in record else record
    return Mutant("record twice", (path[0], fresh), None, copied, put(state, (path[0], fresh), copied))


def _put_back(change: Change, final: Mapping[str, Any]) -> Mutant:
    path = change.path
    state = without(final, path) if change.kind == "added" else put(final, path, change.before)
    return Mutant("put back", path, change.after, change.before, state)


def _other_fields(path: Path, value: Any, solved: Solved, records: Records) -> Iterator[Mutant]:
    """Give the fields below a path other values, those left out that differ between equal solutions."""
    if path in solved.exempt or records.is_key(path) or (len(path) == 3 and value == path[1]):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _other_fields((*path, key), item, solved, records)
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield from _other_fields((*path, index), item, solved, records)
    target = records.target(path)
    if target is not None and isinstance(value, str):
        kind, others = "swapped reference", neighbours(list(solved.final.get(target, ())), value)
    else:
        kind, others = "other value", other_values(value, records.schema(path), _siblings(solved.final, path))
    for other in islice(others, _OTHERS):
        yield Mutant(kind, path, value, other, put(solved.final, path, other))


def _siblings(state: Mapping[str, Any], path: Path) -> list[Any]:
    """Return the values at the same place in the other records, nearest first."""
    if len(path) < 3:
        return []
    table = value_at(state, path[:1])
    found = []
    for key in neighbours(list(table), str(path[1])):
        try:
            found.append(value_at(table[key], path[2:]))
        except (KeyError, IndexError, TypeError):  # a record of another form
            continue
    return found


def _untouched(path: Path, solved: Solved) -> list[str]:
    """Return the keys of the nearest records of the same kind that the solution leaves as they are."""
    table = tables(solved.final).get(str(path[0]), {})
    old = solved.initial.get(str(path[0]), {})
    kept = [key for key in neighbours([*table], str(path[1])) if key in old and old[key] == table[key]]
    return kept[:_NEIGHBOURS]


def _neighbour_removed(path: Path, solved: Solved) -> Iterator[Mutant]:
    kept = put(solved.final, path, value_at(solved.initial, path))
    for key in _untouched(path, solved):
        other = (path[0], key)
        yield Mutant("neighbour removed instead", path, None, key, without(kept, other))


def _neighbour_changed(path: Path, changes: Sequence[Change], solved: Solved) -> Iterator[Mutant]:
    if len(path) < 2 or len(changes[0].path) < 3:
        return
    kept = put(solved.final, path, value_at(solved.initial, path))
    for key in _untouched(path, solved):
        record = kept[path[0]][key]
        for change in changes:
            record = _applied(record, change)
        if not same(record, kept[path[0]][key]):
            mutated = put(kept, (path[0], key), record)
            yield Mutant("neighbour changed instead", path, path[1], key, mutated)


def _applied(record: Any, change: Change) -> Any:
    inner = change.path[2:]
    try:
        return without(record, inner) if change.kind == "removed" else put(record, inner, change.after)
    except (KeyError, IndexError, TypeError):  # a record of another form
        return record


def _indistinguishable(mutant: Mutant, solved: Solved) -> bool:
    """Return whether a mutant is the solved state once more, with two made-up keys exchanged."""
    right, wrong = mutant.right, mutant.wrong
    if mutant.kind != "swapped reference" or not {right, wrong} <= set(solved.generated):
        return False
    return canonical_json(rename(mutant.state, {right: wrong, wrong: right})) == canonical_json(solved.final)
