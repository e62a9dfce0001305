"""Learning how tools depend on each other, by executing them.

A value of one tool's result flows into a parameter of another when calls with that value succeed. One call enables
another when the same call is refused before it and succeeds after it. Nothing is believed for its name alone: names
and source only say what is worth trying.
"""

from __future__ import annotations

import datetime
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import ScenarioError
from envscaler_gym.manifest import Effects, ToolDependencies
from envscaler_gym.scenario import DEFAULT_CLOCK, Scenario, StartState
from envscaler_gym.state import Change
from envscaler_gym.synthesis.graph.arguments import Situation, draw_arguments
from envscaler_gym.synthesis.graph.changes import changes_between, is_new, record_of
from envscaler_gym.synthesis.graph.figures import Figures
from envscaler_gym.synthesis.graph.lab import Lab
from envscaler_gym.synthesis.graph.literals import Literals
from envscaler_gym.synthesis.graph.model import ToolGraph, digest_of_source
from envscaler_gym.synthesis.graph.slots import Slot, slots_of, values_at
from envscaler_gym.synthesis.graph.tables import Record, Tables, records_of
from envscaler_gym.types import JSON

__all__ = ["clock_of", "learn_graph", "load_graph", "shown_keys"]

_STATES = 3  # start states that calls are tried in
_TRIES = 40  # calls drawn of each tool in each of them
_SUCCESSES = 4  # successful changes of each tool after which the others are tried
_FOLLOWING = 3  # calls of each other tool that are tried then
_SOLUTIONS = 30  # reference solutions that are taken apart


def learn_graph(bundle: Bundle, *, seed: int = 0, trust: bool = False) -> ToolGraph:
    """Learn the graph of a bundle's tools from a few thousand calls in its start states.

    Args:
        bundle: The bundle; reviewed code runs in this process, other code in a worker.
        seed: Seed of the calls; equal seeds learn the same.
        trust: Treat the bundle as reviewed.

    Raises:
        ScenarioError: The bundle has no start state to try calls in.
    """
    if not bundle.start_states:
        raise ScenarioError(f"{bundle.id} has no start state, so its tools cannot be tried; add one to scenarios.jsonl")
    states = [start.state for start in bundle.start_states.values()]
    tables = Tables(bundle, states)
    with Lab(bundle, trust=trust) as lab:
        learner = _Learner(bundle, tables, Literals(tables, states), lab)
        for start in list(bundle.start_states.values())[:_STATES]:
            learner.explore(start, random.Random(f"graph/{seed}/{start.id}"))  # noqa: S311 - to be repeatable
        for scenario in [each for each in bundle.scenarios.values() if each.solution][:_SOLUTIONS]:
            learner.take_apart(scenario)
    return ToolGraph(bundle, tables, learner.learnt())


def load_graph(bundle: Bundle, *, seed: int = 0, trust: bool = False) -> ToolGraph:
    """Return the graph that the manifest holds, or learn it where it holds none of this very source."""
    saved = bundle.manifest.graph
    if saved is None or saved.source != digest_of_source(bundle):
        return learn_graph(bundle, seed=seed, trust=trust)
    return ToolGraph(bundle, Tables(bundle, [start.state for start in bundle.start_states.values()]), saved)


def clock_of(bundle: Bundle, start_state: str) -> str:
    """Return the earliest time at which a scenario begins in a start state."""
    clocks = [scenario.clock for scenario in bundle.scenarios.values() if scenario.start_state == start_state]
    return min(clocks, default=DEFAULT_CLOCK)


def shown_keys(value: JSON, keys: Mapping[str, str]) -> Iterator[Record]:
    """Yield the records whose keys stand somewhere in a value, each once.

    Args:
        value: A result.
        keys: Table by key; keys that two tables have are left out.
    """
    seen: dict[Record, None] = {}
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending += [*item, *item.values()]
        elif isinstance(item, list):
            pending += item
        elif isinstance(item, str) and item in keys:
            seen[keys[item], item] = None
    yield from seen


