"""Arguments drawn so that many calls succeed: keys of records that belong together, values that fit."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from envscaler_gym.bundle import Bundle
from envscaler_gym.synthesis.graph.literals import DATE, MONEY, Literals, Newcomer, is_prose
from envscaler_gym.synthesis.graph.slots import EACH, Slot, without_null
from envscaler_gym.synthesis.graph.tables import Record, Tables, records_of
from envscaler_gym.types import JSON

__all__ = ["Situation", "draw_arguments", "related"]

_OPTIONAL = 0.4
_MOST_ITEMS = 3
_LIKENESS = 0.8
_CHOICES = 8


class Situation(NamedTuple):
    """What is known where a call is drawn.

    Attributes:
        state: The state.
        now: The present.
        focus: Records that it is about, the latest last.
        allowed: Whether a record may be used.
        figures: Numbers that look-ups show of a record, by what they are called.
    """

    state: Mapping[str, Any]
    now: datetime.datetime
    focus: tuple[Record, ...]
    allowed: Callable[[Record], bool]
    figures: Callable[[Record], Mapping[str, float]]


def draw_arguments(
    bundle: Bundle,
    tool: str,
    slots: Sequence[Slot],
    tables: Tables,
    literals: Literals,
    situation: Situation,
    rng: random.Random,
) -> dict[str, JSON] | None:
    """Draw arguments for a call.

    Args:
        bundle: The bundle.
        tool: Name of the tool.
        slots: Its slots.
        tables: The bundle's tables.
        literals: The values of its states.
        situation: Where the call is to be made.
        rng: Random source.

    Returns:
        The arguments; ``None`` where a record is needed and there is none.
    """
    searching = bundle.tools[tool].kind == "query"
    draw = _Draw({slot.path: slot for slot in slots}, tables, literals, situation, rng, searching=searching)
    try:
        return draw.object(bundle.tools[tool].spec.parameters, ())
    except _NoRecord:
        return None


def related(state: Mapping[str, Any], tables: Tables, table: str, focus: Sequence[Record]) -> list[Record]:
    """Return the records of a table that refer to one of the focus, or are referred to by one, in their order."""
    wanted: dict[str, set[str]] = {}
    pointed: set[str] = set()
    for name, key in focus:
        wanted.setdefault(name, set()).add(key)
        record = records_of(state, name).get(key, {})
        pointed.update(
            one for field, to in tables[name].references.items() if to == table for one in _keys(record.get(field))
        )
    fields = [(field, wanted[to]) for field, to in tables[table].references.items() if to in wanted]
    return [
        (table, key)
        for key, record in records_of(state, table).items()
        if key in pointed or any(keys.intersection(_keys(record.get(field))) for field, keys in fields)
    ]


def _keys(value: JSON) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str):
            yield one


class _NoRecord(Exception):
    """A key is needed of a table that has no record to offer."""


class _Draw:
    """One drawing of the arguments of one call."""

    def __init__(
        self,
        slots: Mapping[tuple[str, ...], Slot],
        tables: Tables,
        literals: Literals,
        situation: Situation,
        rng: random.Random,
        *,
        searching: bool,
    ) -> None:
        self._searching = searching
        self._slots, self._tables, self._literals, self._rng = slots, tables, literals, rng
        self._situation, self._now = situation, situation.now
        self._chosen: list[Record] = []
        self._newcomer = Newcomer(rng)
        self._donor: Mapping[str, Any] = {}

    def object(self, schema: Mapping[str, JSON], path: tuple[str, ...]) -> dict[str, JSON]:
        """Draw an object; keys before values of their own, since what is drawn of a record depends on it."""
        properties = schema.get("properties", {})
        required = schema.get("required", ())
        self._donor = self._choose_donor(properties, path)
        given = [name for name in properties if name in required or self._gives(name, properties[name])]
        drawn = {name: self._value(properties[name], (*path, name)) for name in sorted(given, key=self._order(path))}
        return {name: drawn[name] for name in properties if name in drawn}

    def _order(self, path: tuple[str, ...]) -> Callable[[str], bool]:
        return lambda name: not self._holds_keys((*path, name))

    def _holds_keys(self, path: tuple[str, ...]) -> bool:
        return any(slot.tables for at, slot in self._slots.items() if at[: len(path)] == path)

    def _gives(self, name: str, schema: Mapping[str, JSON]) -> bool:
        """Return whether an optional argument is given; no note is, since what another record says fits no other."""
        if is_prose(name) and not self._searching:
            return False
        open_ended = without_null(schema).get("type") in ("object", None) and not without_null(schema).get("properties")
        return not open_ended and self._rng.random() < _OPTIONAL

    def _value(self, schema: Mapping[str, JSON], path: tuple[str, ...]) -> JSON:
        schema = without_null(schema)
        if schema.get("properties"):
            return self.object(schema, path)
        if schema.get("type") == "array" and schema.get("items"):
            return self._array(schema["items"], (*path, EACH))
        slot = self._slots.get(path) or Slot(path, schema, True, ())
        return self._key(slot) if slot.tables else self._literal(slot)

    def _array(self, items: Mapping[str, JSON], path: tuple[str, ...]) -> list[JSON]:
        count = self._rng.choice((1, 1, 2, 2, _MOST_ITEMS))
        values: list[JSON] = []
        for _ in range(count):
            try:
                value = self._value(items, path)
            except _NoRecord:
                break
            if value not in values:
                values.append(value)
        if not values:
            raise _NoRecord
        return values

    def _key(self, slot: Slot) -> str:
        table = self._rng.choice(slot.tables)
        taken = [record for record in self._chosen if slot.path.count(EACH)]
        known = records_of(self._situation.state, table)
        focus = [r for r in (*self._situation.focus, *self._chosen) if r[0] == table and r[1] in known]
        near = related(self._situation.state, self._tables, table, (*self._situation.focus, *self._chosen))
        for pool, chance in ((focus[-3:], 0.75), (near, 0.85), ([(table, key) for key in known], 1.0)):
            if pool and self._rng.random() < chance:
                for record in self._rng.sample(pool, min(len(pool), _CHOICES)):
                    if record not in taken and self._situation.allowed(record):
                        self._chosen.append(record)
                        return record[1]
        raise _NoRecord

    def _literal(self, slot: Slot) -> JSON:
        schema, rng = slot.schema, self._rng
        if "enum" in schema:
            options = schema["enum"]
            return self._donor.get(slot.name) if self._donor.get(slot.name) in options else rng.choice(options)
        if "const" in schema:
            return schema["const"]
        kind = schema.get("type")
        if kind == "boolean":
            return rng.random() < 0.7
        like = self._present(slot.name)
        if kind in ("integer", "number"):
            figures = self._situation.figures(self._chosen[-1]) if self._chosen else {}
            given = None if MONEY.search(slot.name) and figures and len(slot.path) == 1 else self._donor.get(slot.name)
            if isinstance(given, int | float) and not isinstance(given, bool) and self._takes(slot):
                return given
            return self._literals.number(slot, rng, like, figures)
        if kind == "object":
            return {}
        given = None if self._searching else self._donor.get(slot.name)
        if isinstance(given, str) and given and self._takes(slot):
            return given
        text = self._literals.text(
            slot, rng, self._newcomer, self._now, like, self._tables_so_far(), searching=self._searching
        )
        if DATE.match(text):  # what a call says next comes no earlier
            self._now = max(self._now, datetime.datetime.fromisoformat(text[:10]))
        return text

    def _takes(self, slot: Slot) -> bool:
        """Return whether a value of the chosen record is taken over; always so in a list of objects."""
        return len(slot.path) > 1 or self._rng.random() < _LIKENESS

    def _tables_so_far(self) -> list[str]:
        return list(dict.fromkeys(table for table, _ in self._chosen))

    def _present(self, name: str) -> JSON:
        """Return what a chosen record has in the field that a parameter's name means."""
        for table, key in reversed(self._chosen):
            record = records_of(self._situation.state, table).get(key, {})
            for field in (name, name.removeprefix("new_")):
                if isinstance(record, dict) and field in record:
                    return record[field]
        return None

    def _choose_donor(self, properties: Mapping[str, JSON], path: tuple[str, ...]) -> Mapping[str, Any]:
        """Return values of a record that has several of the fields, so that they go together; none is a time."""
        own = [name for name in properties if not self._holds_keys((*path, name))]
        choices = {
            name: without_null(properties[name])["enum"] for name in own if "enum" in without_null(properties[name])
        }
        donors = [
            record
            for table in self._tables.values()
            for record in records_of(self._situation.state, table.name).values()
            if len([name for name in own if name in record]) > 1
            and not (table.person and not path)
            and all(record[name] in allowed for name, allowed in choices.items() if name in record)
        ]
        if not donors:
            return {}
        donor = self._rng.choice(donors)
        names_of = {field for table in self._tables.values() for field in table.names}
        return {
            name: donor[name]
            for name in own
            if name in donor and name not in names_of and not (isinstance(donor[name], str) and DATE.match(donor[name]))
        }
