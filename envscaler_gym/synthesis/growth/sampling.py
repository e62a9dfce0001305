"""Sampling chains of calls that change the state, by making them: what is refused is not part of a chain."""

from __future__ import annotations

import datetime
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from envscaler_gym.state import Change
from envscaler_gym.synthesis.graph.arguments import Situation, draw_arguments
from envscaler_gym.synthesis.graph.changes import changed_fields, changes_between, is_new, record_of
from envscaler_gym.synthesis.graph.figures import Figures
from envscaler_gym.synthesis.graph.lab import Lab, Reply
from envscaler_gym.synthesis.graph.literals import Literals
from envscaler_gym.synthesis.graph.model import ToolGraph
from envscaler_gym.synthesis.graph.slots import named_records
from envscaler_gym.synthesis.graph.tables import Record, records_of
from envscaler_gym.synthesis.growth.chain import Step
from envscaler_gym.synthesis.growth.look_ups import shows
from envscaler_gym.types import JSON

__all__ = ["ChainSampler"]

_TRIES = 14  # drawings of one tool's arguments
_TOOLS = 9  # tools that are tried for one step
_UNDOING = frozenset({
    "cancel", "delete", "remove", "void", "undo", "revoke", "withdraw", "revert", "unassign", "lost", "return",
    "reject", "decline", "dismiss", "no",
})  # fmt: skip
_UNDONE = frozenset({"suspended", "blocked", "cancelled", "inactive", "deactivated", "banned", "withdrawn", "archived"})
"""Words in tools and values in arguments that take back what was done to a record."""