class _Learner:
    """What the calls so far have shown."""

    def __init__(self, bundle: Bundle, tables: Tables, literals: Literals, lab: Lab) -> None:
        self._bundle, self._tables, self._literals, self._lab = bundle, tables, literals, lab
        self._slots: Mapping[str, tuple[Slot, ...]] = slots_of(bundle, tables)
        self._data: Counter[tuple[str, str, str]] = Counter()
        self._enables: Counter[tuple[str, str]] = Counter()
        self._effects: dict[str, dict[str, dict[str, None]]] = {}
        self._shows: dict[str, dict[str, None]] = {}
        self._random: dict[str, None] = {}

    def explore(self, start: StartState, rng: random.Random) -> None:
        """Try every tool in a start state, then the tools that may follow a change."""
        clock, lab = clock_of(self._bundle, start.id), self._lab
        self._now = datetime.datetime.fromisoformat(clock)
        state = lab.load(start.state, clock, "graph")
        lab.mark()
        keys = self._keys(state)
        shown: dict[str, set[Record]] = {}
        figures = Figures(self._bundle, self._tables, self._slots, lab, state)
        taken: dict[tuple[str, str], set[JSON]] = {}
        changes: list[tuple[str, dict[str, JSON]]] = []
        for tool in self._bundle.tools:
            successes = 0
            for _ in range(_TRIES):
                arguments = self._draw(tool, state, (), figures, rng)
                reply = None if arguments is None else lab.call(tool, arguments)
                if arguments is None or reply is None or not reply.success:
                    continue
                for slot in self._slots[tool]:
                    taken.setdefault((tool, slot.label), set()).update(_hashable(values_at(arguments, slot.path)))
                if self._bundle.tools[tool].kind == "query":
                    records = list(shown_keys(reply.value, keys))
                    shown.setdefault(tool, set()).update(records)
                    self._shows.setdefault(tool, {}).update(dict.fromkeys(table for table, _ in records))
                else:
                    lab.back()
                    successes += 1
                    if successes <= _SUCCESSES:
                        changes.append((tool, arguments))
        self._confirm(shown, taken)
        for tool, arguments in changes:
            self._follow(tool, arguments, state, shown, rng)
        self._reseed(start, clock, state, changes)

    def _confirm(self, shown: Mapping[str, set[Record]], taken: Mapping[tuple[str, str], set[JSON]]) -> None:
        """Count the values that one tool's results show and with which calls of another succeeded."""
        for (tool, label), values in taken.items():
            accepted = {table for slot in self._slots[tool] if slot.label == label for table in slot.tables}
            for supplier, records in shown.items():
                both = len({key for table, key in records if table in accepted} & values)
                if both and supplier != tool:
                    self._data[tool, label, supplier] += both

    def _follow(
        self,
        tool: str,
        arguments: dict[str, JSON],
        before: Mapping[str, Any],
        shown: Mapping[str, set[Record]],
        rng: random.Random,
    ) -> None:
        """Make a change, note its effects, and see which calls succeed only now."""
        lab = self._lab
        lab.back()
        start = lab.mark()
        if not lab.call(tool, arguments).success:
            lab.back()
            return
        after, changed = lab.mark(), lab.state()
        changes = changes_between(before, changed, self._tables)
        self._note(tool, changes)
        created = {record_of(change) for change in changes if is_new(change)}
        records = tuple(dict.fromkeys(map(record_of, changes)))
        figures = Figures(self._bundle, self._tables, self._slots, lab, changed)
        for other in self._bundle.tools:
            for _ in range(_FOLLOWING if other != tool and records else 0):
                drawn = self._draw(other, changed, records, figures, rng)
                if drawn is None or not lab.call(other, drawn).success:
                    continue
                uses = [
                    slot.label
                    for slot in self._slots[other]
                    for value in values_at(drawn, slot.path)
                    if any((table, value) in created for table in slot.tables)
                ]
                if uses:
                    self._data.update((other, label, tool) for label in uses)
                elif self._bundle.tools[other].kind == "state_change":
                    self._credit(other, drawn, shown)
                    lab.back(start)
                    self._enables[other, tool] += not lab.call(other, drawn).success
                lab.back(after)
        lab.back(start)

    def take_apart(self, scenario: Scenario) -> None:
        """Replay a reference solution: see whence its values come, and what is refused when one change is left out."""
        start, solution = self._bundle.start_states[scenario.start_state].state, scenario.solution
        state = self._lab.load(start, scenario.clock, "graph")
        keys, shown = self._keys(state), dict[str, set[Record]]()
        outcomes = []
        for call in solution:
            reply = self._lab.call(call.name, call.arguments)
            outcomes.append(reply.success)
            if not reply.success:
                continue
            self._credit(call.name, call.arguments, shown)
            shown.setdefault(call.name, set()).update(shown_keys(reply.value, keys))
            if call.name not in self._effects and self._bundle.tools[call.name].kind == "state_change":
                self._note(call.name, changes_between(state, self._lab.state(), self._tables))
        for left_out, call in enumerate(solution):
            if self._bundle.tools[call.name].kind == "state_change" and outcomes[left_out]:
                self._lab.load(start, scenario.clock, "graph")
                for place, other in enumerate(solution):
                    refused = place != left_out and not self._lab.call(other.name, other.arguments).success
                    if refused and outcomes[place] and self._bundle.tools[other.name].kind == "state_change":
                        self._enables[other.name, call.name] += 1

    def _credit(self, tool: str, arguments: JSON, shown: Mapping[str, set[Record]]) -> None:
        """Count the look-ups that show what a call succeeded with after a change."""
        for slot in self._slots[tool]:
            wanted = {(table, value) for value in _hashable(values_at(arguments, slot.path)) for table in slot.tables}
            self._data.update(
                (tool, slot.label, name) for name, records in shown.items() if wanted & records and name != tool
            )

    def _note(self, tool: str, changes: Sequence[Change]) -> None:
        effects = self._effects.setdefault(tool, {"adds": {}, "changes": {}, "removes": {}})
        for change in changes:
            whole = len(change.path) == 2 and change.kind != "changed"
            kind = {"added": "adds", "removed": "removes"}.get(change.kind, "changes") if whole else "changes"
            effects[kind][str(change.path[0])] = None

    def _reseed(
        self, start: StartState, clock: str, before: Mapping[str, Any], changes: Sequence[tuple[str, dict[str, JSON]]]
    ) -> None:
        """Find the tables whose new keys depend on the seed."""
        for tool, arguments in dict(changes).items():
            added = []
            for seed in ("one", "another"):
                self._lab.load(start.state, clock, seed)
                self._lab.call(tool, arguments)
                state = self._lab.state()
                added.append({name: set(records_of(state, name)) - set(records_of(before, name)) for name in state})
            self._random.update(dict.fromkeys(n for n in added[0] if n in self._tables and added[0][n] != added[1][n]))

    def _draw(
        self, tool: str, state: Mapping[str, Any], focus: tuple[Record, ...], figures: Figures, rng: random.Random
    ) -> dict[str, JSON] | None:
        situation = Situation(state, self._now, focus, bool, figures.of)
        return draw_arguments(self._bundle, tool, self._slots[tool], self._tables, self._literals, situation, rng)

    def _keys(self, state: Mapping[str, Any]) -> dict[str, str]:
        owners = Counter(key for table in self._tables for key in records_of(state, table))
        return {key: table for table in self._tables for key in records_of(state, table) if owners[key] == 1}

    def learnt(self) -> ToolDependencies:
        """Return what was learnt, in the order of the allow-list."""
        data: dict[str, dict[str, dict[str, int]]] = {}
        for (tool, label, supplier), times in sorted(self._data.items()):
            data.setdefault(tool, {}).setdefault(label, {})[supplier] = times
        enables: dict[str, dict[str, int]] = {}
        for (tool, enabler), times in sorted(self._enables.items()):
            if times:
                enables.setdefault(tool, {})[enabler] = times
        return ToolDependencies(
            source=digest_of_source(self._bundle),
            data=data,
            enables=enables,
            effects={
                tool: Effects(**{kind: tuple(sorted(names)) for kind, names in found.items()})
                for tool, found in sorted(self._effects.items())
            },
            shows={tool: tuple(sorted(names)) for tool, names in sorted(self._shows.items())},
            random_keys=tuple(sorted(self._random)),
        )


def _hashable(values: Iterator[JSON]) -> list[JSON]:
    return [value for value in values if isinstance(value, str)]
