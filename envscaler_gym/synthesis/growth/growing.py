"""Growing scenarios: chains sampled from the tool graph, executed, checked, asked for in words. It needs no model."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import NamedTuple

from envscaler_gym.bundle import Bundle
from envscaler_gym.scenario import DIFFICULTIES, Difficulty, Scenario, Split, StartState
from envscaler_gym.synthesis.graph.lab import Lab
from envscaler_gym.synthesis.graph.learning import clock_of, load_graph
from envscaler_gym.synthesis.graph.literals import Literals
from envscaler_gym.synthesis.graph.model import ToolGraph
from envscaler_gym.synthesis.growth.candidates import Candidate, Ground
from envscaler_gym.synthesis.growth.chain import Goal, Measure, VerifiedChain
from envscaler_gym.synthesis.growth.sampling import ChainSampler
from envscaler_gym.synthesis.growth.soundness import Soundness
from envscaler_gym.synthesis.growth.start_states import vary
from envscaler_gym.synthesis.growth.trials import Rejected
from envscaler_gym.types import JSON

__all__ = ["GrowthReport", "Rejection", "grow"]

_PER_START_STATE = 25  # scenarios that share one start state, about
_MOST_VARIANTS = 3  # of one start state of the bundle
_ATTEMPTS = 2  # candidates for each scenario
_ROUNDS = 2  # turns for each scenario, before fewer are delivered than were asked for

OnProgress = Callable[[str, int, int], None]


class Rejection(NamedTuple):
    """A candidate that did not become a scenario.

    Attributes:
        start_state: Where it was tried.
        tools: The tools that it called.
        reason: Why it was rejected; the part before the colon is the kind of reason.
    """

    start_state: str
    tools: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class GrowthReport:
    """What has grown.

    Attributes:
        start_states: Start states that scenarios use, none of which the bundle had.
        chains: The verified chains, by the ids of their scenarios.
        rejected: Candidates that were rejected.
    """

    start_states: tuple[StartState, ...]
    chains: Mapping[str, VerifiedChain]
    rejected: tuple[Rejection, ...] = field(default=())

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The scenarios, in the order in which they grew."""
        return tuple(chain.scenario for chain in self.chains.values())

    @property
    def measures(self) -> dict[str, Measure]:
        """How hard each scenario is, by its id."""
        return {name: chain.measure for name, chain in self.chains.items()}

    @property
    def rejected_share(self) -> float:
        """The part of all candidates that was rejected."""
        return len(self.rejected) / max(1, len(self.rejected) + len(self.chains))

    def figures(self) -> dict[str, JSON]:
        """Return what was measured: counts by difficulty, tool and reason, and means."""
        measures = list(self.measures.values())
        count = max(1, len(measures))
        return {
            "scenarios": len(measures),
            "start_states": len(self.start_states),
            "rejected": len(self.rejected),
            "rejected_share": round(self.rejected_share, 4),
            "reasons": dict(sorted(Counter(one.reason.partition(":")[0] for one in self.rejected).items())),
            "difficulties": {level: sum(m.difficulty == level for m in measures) for level in DIFFICULTIES},
            "mean_calls": round(sum(m.calls for m in measures) / count, 2),
            "mean_complexity": round(sum(m.complexity for m in measures) / count, 4),
            "tools": dict(sorted(Counter(s.tool for c in self.chains.values() for g in c.goals for s in g).items())),
        }


def grow(
    bundle: Bundle,
    *,
    count: int,
    seed: int = 0,
    difficulties: Sequence[Difficulty] = DIFFICULTIES,
    start_states: Sequence[StartState] | None = None,
    graph: ToolGraph | None = None,
    trust: bool = False,
    on_progress: OnProgress | None = None,
) -> GrowthReport:
    """Grow scenarios for a bundle.

    Args:
        bundle: The bundle; reviewed code runs in this process, other code in workers.
        count: How many scenarios.
        seed: Seed of all choices; equal seeds grow the same.
        difficulties: Levels that scenarios are to have, in turn.
        start_states: States to grow in; the bundle's own, if ``None``. Scenarios get variants of them.
        graph: The bundle's tool graph; taken from the manifest or learnt, if ``None``.
        trust: Treat the bundle as reviewed.
        on_progress: Is told how many scenarios there are, and of how many.

    Returns:
        The scenarios with their start states, and what was rejected. They are fewer than asked for where too many
        candidates are rejected.

    Raises:
        ScenarioError: There is no start state to grow in.
        IsolationUnavailable: The code is to run in a worker, and this machine cannot lock one down.
    """
    graph = graph or load_graph(bundle, seed=seed, trust=trust)
    given = list(start_states if start_states is not None else bundle.start_states.values())
    everywhere = Literals(graph.tables, [state.state for state in given])
    literals = {start.id: Literals(graph.tables, [start.state], everywhere) for start in given}
    with ExitStack() as stack:
        lab, reader = (stack.enter_context(Lab(bundle, trust=trust)) for _ in range(2))
        soundness = stack.enter_context(Soundness(bundle, graph.tables, trust=trust))
        uses: Counter[str] = Counter()
        grounds = [
            (Ground(graph, state, clock, split, reader), ChainSampler(graph, literals[origin], lab, uses))
            for state, clock, split, origin in _variants(graph, literals, lab, soundness, given, count, seed)
        ]
        nursery = _Nursery(graph, lab, grounds)
        return nursery.raise_all(count, seed, difficulties, on_progress)