class ChainSampler:
    """Extends chains in a world, one successful step after the other.

    Args:
        graph: The tools.
        literals: Values for their arguments.
        lab: The world.
        uses: How often each tool was used before, so that all get their turn.
    """

    def __init__(self, graph: ToolGraph, literals: Literals, lab: Lab, uses: Counter[str]) -> None:
        self._graph, self._literals, self._lab, self._uses = graph, literals, lab, uses

    def extend(
        self,
        start: Mapping[str, Any],
        now: datetime.datetime,
        chain: Sequence[Step],
        goal: Sequence[Step],
        allowed: Callable[[Record], bool],
        rng: random.Random,
    ) -> Step | None:
        """Make one more step where the world stands, which is moved on by it.

        Args:
            start: The start state.
            now: The present.
            chain: All steps so far.
            goal: Those of them that the step continues; empty for the first of a new goal.
            allowed: Whether a record of the start state may be used.
            rng: Random source.

        Returns:
            The step; ``None`` where nothing succeeded, with the world where it was.
        """
        before, state = self._lab.mark(), self._lab.state()
        figures = Figures(self._graph.bundle, self._graph.tables, self._graph.slots, self._lab, state)
        focus = tuple(dict.fromkeys(r for step in goal for r in (*step.records, *step.touched, *step.created)))
        situation = Situation(state, now, focus, self._filter(chain, goal, allowed), figures.of)
        for tool in self._order(goal, rng):
            slots = self._graph.slots[tool]
            for _ in range(_TRIES):
                arguments = draw_arguments(
                    self._graph.bundle, tool, slots, self._graph.tables, self._literals, situation, rng
                )
                if arguments is None:
                    continue
                records = named_records(slots, arguments, state)
                if _repeats(tool, arguments, records, chain) or (goal and not set(focus).intersection(records)):
                    continue
                reply = self._lab.call(tool, arguments)
                if not reply.success:
                    continue
                step = self._step(Step(tool, arguments, records), reply, start, state, chain)
                self._lab.back(before)
                if step is not None and not self._is_churn(step, goal):
                    self._uses[tool] += 1
                    return self._bare(step)
        return None

    def _filter(
        self, chain: Sequence[Step], goal: Sequence[Step], allowed: Callable[[Record], bool]
    ) -> Callable[[Record], bool]:
        """Return whether a record may be named: new ones in their own goal, where a result has shown their keys."""
        created = {record for step in goal for record in step.created}
        shown = {record for step in goal for record in step.shown}
        others = [step for step in chain if step not in goal]
        spent = {record for step in others for record in (*step.created, *step.touched)}

        def usable(record: Record) -> bool:
            if record in created:  # where keys are drawn at random, the solution cannot name a new one
                return record in shown and record[0] not in self._graph.learnt.random_keys
            return record not in spent and allowed(record)

        return usable

    def _is_churn(self, step: Step, goal: Sequence[Step]) -> bool:
        """Return whether a step only gives a new record what it could have been made with."""
        if step.created or any(earlier.tool in self._graph.learnt.enables.get(step.tool, {}) for earlier in goal):
            return False
        given = {(*record, name) for earlier in goal for record in earlier.created for name in earlier.arguments}
        made = {record for earlier in goal for record in earlier.created}
        return made.issuperset(step.touched) and not given.isdisjoint(step.fields)

    def _bare(self, step: Step) -> Step:
        """Make a step without the optional arguments that make no difference, and return it."""
        before = self._lab.mark()
        reply, arguments = self._lab.call(step.tool, step.arguments), dict(step.arguments)
        wanted = self._lab.state()
        required = {slot.path[0] for slot in self._graph.slots[step.tool] if slot.required}
        for name in [name for name in arguments if name not in required]:
            fewer = {other: value for other, value in arguments.items() if other != name}
            self._lab.back(before)
            if self._lab.call(step.tool, fewer) == reply and self._lab.state() == wanted:
                arguments = fewer
        self._lab.back(before)
        self._lab.call(step.tool, arguments)
        records = tuple(r for r in step.records if r in named_records(self._graph.slots[step.tool], arguments, wanted))
        return step._replace(arguments=arguments, records=records)

    def _order(self, goal: Sequence[Step], rng: random.Random) -> list[str]:
        """Return the tools to try: the first of a goal by how seldom it was used, the others by what they depend on."""
        fresh = {tool: 1 / (1 + self._uses[tool]) for tool in self._graph.changes}
        weights = dict(fresh)
        if goal:
            weights = dict.fromkeys(self._graph.changes, 0.0)
            for place, step in enumerate(reversed(goal)):
                for tool, weight in self._graph.followers(step.tool).items():
                    weights[tool] = max(weights[tool], weight / (1 + place) * (0.5 + fresh[tool]))
        keyed = [(rng.random() ** (1 / weight), tool) for tool, weight in weights.items() if weight > 0]
        return [tool for _, tool in sorted(keyed, reverse=True)][:_TOOLS]  # Efraimidis and Spirakis, 2006

    def _step(
        self, step: Step, reply: Reply, start: Mapping[str, Any], before: Mapping[str, Any], chain: Sequence[Step]
    ) -> Step | None:
        """Return a step with what it did, unless that is nothing, or takes back what the chain had changed."""
        after = self._lab.state()
        changes = changes_between(before, after, self._graph.tables)
        if not changes:
            return None
        kept = changed_fields(start, after, self._graph.tables)
        fields = tuple(sorted(changed_fields(before, after, self._graph.tables)))
        for path in (path for fields_of in (fields, *(earlier.fields for earlier in chain)) for path in fields_of):
            if path not in kept and path[:2] not in kept:  # a new record is kept as a whole
                return None
        if any(self._overwrites(earlier, step.tool, changes) for earlier in chain):
            return None
        created = tuple(record_of(change) for change in changes if is_new(change))
        if any(key in records_of(start, table) for table, key in created):
            return None  # the key of a record that the chain has removed: nobody could tell the two apart
        touched = dict.fromkeys(record_of(change) for change in changes if not is_new(change))
        shown = tuple(record for record in created if shows(reply.text, record[1]))
        return step._replace(created=created, shown=shown, touched=tuple(touched), fields=fields)

    def _overwrites(self, earlier: Step, tool: str, changes: Sequence[Change]) -> bool:
        """Return whether a step puts another value where an earlier one has put its own, and did not need it there."""
        if earlier.tool in self._graph.learnt.enables.get(tool, {}):
            return False
        return any(
            change.path[:3] in earlier.fields and isinstance(change.after, str | bool | list) for change in changes
        )


def _repeats(tool: str, arguments: Mapping[str, JSON], records: Sequence[Record], chain: Sequence[Step]) -> bool:
    """Return whether a call does again, or undoes, what the chain has done to a record."""
    for step in chain:
        changed = {*step.created, *step.touched}.intersection(records)
        if step.tool == tool and (changed or not records or not step.records or {*records} == {*step.records}):
            return True
        given = [value for value in arguments.values() if isinstance(value, str)]
        undoes = not _UNDOING.isdisjoint(tool.split("_")) or not _UNDONE.isdisjoint(given)
        if undoes and (changed or set(records).intersection(step.records)):
            return True
    return False
