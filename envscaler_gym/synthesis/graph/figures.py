"""The numbers that look-ups show of a record: what is owed on it, what it costs, how much of it there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envscaler_gym.bundle import Bundle
from envscaler_gym.synthesis.graph.lab import Lab
from envscaler_gym.synthesis.graph.slots import Slot
from envscaler_gym.synthesis.graph.tables import Record, Tables, records_of
from envscaler_gym.types import JSON

__all__ = ["Figures"]


class Figures:
    """Reads numbers off a world that stands still, each record's once.

    Args:
        bundle: The bundle.
        tables: Its tables.
        slots: The slots of its tools.
        lab: The world.
        state: Its state.
    """

    def __init__(
        self,
        bundle: Bundle,
        tables: Tables,
        slots: Mapping[str, Sequence[Slot]],
        lab: Lab,
        state: Mapping[str, Any],
    ) -> None:
        self._tables, self._lab, self._state = tables, lab, state
        self._readers = {
            table: tuple(_readers(bundle, slots, table)) for table in tables
        }  # tools that need nothing but the key
        self._known: dict[Record, dict[str, float]] = {}

    def of(self, record: Record) -> dict[str, float]:
        """Return the numbers of a record, by the name under which they are shown."""
        if record not in self._known:
            self._known[record] = dict(self._read(record))
        return self._known[record]

    def _read(self, record: Record) -> Iterator[tuple[str, float]]:
        table, key = record
        value = records_of(self._state, table).get(key, {})
        holders = [(table, key)]
        if not self._readers[table]:
            holders = [
                (to, value[f]) for f, to in self._tables[table].references.items() if isinstance(value.get(f), str)
            ]
        for holder, holder_key in holders:
            for tool, parameter in self._readers[holder]:
                reply = self._lab.call(tool, {parameter: holder_key})
                data = reply.value.get("data") if reply.success and isinstance(reply.value, dict) else None
                if isinstance(data, dict) and holder == table:
                    yield from _numbers(data)
                yield from _beside(data, key)
        yield from _numbers(value)


def _readers(bundle: Bundle, slots: Mapping[str, Sequence[Slot]], table: str) -> Iterator[tuple[str, str]]:
    for name, tool in bundle.tools.items():
        if tool.kind == "query":
            required = [slot for slot in slots[name] if slot.required]
            keyed = [slot for slot in slots[name] if table in slot.tables and len(slot.path) == 1]
            if keyed and (not required or required == keyed[:1]):
                yield name, keyed[0].name


def _beside(value: JSON, key: str) -> Iterator[tuple[str, float]]:
    """Yield the numbers that stand in the same object as a key."""
    if isinstance(value, dict):
        if key in [item for item in value.values() if isinstance(item, str)]:
            yield from _numbers(value)
        for item in value.values():
            yield from _beside(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _beside(item, key)


def _numbers(value: JSON) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for name, item in value.items():
            if isinstance(item, int | float) and not isinstance(item, bool):
                yield name, item
