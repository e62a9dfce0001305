"""One candidate: a chain sampled in a start state, its look-ups, checks and text, and the trials that it stands."""

from __future__ import annotations

import datetime
import math
import random
from collections.abc import Iterator, Mapping, Sequence

from envscaler_gym.checks import Check
from envscaler_gym.scenario import Difficulty, Scenario, SolutionCall, Split, StartState
from envscaler_gym.synthesis.graph.lab import Lab
from envscaler_gym.synthesis.graph.model import ToolGraph
from envscaler_gym.synthesis.graph.slots import named_records
from envscaler_gym.synthesis.graph.tables import Record, records_of
from envscaler_gym.synthesis.growth.chain import Goal, Measure, VerifiedChain
from envscaler_gym.synthesis.growth.conditions import Outcome
from envscaler_gym.synthesis.growth.difficulty import BANDS, EXPERT_CALLS, measure
from envscaler_gym.synthesis.growth.expectations import make_checks, make_guards
from envscaler_gym.synthesis.growth.facts import missing_facts
from envscaler_gym.synthesis.growth.look_ups import LookUps
from envscaler_gym.synthesis.growth.naming import Naming
from envscaler_gym.synthesis.growth.sampling import ChainSampler
from envscaler_gym.synthesis.growth.saying import Currency
from envscaler_gym.synthesis.growth.task_text import write_request, write_task
from envscaler_gym.synthesis.growth.trials import Play, Rejected, later, passed_all, play, refute, unshown
from envscaler_gym.synthesis.growth.wording import Wording
from envscaler_gym.types import JSON

__all__ = ["Candidate", "Ground"]

_SEED = "grown"
_GOAL_STEPS: Mapping[Difficulty, tuple[int, ...]] = {
    "easy": (1, 1, 2),
    "medium": (2, 2, 3),
    "hard": (2, 3, 3),
    "expert": (2, 3, 4),
}
"""How many steps a goal may have, by level; some number of these is drawn."""
_MOST_STEPS = 16
_SPREAD = 6.0  # sizes beyond the least of a level that are aimed at
_RESTARTS = 3
_SLACK = 2.5  # actions that an agent may take, to those of the reference solution
_LEAST_ACTIONS = 12


class Ground:
    """Where scenarios grow: a start state, with what is known of it.

    Args:
        graph: The tools.
        start: The start state.
        clock: Time at its start.
        split: Split of its scenarios.
        reader: A world in which look-ups are tried and chains replayed.
    """

    def __init__(self, graph: ToolGraph, start: StartState, clock: str, split: Split, reader: Lab) -> None:
        self.start, self.clock, self.split, self.reader = start, clock, split, reader
        self.now = datetime.datetime.fromisoformat(clock)
        self.currency = Currency(graph.bundle)
        self.look_ups = LookUps(graph, reader, start.state, clock)
        self.naming = Naming(graph.tables, start.state, self.currency, self.look_ups.stated)

    def usable(self, record: Record) -> bool:
        """Return whether a task can mean a record: it has a name of its own, and can be found by it."""
        return self.naming.full(record) is not None and self.look_ups.route(record) is not None


