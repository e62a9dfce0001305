"""Finding the calls by which an agent gets from what the task says to the ids that its calls need."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import Any

from envscaler_gym.scenario import SolutionCall
from envscaler_gym.synthesis.graph.lab import Lab
from envscaler_gym.synthesis.graph.literals import DATE
from envscaler_gym.synthesis.graph.model import ToolGraph
from envscaler_gym.synthesis.graph.slots import Slot
from envscaler_gym.synthesis.graph.tables import Record, Table, records_of
from envscaler_gym.types import JSON

__all__ = ["LookUps"]

_DEPTH = 2  # look-ups that a look-up may need before it
_SAMPLE = 6  # records of a table that are tried to see whether any can be found
_COMBINATIONS = 24  # arguments that are tried of one tool for one record
_CALL = 1500  # characters of a result that one call less is worth
_UNSAID = 6000  # what it costs to filter by something that the task does not say


class LookUps:
    """Routes to the records of a start state, each found once.

    Attributes:
        stated: Tables whose keys a task has to say, since no tool shows them to somebody who knows none.

    Args:
        graph: The tools.
        lab: A world; it is put to the start state.
        state: The start state.
        clock: Its time.
    """

    def __init__(self, graph: ToolGraph, lab: Lab, state: Mapping[str, Any], clock: str) -> None:
        self._graph, self._lab, self._state, self._clock = graph, lab, state, clock
        self._replies: dict[str, str] = {}
        self._routes: dict[tuple[Record, int], tuple[SolutionCall, ...] | None] = {}
        self.stated: set[str] = set()
        self._state_unreachable()

    def _state_unreachable(self) -> None:
        """Find the tables whose keys a task has to say, those that refer to no others first."""
        while True:
            missing = [table for table in self._graph.tables.values() if not self._is_reachable(table)]
            if not missing:
                return
            names = {table.name for table in missing}
            roots = [table for table in missing if not names.intersection(table.references.values())]
            self.stated.add((roots or missing)[0].name)
            self._routes.clear()

    def _is_reachable(self, table: Table) -> bool:
        keys = list(islice(records_of(self._state, table.name), _SAMPLE))
        return not keys or any(self.route((table.name, key)) is not None for key in keys)

    def is_known(self, record: Record) -> bool:
        """Return whether a task says the key itself."""
        table = self._graph.tables[record[0]]
        return table.name in self.stated or (table.known_key and not table.names)

    def route(self, record: Record, depth: int = _DEPTH) -> tuple[SolutionCall, ...] | None:
        """Return the calls whose last result shows a record's key, given what a person knows of it.

        Returns:
            The calls, none for a key that people know; ``None`` where no route was found.
        """
        if self.is_known(record):
            return ()
        if (record, depth) not in self._routes:
            self._routes[record, depth] = None  # no route through itself
            self._routes[record, depth] = self._find(record, depth)
        return self._routes[record, depth]

    def _find(self, record: Record, depth: int) -> tuple[SolutionCall, ...] | None:
        best: tuple[int, tuple[SolutionCall, ...]] | None = None
        for tool in self._graph.suppliers(record[0]):
            for arguments, needed in islice(self._bindings(tool, record, depth), _COMBINATIONS):
                text = self._reply(tool, arguments)
                if not shows(text, record[1]):
                    continue
                before: dict[str, SolutionCall] = {}
                routes = [self.route(other, depth - 1) for other in needed]
                if any(route is None for route in routes):
                    continue
                for call in (call for route in routes for call in route or ()):
                    before[call.model_dump_json()] = call
                unsaid = any(slot.name in arguments and "enum" in slot.schema for slot in self._graph.slots[tool])
                cost = len(text) + _CALL * len(before) + _UNSAID * unsaid
                if best is None or cost < best[0]:
                    best = cost, (*before.values(), SolutionCall(name=tool, arguments=arguments))
        return None if best is None else best[1]

    def _bindings(self, tool: str, record: Record, depth: int) -> Iterator[tuple[dict[str, JSON], list[Record]]]:
        """Yield arguments that may lead to a record, and the records whose keys have to be known for them."""
        slots = [slot for slot in self._graph.slots[tool] if len(slot.path) == 1]
        options = {slot.name: list(self._values(slot, record, depth)) for slot in slots}
        required = [slot.name for slot in slots if slot.required]
        optional = [slot.name for slot in slots if not slot.required and options[slot.name]]
        choices = [(), *((name,) for name in optional)]
        choices += [(one, other) for place, one in enumerate(optional) for other in optional[place + 1 :]]
        for extra in choices:
            names = [*required, *extra]
            for values in product(*(options[name] for name in names)):
                yield (
                    {name: value for name, (value, _) in zip(names, values, strict=True)},
                    [needed for _, needed in values if needed is not None],
                )

    def _values(self, slot: Slot, record: Record, depth: int) -> Iterator[tuple[JSON, Record | None]]:
        own = records_of(self._state, record[0]).get(record[1], {})
        around = [record, *self._around(record, 2)]
        if slot.tables:
            for other in around[1:]:
                if other[0] in slot.tables and (depth or self.is_known(other)):
                    yield other[1], None if self.is_known(other) else other
            return
        if "enum" in slot.schema:
            if own.get(slot.name) in slot.schema["enum"]:
                yield own[slot.name], None
            elif slot.required:
                yield from ((value, None) for value in slot.schema["enum"])
            return
        if slot.schema.get("type") != "string":
            return
        if re.search(r"date|day|_on$|YYYY", f"{slot.name} {slot.schema.get('description', '')}"):
            dates = [v[:10] for v in own.values() if isinstance(v, str) and DATE.match(v)] if slot.required else []
            yield from ((day, None) for day in dict.fromkeys([*dates, self._clock[:10]] if slot.required else []))
            return
        for other in around:
            table = self._graph.tables[other[0]]
            value = records_of(self._state, other[0]).get(other[1], {})
            for name in table.names[:1]:
                yield value[name], None
            for field, item in value.items():
                if isinstance(item, str) and field not in table.names[:1] and _is_field(slot.name, field):
                    yield item, None

    def _around(self, record: Record, depth: int) -> list[Record]:
        """Return the records that a record refers to, and those that these refer to."""
        found: dict[Record, None] = {}
        value = records_of(self._state, record[0]).get(record[1], {})
        for field, to in self._graph.tables[record[0]].references.items():
            key = value.get(field)
            if isinstance(key, str) and key in records_of(self._state, to):
                found[to, key] = None
                if depth > 1:
                    found.update(dict.fromkeys(self._around((to, key), depth - 1)))
        return list(found)

    def _reply(self, tool: str, arguments: Mapping[str, JSON]) -> str:
        call = f"{tool} {json.dumps(arguments, sort_keys=True)}"
        if call not in self._replies:
            if self._lab.start is not self._state or self._lab.moved:
                self._lab.load(self._state, self._clock, "look-ups")
            reply = self._lab.call(tool, arguments)
            self._replies[call] = reply.text if reply.success else ""
        return self._replies[call]


def _is_field(parameter: str, field: str) -> bool:
    """Return whether a parameter's name means a field: ``"equipment_type"`` means ``"type"``."""
    return parameter == field or parameter.endswith(f"_{field}") or field.endswith(f"_{parameter}")


def shows(text: str, key: str) -> bool:
    """Return whether a result shows a key as a value of its own."""
    return json.dumps(key, ensure_ascii=False) in text
