"""Calls in a person's words: by the manifest's phrases where they fit, else by what tools and parameters are called."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

from envscaler_gym.synthesis.graph.model import ToolGraph
from envscaler_gym.synthesis.graph.slots import EACH, Slot
from envscaler_gym.synthesis.graph.tables import Record, records_of
from envscaler_gym.synthesis.growth.chain import Step
from envscaler_gym.synthesis.growth.facts import says
from envscaler_gym.synthesis.growth.naming import Naming
from envscaler_gym.synthesis.growth.saying import Currency, join_words, say
from envscaler_gym.synthesis.growth.templates import render
from envscaler_gym.synthesis.growth.unphrased import Part, say_by_name
from envscaler_gym.types import JSON

__all__ = ["Wording"]

_ORDINALS = ("first", "second", "third", "fourth")


class Wording:
    """Says the steps of one chain. A record's name is full where it is first mentioned in a goal.

    Attributes:
        facts: Names of records and values that were said, in order.

    Args:
        graph: The tools.
        naming: Names of the records of the start state.
        final: The state after the chain.
        currency: What amounts are called.
        rng: Chooses between phrases that fit.
    """

    def __init__(
        self, graph: ToolGraph, naming: Naming, final: Mapping[str, Any], currency: Currency, rng: random.Random
    ) -> None:
        self._graph, self._naming, self._final = graph, naming, final
        self._currency, self._rng = currency, rng
        self._phrases = {entry.name: entry.phrases for entry in graph.bundle.manifest.tools}
        self._slots = {
            (tool, tuple(p for p in slot.path if p != EACH)): slot for tool in graph.slots for slot in graph.slots[tool]
        }
        self._created: list[Record] = []
        self._mentioned: list[Record] = []
        self.facts: dict[str, None] = {}

    def goal(self, steps: Sequence[Step]) -> list[str]:
        """Return a clause in the imperative for each step of a goal."""
        self._mentioned, self._created = [], []
        clauses = []
        for step in steps:
            known = dict(self.facts)
            clauses.append(_with_an(self._clause(step)))
            # What was said in a part of a phrase that was left out in the end is no fact.
            self.facts = {fact: None for fact in self.facts if fact in known or says(clauses[-1], fact)}
            self._created += [record for record in step.created if record not in self._created]
        return clauses

    def _clause(self, step: Step) -> str:
        fitting = [
            phrase
            for phrase in self._phrases[step.tool]
            if render(phrase, step.arguments, lambda path, value: f"{path}{value}") is not None
        ]
        if fitting:
            said = render(
                self._rng.choice(fitting), step.arguments, lambda path, value: self._value(step.tool, path, value)
            )
            return said or ""
        return say_by_name(step.tool, [self._part(step.tool, name, value) for name, value in step.arguments.items()])

    def _part(self, tool: str, name: str, value: JSON) -> Part:
        slot = self._slots.get((tool, (name,)))
        tables = [self._graph.tables[table] for table in slot.tables] if slot is not None else []
        return Part(name, self._value(tool, (name,), value), tables[0].noun if tables else "", isinstance(value, list))

    def _value(self, tool: str, path: tuple[str, ...], value: JSON) -> str:
        slot = self._slots.get((tool, path))
        if isinstance(value, list) and slot is not None:
            return join_words([self._value(tool, path, item) for item in value]) if value else "none"
        if slot is not None and slot.tables and isinstance(value, str):
            return self._record(slot, value)
        text = say(path[-1], value, self._currency)
        self.facts[text] = None
        return text

    def _record(self, slot: Slot, key: str) -> str:
        created = [record for record in self._created if record[1] == key and record[0] in slot.tables]
        if created:
            return self._new(created[0])
        record = next(((t, key) for t in slot.tables if self._naming.full((t, key))), (slot.tables[0], key))
        if record in self._mentioned:
            return self._again(record)
        name = self._naming.full(record) or self._naming.short(record)
        self._mentioned += [record, *self._naming.inside(record, name)]
        self.facts[name] = None
        return name

    def _again(self, record: Record) -> str:
        """Name a record for the second time."""
        table = self._graph.tables[record[0]]
        if table.names or table.known_key:
            return re.sub(r" \([^()]*\)$", "", self._naming.short(record))
        others = {one for one in self._mentioned if one[0] == record[0]}
        return f"that {table.noun}" if others == {record} else self._naming.full(record) or ""

    def _new(self, record: Record) -> str:
        """Name a record that the goal has made: by the name that it was given, or as the new one."""
        table = self._graph.tables[record[0]]
        value = records_of(self._final, record[0]).get(record[1], {})
        given = value.get(table.names[0]) if table.names else None
        if isinstance(given, str) and (given in self.facts or f'"{given}"' in self.facts):
            return given if table.person else f'the new {table.noun} "{given}"'
        alike = [one for one in self._created if one[0] == record[0]]
        if len(alike) == 1:
            return f"the new {table.noun}"
        return f"the {_ORDINALS[min(alike.index(record), len(_ORDINALS) - 1)]} new {table.noun}"


def _with_an(text: str) -> str:
    """Write ``an`` before a vowel."""
    return re.sub(r"\b([Aa]) (?=[aeioAEIO])(?!one\b|once\b|euro)", r"\1n ", text)
