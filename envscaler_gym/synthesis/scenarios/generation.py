"""All scenarios of an environment: start states, tasks from two sources, and the proof of each."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from functools import partial
from itertools import chain, count
from typing import TypeVar

from envscaler_gym.bundle import Bundle
from envscaler_gym.data import Data
from envscaler_gym.llm.together import together
from envscaler_gym.manifest import ToolDependencies
from envscaler_gym.scenario import DIFFICULTIES, Difficulty, Scenario, Split, StartState
from envscaler_gym.state import digest
from envscaler_gym.synthesis.artefacts import Artefact, Made
from envscaler_gym.synthesis.scenarios.artefacts import (
    DraftedChecks,
    GeneratedScenarios,
    GrownScenarios,
    ProvenScenario,
    Rejection,
    SettledState,
    SolvedTask,
    Task,
    TaskList,
    WrittenState,
)
from envscaler_gym.synthesis.scenarios.checks import write_checks
from envscaler_gym.synthesis.scenarios.context import leeway_text
from envscaler_gym.synthesis.scenarios.grown import grow_scenarios
from envscaler_gym.synthesis.scenarios.proof import prove
from envscaler_gym.synthesis.scenarios.rewriting import Rewording, reworded
from envscaler_gym.synthesis.scenarios.solver import solve
from envscaler_gym.synthesis.scenarios.start_states import write_start_state
from envscaler_gym.synthesis.scenarios.tasks import write_tasks
from envscaler_gym.synthesis.stages import Stage
from envscaler_gym.synthesis.workshop import Desk, Workshop

__all__ = ["generate_scenarios"]

_TEST_SHARE = 0.25
_SPARE = 0.25  # grown scenarios beyond those that are needed, as a share of them

D = TypeVar("D", bound=Data)


async def generate_scenarios(
    workshop: Workshop,
    slug: str,
    bundle: Bundle,
    comparisons: Mapping[str, Mapping[str, str]] | None = None,
    parents: Sequence[str] = (),
) -> GeneratedScenarios:
    """Make new scenarios for an environment.

    An environment that has scenarios keeps them and gets new ones in the same start states. Another one gets start
    states first; one in four of them, at least one of several, is for tests, with all of its scenarios.

    Args:
        workshop: The run's workshop; its settings say how many of what.
        slug: Name of the environment within the run.
        bundle: The environment.
        comparisons: How a check compares each field, by entity and field: ``"exact"``, ``"exempt"`` or ``"free_text"``.
        parents: Digests of the artefacts that the environment was made from.

    Raises:
        RunStopped: The model cannot be asked now.
        IsolationUnavailable: The code is to run in a worker, and this machine cannot lock one down.
    """
    making = _Making(workshop, slug, bundle, (*parents, bundle.digest, digest(comparisons)), comparisons or {})
    settled = _existing_states(bundle) if bundle.scenarios else await making.write_states()
    if settled:
        wanted, had = workshop.settings.scenarios, len(making.scenarios)
        await making.write(settled, math.ceil(workshop.settings.written * wanted))
        await making.grow(settled, wanted + had - len(making.scenarios))
    return making.result()


class _Making:
    """Scenarios in the making."""

    def __init__(
        self,
        workshop: Workshop,
        slug: str,
        bundle: Bundle,
        parents: Sequence[str],
        comparisons: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.workshop, self.slug, self.bundle, self.parents = workshop, slug, bundle, tuple(parents)
        self.leeway = leeway_text(comparisons)
        self.scenarios: dict[str, Scenario] = dict(bundle.scenarios)
        self.start_states = {
            scenario.start_state: bundle.start_states[scenario.start_state] for scenario in self.scenarios.values()
        }
        self.rejected: list[Rejection] = []
        self.artefacts: dict[str, Artefact] = {}
        self.graph: ToolDependencies | None = None

    async def make(
        self, stage: Stage, kind: type[D], work: Callable[[Desk], Awaitable[D]], part: str, *more: str
    ) -> Made[D]:
        """Return what a stage makes of this environment, and remember the artefact."""
        made = await self.workshop.make(stage, self.slug, kind, work, parents=(*self.parents, *more), part=part)
        self.artefacts[made.digest] = made.artefact
        return made

    # Start states.

    async def write_states(self) -> list[SettledState]:
        """Have the start states of a new environment written."""
        made = await together(
            self.make("start-states", WrittenState, partial(_write_state, self.bundle, number), str(number))
            for number in range(self.workshop.settings.start_states)
        )
        written: dict[str, tuple[WrittenState, str]] = {}
        contents: dict[str, str] = {}
        for number, (state, artefact) in enumerate(made):
            if state.start is None:
                self.rejected.append(Rejection(kind="start state", subject=str(number), reason=state.reason))
                continue
            content = digest(state.start.state)
            if content in contents:
                reason = f"it holds the same as {contents[content]}"
                self.rejected.append(Rejection(kind="start state", subject=state.start.id, reason=reason))
                continue
            name = contents[content] = _free(state.start.id, written)
            written[name] = state, artefact.digest
        tests = max(1, round(len(written) * _TEST_SHARE)) if len(written) > 1 else 0
        settled = []
        for number, (name, (state, made_by)) in enumerate(written.items()):
            assert state.start is not None  # those without were left out above
            split: Split = "test" if number >= len(written) - tests else "train"
            start = state.start.model_copy(update={"id": name})
            settled.append(SettledState(start, state.clock, split, made_by))
        return settled

    # Written scenarios.

    async def write(self, settled: Sequence[SettledState], count: int) -> None:
        """Have tasks written, solved and proven, spread evenly over the start states."""
        wanted: dict[str, list[Difficulty]] = {each.start.id: [] for each in settled}
        for number in range(count):
            lap, place = divmod(number, len(settled))
            # Each start state begins with another difficulty, and gets the next one in every lap.
            wanted[settled[place].start.id].append(DIFFICULTIES[(lap + place) % len(DIFFICULTIES)])
        results = await together(
            self._write_for(each, wanted[each.start.id]) for each in settled if wanted[each.start.id]
        )
        for each, outcomes in zip((each for each in settled if wanted[each.start.id]), results, strict=True):
            for scenario in outcomes:
                self._keep(scenario, each.start)

    async def _write_for(self, settled: SettledState, difficulties: Sequence[Difficulty]) -> list[Scenario]:
        tasks = await self.make(
            "tasks",
            TaskList,
            lambda desk: write_tasks(desk, self.bundle, settled, difficulties),
            f"{settled.start.id} {' '.join(difficulties)}",
            settled.made_by,
        )
        self.rejected += tasks.value.rejected
        proven = await together(self._prove(settled, task, tasks.digest) for task in tasks.value.tasks)
        return [scenario for scenario in proven if scenario is not None]

    async def _prove(self, settled: SettledState, task: Task, made_by: str) -> Scenario | None:
        """Return the scenario of a task, or note why there is none."""
        bundle, part = self.bundle, f"{settled.start.id} {task.id}"
        drafted = await self.make(
            "checks", DraftedChecks, lambda desk: write_checks(desk, bundle, settled, task, self.leeway), part, made_by
        )
        checks = drafted.value.checks
        if not checks:
            self._reject(task, f"no checks could be had: {drafted.value.reason}")
            return None
        solved = await self.make(
            "solver", SolvedTask, lambda desk: solve(desk, bundle, settled, task, checks), part, drafted.digest
        )
        solution = solved.value.solution
        if not solution:
            self._reject(task, f"not solved: {solved.value.reason}")
            return None
        proven = await self.make(
            "checks",
            ProvenScenario,
            lambda desk: prove(desk, bundle, settled, task, checks, solution),
            f"{part} proof",
            solved.digest,
        )
        if proven.value.scenario is None:
            self._reject(task, f"its gates: {proven.value.reason}")
        return proven.value.scenario

    def _reject(self, task: Task, reason: str) -> None:
        self.rejected.append(Rejection(kind="task", subject=task.id, reason=reason))

    # Grown scenarios.

    async def grow(self, settled: Sequence[SettledState], count: int) -> None:
        """Grow scenarios from the tool graph, and have their requests said again by a model.

        A model may object to a request; some more are grown than are needed, which then take its place.
        """
        rewrite = self.workshop.settings.rewrite
        most = math.ceil(count * (1 + _SPARE)) if rewrite else count
        known = digest([scenario.model_dump(mode="json") for scenario in self.scenarios.values()])
        made = await self.make(
            "growth",
            GrownScenarios,
            lambda desk: self._grown(desk, settled, most),
            str(most),
            known,
            *(each.made_by for each in settled),
        )
        grown, starts = made.value, {start.id: start for start in made.value.start_states}
        self.graph = grown.graph
        self.rejected += grown.rejected
        kept: list[Scenario] = []
        left = list(enumerate(grown.scenarios))
        while left and len(kept) < count:
            tried, left = left[: count - len(kept)], left[count - len(kept) :]
            kept += await self._sensible(tried, grown, starts, made.digest) if rewrite else [each for _, each in tried]
        for scenario in kept:
            self._keep(scenario, starts[scenario.start_state])

    async def _sensible(
        self,
        tried: Sequence[tuple[int, Scenario]],
        grown: GrownScenarios,
        starts: Mapping[str, StartState],
        made_by: str,
    ) -> list[Scenario]:
        """Return scenarios as a model says their requests, without those that it objects to."""
        said = await together(
            self._reworded(starts[each.start_state], each, grown.facts[each.id], number, made_by)
            for number, each in tried
        )
        kept = []
        for (_, scenario), rewording in zip(tried, said, strict=True):
            if rewording.objection.strip():
                why = f"objected to: {rewording.objection.strip()}"
                self.rejected.append(Rejection(kind="grown scenario", subject=scenario.id, reason=why))
            else:
                kept.append(scenario.model_copy(update={"task": rewording.task, "requests": rewording.requests}))
        return kept

    async def _grown(self, desk: Desk, settled: Sequence[SettledState], count: int) -> GrownScenarios:
        return await desk.compute(
            grow_scenarios,
            self.bundle,
            settled,
            self.scenarios,
            count,
            seed=desk.settings.seed,
            on_progress=desk.progress,
        )

    async def _reworded(
        self, start: StartState, scenario: Scenario, facts: Sequence[str], number: int, made_by: str
    ) -> Rewording:
        said = await self.make(
            "rewriting",
            Rewording,
            lambda desk: reworded(desk, self.bundle, start, scenario, facts, number),
            scenario.id,
            made_by,
        )
        return said.value

    def _keep(self, scenario: Scenario, start: StartState) -> None:
        name = _free(scenario.id, self.scenarios)
        self.scenarios[name] = scenario.model_copy(update={"id": name})
        self.start_states[start.id] = start

    def result(self) -> GeneratedScenarios:
        """Return everything."""
        return GeneratedScenarios(
            self.start_states,
            self.scenarios,
            self.graph,
            tuple(sorted(self.rejected, key=lambda rejection: (rejection.kind, rejection.subject, rejection.reason))),
            tuple(self.artefacts[name] for name in sorted(self.artefacts)),
        )


async def _write_state(bundle: Bundle, number: int, desk: Desk) -> WrittenState:
    return await write_start_state(desk, bundle, number)


def _existing_states(bundle: Bundle) -> list[SettledState]:
    """Return the start states of an environment that has scenarios, with clock and split of the first of each."""
    settled: dict[str, SettledState] = {}
    for scenario in bundle.scenarios.values():
        start = bundle.start_states[scenario.start_state]
        settled.setdefault(start.id, SettledState(start, scenario.clock, scenario.split, bundle.digest))
    return list(settled.values())


def _free(name: str, taken: Container[str]) -> str:
    """Return a name that is not taken, with a number behind it where it has to be."""
    return next(free for free in chain([name], (f"{name}-{number}" for number in count(2))) if free not in taken)