def _variants(
    graph: ToolGraph,
    literals: Mapping[str, Literals],
    lab: Lab,
    soundness: Soundness,
    given: Sequence[StartState],
    count: int,
    seed: int,
) -> Iterator[tuple[StartState, str, Split, str]]:
    """Yield variants of the given start states with clock, split and origin, a first one of each, then a second one."""
    variants = max(1, min(_MOST_VARIANTS, round(count / _PER_START_STATE / max(1, len(given)))))
    splits = _splits(graph.bundle, [start.id for start in given], variants)
    taken = set(graph.bundle.start_states)
    for number in range(1, variants + 1):
        for start in given:
            name = _free(f"{start.id}-grown-{number}", taken)
            clock = clock_of(graph.bundle, start.id)
            state = vary(graph, literals[start.id], lab, start, name, clock, soundness.problems, seed)
            yield state, clock, splits[start.id, number], start.id


def _splits(bundle: Bundle, names: Sequence[str], variants: int) -> dict[tuple[str, int], Split]:
    """Return the split of each variant: that of the scenarios in its start state, else the last one is for tests."""
    known: dict[str, Split] = {s.start_state: s.split for s in bundle.scenarios.values()}
    result: dict[tuple[str, int], Split] = {}
    tests = [name for name in names if known.get(name) == "test"]
    for place, name in enumerate(names):
        for number in range(1, variants + 1):
            if tests:
                split: Split = "test" if name in tests else "train"
            elif len(names) > 1:
                split = "test" if place == len(names) - 1 else "train"
            else:
                split = "test" if number == variants > 1 else "train"
            result[name, number] = split
    return result


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free)
    return free


class _Nursery:
    """Raises scenarios in turn in all start states."""

    def __init__(self, graph: ToolGraph, lab: Lab, grounds: Sequence[tuple[Ground, ChainSampler]]) -> None:
        self._graph, self._lab, self._grounds = graph, lab, grounds
        self._ids = set(graph.bundle.scenarios)
        self._known: set[str] = set()

    def raise_all(
        self, count: int, seed: int, difficulties: Sequence[Difficulty], on_progress: OnProgress | None
    ) -> GrowthReport:
        chains: dict[str, VerifiedChain] = {}
        rejected: list[Rejection] = []
        for turn in range(count * _ROUNDS):
            if len(chains) == count:
                break
            level = difficulties[turn % len(difficulties)]
            for attempt in range(_ATTEMPTS):
                ground, sampler = self._grounds[(turn + turn // len(difficulties) + attempt) % len(self._grounds)]
                rng = random.Random(f"grow/{seed}/{turn}/{attempt}")  # noqa: S311 - to be repeatable
                grown = self._raise_one(ground, sampler, level, rng)
                if isinstance(grown, Rejection):
                    rejected.append(grown)
                    continue
                name = _free(f"grown-{grown.goals[0][0].tool.replace('_', '-')}", self._ids)
                chains[name] = grown.named(name)
                if on_progress is not None:
                    on_progress("grown scenarios", len(chains), count)
                break
        used = {chain.scenario.start_state for chain in chains.values()}
        states = tuple(ground.start for ground, _ in self._grounds if ground.start.id in used)
        return GrowthReport(states, chains, tuple(rejected))

    def _raise_one(
        self, ground: Ground, sampler: ChainSampler, level: Difficulty, rng: random.Random
    ) -> VerifiedChain | Rejection:
        candidate, goals = Candidate(self._graph, sampler, ground, rng), list[Goal]()
        try:
            goals = candidate.sample(self._lab, level)
            chain = candidate.verify(goals)
            self._refuse_twins(chain)
        except Rejected as reason:
            return Rejection(ground.start.id, tuple(step.tool for goal in goals for step in goal), str(reason))
        return chain

    def _refuse_twins(self, chain: VerifiedChain) -> None:
        scenario = chain.scenario
        writes = [
            call.model_dump_json() for call in scenario.solution if self._graph.bundle.tools[call.name].kind != "query"
        ]
        content = f"{scenario.start_state} {sorted(writes)}"
        if content in self._known:
            raise Rejected("twin: the same changes in the same start state have grown before")
        self._known.add(content)
