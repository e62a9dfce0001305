"""Corruptions: states with something in them that may break a rule.

They keep to the declared types where that leaves a choice. The simple ones come first, one of every kind before the
second of any; then those that change all records of a kind alike, and those that change two things at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from envscaler_gym.errors import shorten
from envscaler_gym.quality.scenarios.edits import Path, fresh_key, put, show_path, value_at, without
from envscaler_gym.quality.scenarios.plausible import moved, neighbours, other_values, same
from envscaler_gym.quality.scenarios.records import Records, tables
from envscaler_gym.types import JSON

__all__ = ["Corruption", "double_corruptions", "simple_corruptions"]

_COPIES = 5  # of a record, for limits on how many there may be
_TARGETS = 3  # records that all others are made to refer to
_VALUES = 4  # records that a reference is changed to
_FEW = 2  # plausible values of a field, and as many others, in corruptions of two things
_NOBODY = "nobody"
_T = TypeVar("_T")


class Corruption(NamedTuple):
    """A corrupted state.

    Attributes:
        what: What was done, in a line.
        state: The state.
    """

    what: str
    state: Mapping[str, Any]


def simple_corruptions(state: Mapping[str, Any], records: Records) -> Iterator[Corruption]:
    """Yield states with one corrupted value or record, and with all records of a kind corrupted alike.

    Args:
        state: The state; not modified.
        records: What is known of the bundle's records.
    """
    streams: list[Iterator[Corruption]] = []
    for name, table in tables(state).items():
        streams += [_changed(state, name, field, records) for field in _fields(table)]
        streams += [
            _lost(state, name),
            _wrong_keys(state, name, records),
            _repeated(state, name, records),
            _alike(state, name, records),
        ]
    streams += [_attribute(state, name, records) for name in state if name not in tables(state)]
    return _in_turn(streams)


def double_corruptions(state: Mapping[str, Any], records: Records) -> Iterator[Corruption]:
    """Yield states with two corrupted values: in one record, or in a record and one that it refers to.

    Args:
        state: The state; not modified.
        records: What is known of the bundle's records.
    """
    streams: list[Iterator[Corruption]] = []
    for name, table in tables(state).items():
        fields = _fields(table)
        for number, field in enumerate(fields):
            streams += [_both(state, name, field, other, records) for other in fields[number + 1 :]]
            target = records.target((name, "", field))
            if target in tables(state):
                streams += [
                    _with_referred(state, (name, own), (field, target, foreign), records)
                    for own in fields
                    for foreign in _fields(state[target])
                ]
    return _in_turn(streams)


def _in_turn(streams: Sequence[Iterator[_T]]) -> Iterator[_T]:
    """Yield one item of each stream, then the second of each, and so on."""
    while streams:
        left = []
        for stream in streams:
            for item in islice(stream, 1):
                yield item
                left.append(stream)
        streams = left


def _diagonal(rows: Sequence[str], count: int) -> Iterator[tuple[str, int]]:
    """Yield rows with numbers below ``count``, neither all rows before the second number nor the other way round."""
    for total in range(len(rows) + count - 1):
        for number in range(max(0, total - len(rows) + 1), min(count, total + 1)):
            yield rows[total - number], number


def _fields(table: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(field for record in table.values() for field in record))


def _changed(state: Mapping[str, Any], name: str, field: str, records: Records) -> Iterator[Corruption]:
    rows = [key for key, record in state[name].items() if field in record]
    values = {key: _values(state, (name, key, field), records) for key in rows}
    for key, number in _diagonal(rows, max(map(len, values.values()), default=0)):
        if number < len(values[key]):
            yield _put(state, (name, key, field), values[key][number])


def _put(state: Mapping[str, Any], path: Path, value: JSON) -> Corruption:
    return Corruption(f"{show_path(path)} = {shorten(value)}", put(state, path, value))


def _values(state: Mapping[str, Any], path: Path, records: Records) -> list[JSON]:
    """List other values for a field: plausible ones, and those at the ends of what its type allows."""
    value = value_at(state, path)
    target = records.target(path)
    if target is not None and isinstance(value, str):
        found: list[JSON] = [*neighbours(list(state.get(target, ())), value)[:_VALUES], _NOBODY]
    else:
        found = other_values(value, records.schema(path), _elsewhere(state, path))[: 2 * _VALUES]
    return [*found, *(extreme for extreme in _extremes(value) if not any(same(extreme, other) for other in found))]


def _elsewhere(state: Mapping[str, Any], path: Path) -> list[JSON]:
    """Return the values of the same field in the other records, nearest first."""
    if len(path) < 3:
        return []
    table, (_, key, field) = value_at(state, path[:1]), path
    return [table[other][field] for other in neighbours(list(table), str(key)) if field in table[other]]


def _few(values: list[JSON]) -> list[JSON]:
    """Return the most plausible values, and those that come after all plausible ones."""
    return values[:_FEW] + values[max(_FEW, len(values) - _FEW) :]


def _extremes(value: JSON) -> list[JSON]:
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int | float):
        return [number for number in (10**6, -value, -1, 0) if number != value]
    if isinstance(value, str):
        dates = [date for days in (30, -30, 400, -400) if (date := moved(value, days)) is not None]
        return [*dates, _NOBODY, "", value.swapcase()]
    if isinstance(value, list):
        return [[], [*value, *value], [*value, _NOBODY]]
    return []


def _lost(state: Mapping[str, Any], name: str) -> Iterator[Corruption]:
    for key in state[name]:
        yield Corruption(f"{show_path((name, key))} is gone", without(state, (name, key)))
    yield Corruption(f"{name} is empty", put(state, (name,), {}))


def _wrong_keys(state: Mapping[str, Any], name: str, records: Records) -> Iterator[Corruption]:
    field = records.entity(name).key
    fresh = fresh_key("X-1", str(state))
    for key, record in state[name].items():
        moved_away = put(without(state, (name, key)), (name, fresh), record)
        yield Corruption(f"{show_path((name, key))} is stored under {fresh!r}", moved_away)
        if field is not None and field in record:
            yield _put(state, (name, key, field), fresh)


def _repeated(state: Mapping[str, Any], name: str, records: Records) -> Iterator[Corruption]:
    field = records.entity(name).key
    for key, record in state[name].items():
        copies = {f"{key}-{number}": dict(record) for number in range(1, _COPIES)}
        for fresh, copy in copies.items():
            if field in copy:
                copy[field] = fresh
        first = dict(islice(copies.items(), 1))
        yield Corruption(f"{show_path((name, key))} is there twice", put(state, (name,), {**state[name], **first}))
        several = put(state, (name,), {**state[name], **copies})
        yield Corruption(f"{show_path((name, key))} is there {_COPIES} times", several)


def _alike(state: Mapping[str, Any], name: str, records: Records) -> Iterator[Corruption]:
    """Give all records of a kind the same reference, the same choice of a few, or both."""
    table = state[name]
    references = _shared(state, name, records, references=True)
    choices = _shared(state, name, records, references=False)
    both = [{**one, **other} for one in references for other in choices]
    for changes in (*references, *choices, *both):
        said = ", ".join(f"{field} = {shorten(value)}" for field, value in changes.items())
        records_alike = {key: {**record, **changes} for key, record in table.items()}
        yield Corruption(f"all {name}: {said}", put(state, (name,), records_alike))


def _shared(state: Mapping[str, Any], name: str, records: Records, *, references: bool) -> list[dict[str, JSON]]:
    """List single fields with values that all records of a kind could have."""
    found: list[dict[str, JSON]] = []
    key = next(iter(state[name]))
    for field, value in state[name][key].items():
        path = (name, key, field)
        target = records.target(path)
        if references and target is not None and not isinstance(value, list | dict):
            found += [{field: other} for other in islice(state.get(target, ()), _TARGETS)]
        few = isinstance(value, bool) or "enum" in records.schema(path)
        if not references and target is None and few:
            found += [{field: other} for other in (value, *other_values(value, records.schema(path), ()))]
    return found


def _attribute(state: Mapping[str, Any], name: str, records: Records) -> Iterator[Corruption]:
    for value in _values(state, (name,), records):
        yield _put(state, (name,), value)
    yield Corruption(f"{name} is gone", without(state, (name,)))


def _both(state: Mapping[str, Any], name: str, field: str, other: str, records: Records) -> Iterator[Corruption]:
    for key, record in state[name].items():
        if field in record and other in record:
            yield from _twice(state, (name, key, field), (name, key, other), records)


def _with_referred(
    state: Mapping[str, Any], own: tuple[str, str], link: tuple[str, str, str], records: Records
) -> Iterator[Corruption]:
    (name, field), (reference, target, foreign) = own, link
    for key, record in state[name].items():
        referred = record.get(reference)
        if field in record and isinstance(referred, str) and foreign in state[target].get(referred, ()):
            yield from _twice(state, (name, key, field), (target, referred, foreign), records)


def _twice(state: Mapping[str, Any], one: Path, other: Path, records: Records) -> Iterator[Corruption]:
    for value in _few(_values(state, one, records)):
        half = _put(state, one, value)
        for second in _few(_values(half.state, other, records)):
            whole = _put(half.state, other, second)
            yield Corruption(f"{half.what}, {whole.what}", whole.state)