class Candidate:
    """One candidate for a scenario.

    Args:
        graph: The tools.
        sampler: Samples its steps.
        ground: Where it grows.
        rng: Random source.
    """

    def __init__(self, graph: ToolGraph, sampler: ChainSampler, ground: Ground, rng: random.Random) -> None:
        self._graph, self._sampler, self._ground, self._rng = graph, sampler, ground, rng

    def sample(self, lab: Lab, level: Difficulty) -> list[Goal]:
        """Sample goals of which the chain has the wanted size.

        Raises:
            Rejected: No such chain was found.
        """
        low, high = BANDS[level]
        target = low + self._rng.random() * (min(high, low + _SPREAD) - low)
        for _ in range(_RESTARTS):
            goals = self._try(lab, level, target, high)
            size = self._size(goals)
            if goals and low <= size < high and (level != "expert" or len(self.calls(goals)) >= EXPERT_CALLS):
                return goals
        raise Rejected(f"level: no {level} chain was found")

    def _try(self, lab: Lab, level: Difficulty, target: float, high: float) -> list[Goal]:
        start = lab.load(self._ground.start.state, self._ground.clock, _SEED)
        goals: list[Goal] = [()]
        room = self._rng.choice(_GOAL_STEPS[level])
        for _ in range(_MOST_STEPS):
            chain = [step for goal in goals for step in goal]
            if chain and self._size(goals) >= target:
                break
            if len(goals[-1]) >= room:
                goals.append(())
                room = self._rng.choice(_GOAL_STEPS[level])
            before = lab.mark()
            step = self._sampler.extend(start, self._ground.now, chain, goals[-1], self._ground.usable, self._rng)
            if step is None:
                room = 0  # this goal is at its end
                if not goals[-1]:
                    break
            elif self._size([*goals[:-1], (*goals[-1], step)]) >= high:
                lab.back(before)
                room = 0
            else:
                goals[-1] = (*goals[-1], step)
        return [goal for goal in goals if goal]

    def calls(self, goals: Sequence[Goal]) -> list[SolutionCall]:
        """Return the reference solution: for each goal the look-ups that it needs, then its changes."""
        calls: dict[str, SolutionCall] = {}
        for number, goal in enumerate(goals):
            for step in goal:
                for record in step.records:
                    for call in self._route(record):
                        calls.setdefault(call.model_dump_json(), call)
            for place, step in enumerate(goal):
                calls[f"{number}.{place}"] = SolutionCall(name=step.tool, arguments=step.arguments)
        return list(calls.values())

    def _route(self, record: Record) -> tuple[SolutionCall, ...]:
        return (self._ground.look_ups.route(record) or ()) if self._is_old(record) else ()

    def _is_old(self, record: Record) -> bool:
        return record[1] in records_of(self._ground.start.state, record[0])

    def _play(self, calls: Sequence[SolutionCall], clock: str, seed: str) -> Play:
        return play(self._ground.reader, self._ground.start.state, clock, seed, calls)

    def _measure(self, calls: Sequence[SolutionCall], replies: Sequence[str]) -> Measure:
        return measure(self._graph.bundle, calls, [self._named(call) for call in calls], replies)

    def _size(self, goals: Sequence[Goal]) -> float:
        calls = self.calls(goals)
        found = self._measure(calls, self._play(calls, self._ground.clock, _SEED).replies)
        return found.calls + found.links / 2

    def _named(self, call: SolutionCall) -> list[Record]:
        """Return the records that a call names by keys which people do not know."""
        records = named_records(self._graph.slots[call.name], call.arguments, self._ground.start.state)
        return [record for record in records if not self._ground.look_ups.is_known(record)]

    def verify(self, goals: Sequence[Goal]) -> VerifiedChain:
        """Put a chain to every trial.

        Raises:
            Rejected: It does not stand one.
        """
        ground, calls = self._ground, self.calls(goals)
        outcome = self._play(calls, ground.clock, _SEED)
        if outcome.refused is not None:
            raise Rejected(f"refused: {outcome.refused.name} after the look-ups")
        missing = unshown([self._named(call) for call in calls], outcome.replies)
        if missing is not None:
            raise Rejected(f"hidden id: no earlier result shows {missing[0]} {missing[1]}")
        other = self._play(calls, later(ground.clock), f"{_SEED} again")
        if other.refused is not None:
            raise Rejected(f"seed: {other.refused.name} is refused under another seed")
        texts = frozenset(text for goal in goals for step in goal for text in _strings(step.arguments))
        states = Outcome(ground.start.state, outcome.final, other.final, texts)
        checks = make_checks(states, self._graph.tables, ground.naming, ground.currency)
        guards = make_guards(states, self._graph.tables)
        if not checks:
            raise Rejected("no check: nothing that changed can be compared")
        refute(checks, guards, states.start, outcome, ground.clock, self._graph.tables)
        if not passed_all([*checks, *guards], states.start, other.final, ground.clock):
            raise Rejected("other time: the same calls at another second do not pass")
        self._refuse_needless(calls, checks)
        return self._write(goals, calls, outcome, checks, guards)

    def _refuse_needless(self, calls: Sequence[SolutionCall], checks: Sequence[Check]) -> None:
        for place, call in enumerate(calls):
            if self._graph.bundle.tools[call.name].kind == "state_change":
                without = self._play([*calls[:place], *calls[place + 1 :]], self._ground.clock, _SEED)
                if passed_all(checks, self._ground.start.state, without.final, self._ground.clock):
                    raise Rejected(f"needless: without {call.name} the score is the same")

    def _write(
        self,
        goals: Sequence[Goal],
        calls: Sequence[SolutionCall],
        outcome: Play,
        checks: tuple[Check, ...],
        guards: tuple[Check, ...],
    ) -> VerifiedChain:
        ground, found = self._ground, self._measure(calls, outcome.replies)
        wording = Wording(self._graph, ground.naming, outcome.final, ground.currency, self._rng)
        clauses = tuple(tuple(wording.goal(goal)) for goal in goals)
        requests = tuple(write_request(each, turn, self._rng) for turn, each in enumerate(clauses))
        scenario = Scenario(
            id="candidate",
            start_state=ground.start.id,
            task=write_task(clauses, self._rng),
            requests=requests if len(requests) > 1 else (),
            checks=checks,
            guards=guards,
            solution=tuple(calls),
            difficulty=found.difficulty,
            split=ground.split,
            clock=ground.clock,
            max_steps=max(_LEAST_ACTIONS, math.ceil(_SLACK * len(calls))),
        )
        chain = VerifiedChain(scenario, tuple(goals), clauses, tuple(wording.facts), found)
        if missing := missing_facts(chain, " ".join((scenario.task, *scenario.requests))):
            raise Rejected(f"text: it does not say {missing[0]!r}")
        return chain


def _strings(value: JSON) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _strings(item)
