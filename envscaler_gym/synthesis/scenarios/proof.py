"""Proof of a written scenario: every gate over it and its checks, and back to the checks with what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, NamedTuple

from pydantic import Field

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import Check
from envscaler_gym.data import Data
from envscaler_gym.errors import EnvironmentFailure, UnusableAnswer
from envscaler_gym.quality.checks.gates import check_gates
from envscaler_gym.quality.scenarios.gates import scenario_gates
from envscaler_gym.scenario import Difficulty, Scenario, SolutionCall, StartState
from envscaler_gym.state import diff, to_json
from envscaler_gym.synthesis.growth.difficulty import measure
from envscaler_gym.synthesis.scenarios.artefacts import ProvenScenario, SettledState, Task
from envscaler_gym.synthesis.scenarios.checks import check_problems
from envscaler_gym.synthesis.scenarios.context import rules_text, types_text
from envscaler_gym.synthesis.scenarios.replaying import Replay, replay
from envscaler_gym.synthesis.scenarios.solutions import needed_calls
from envscaler_gym.synthesis.scenarios.values import scalars
from envscaler_gym.synthesis.scenarios.written import collateral_guards, scenario_of
from envscaler_gym.synthesis.workshop import Desk

__all__ = ["CheckChanges", "Faults", "find_faults", "prove"]

_SHOWN = 30
"""Findings that a model is shown at a time."""

_OF_GUARDS = frozenset({"guards", "collateral"})
_OF_OTHERS = frozenset({"start-states", "findable-ids", "distinct-scenarios"})


class CheckChanges(Data):
    """Mended checks, as a model answers.

    Attributes:
        checks: All checks as they are to be.
        not_asked_for: Numbers of the solution's calls that do what the task does not ask for.
    """

    checks: Annotated[tuple[Check, ...], Field(strict=False, min_length=1, max_length=20)]
    not_asked_for: Annotated[tuple[int, ...], Field(strict=False)] = ()


class Faults(NamedTuple):
    """What gates found in one scenario, a line each.

    Attributes:
        of_checks: What other checks would put right.
        of_guards: What is wrong with its guards.
        others: What is wrong with anything else.
    """

    of_checks: tuple[str, ...]
    of_guards: tuple[str, ...]
    others: tuple[str, ...]


class _Examined(NamedTuple):
    """A scenario after its gates.

    Attributes:
        scenario: The scenario.
        changes: What its solution changes, a line each.
        faults: What the gates found.
    """

    scenario: Scenario
    changes: tuple[str, ...]
    faults: Faults


async def prove(
    desk: Desk,
    bundle: Bundle,
    settled: SettledState,
    task: Task,
    checks: Sequence[Check],
    solution: Sequence[SolutionCall],
) -> ProvenScenario:
    """Put a scenario through its gates, and have its checks mended where they fail, a bounded number of times.

    Args:
        desk: Where the model is asked.
        bundle: The environment.
        settled: The start state.
        task: The task.
        checks: Its checks.
        solution: Calls that pass them.

    Raises:
        RunStopped: The model cannot be asked now.
    """
    mended = 0
    while True:
        try:
            examined = await desk.compute(_examine, bundle, settled, task, checks, solution, desk.settings.seed)
        except EnvironmentFailure as error:
            return ProvenScenario(scenario=None, mended=mended, reason=f"the environment failed: {error}")
        problems = "; ".join((*examined.faults.others, *examined.faults.of_checks))
        if not problems:
            return ProvenScenario(scenario=examined.scenario, mended=mended)
        if examined.faults.others or mended == desk.settings.mendings:
            return ProvenScenario(scenario=None, mended=mended, reason=problems)
        try:
            changes = await _mend(desk, bundle, settled, task, examined)
        except UnusableAnswer as error:
            return ProvenScenario(scenario=None, mended=mended, reason=f"{problems}; {error}")
        mended += 1
        checks = changes.checks
        solution = [
            call for number, call in enumerate(examined.scenario.solution, 1) if number not in changes.not_asked_for
        ]


async def _mend(desk: Desk, bundle: Bundle, settled: SettledState, task: Task, examined: _Examined) -> CheckChanges:
    writes = {
        number: f"{number}. {call.name}({to_json(call.arguments)})"
        for number, call in enumerate(examined.scenario.solution, 1)
        if bundle.tools[call.name].kind == "state_change"
    }

    async def accept(given: CheckChanges) -> str:
        unknown = [number for number in given.not_asked_for if number not in writes]
        if unknown or len(given.not_asked_for) == len(writes):
            return f"not_asked_for may hold some, not all, of {sorted(writes)}; got {list(given.not_asked_for)}"
        return "\n".join(await desk.compute(check_problems, bundle, settled, task, given.checks))

    return await desk.ask(
        "checks_repair",
        CheckChanges,
        accept=accept,
        introduction=bundle.manifest.introduction,
        rules=rules_text(bundle),
        types=types_text(bundle),
        task=task.task,
        checks=list(examined.scenario.checks or ()),
        changes="\n".join(examined.changes),
        writes="\n".join(writes.values()),
        problems="\n".join(f"* {problem}" for problem in examined.faults.of_checks[:_SHOWN]),
    )


def _examine(
    bundle: Bundle,
    settled: SettledState,
    task: Task,
    checks: Sequence[Check],
    solution: Sequence[SolutionCall],
    seed: int,
) -> _Examined:
    draft = scenario_of(settled, task, checks, solution)
    reached = replay(bundle, settled.start, draft, solution)
    needed = needed_calls(bundle.tools, task.task, solution, reached.turns)
    if len(needed) < len(solution) and (again := replay(bundle, settled.start, draft, needed)).solved:
        solution, reached = needed, again  # calls were taken out, and with them the use of some queries
    guards = collateral_guards(reached.initial_state, reached.final_state)
    level = _difficulty(bundle, solution, reached)
    scenario = scenario_of(settled, task, checks, solution, guards).model_copy(update={"difficulty": level})
    faults = find_faults(bundle, settled.start, scenario, seed)
    if faults.of_guards:  # there is nothing to guard in states as simple as these
        scenario = scenario.model_copy(update={"guards": ()})
        faults = find_faults(bundle, settled.start, scenario, seed)
    changes = tuple(map(str, diff(dict(reached.initial_state), dict(reached.final_state))))
    return _Examined(scenario, changes, faults)


def find_faults(bundle: Bundle, start: StartState, scenario: Scenario, seed: int) -> Faults:
    """Put one scenario through the gates of scenarios and checks, as if it were the only one.

    Args:
        bundle: The environment.
        start: The scenario's start state.
        scenario: The scenario.
        seed: Seed of what the gates draw.
    """
    alone = replace(bundle, start_states={start.id: start}, scenarios={scenario.id: scenario})
    gates = (*scenario_gates(alone, (scenario,), seed=seed), *check_gates(alone, (scenario,), seed=seed))
    found = [(gate.gate, f"{finding.defect}: {finding.message}") for gate in gates for finding in gate.findings]
    return Faults(
        tuple(text for gate, text in found if gate not in _OF_GUARDS | _OF_OTHERS),
        tuple(text for gate, text in found if gate in _OF_GUARDS),
        tuple(text for gate, text in found if gate in _OF_OTHERS),
    )


def _difficulty(bundle: Bundle, solution: Sequence[SolutionCall], reached: Replay) -> Difficulty:
    """Return how hard a solution was found to be, by the measure of grown scenarios."""
    keys = {
        key: table
        for state in (reached.initial_state, reached.final_state)
        for table, records in state.items()
        if isinstance(records, dict)
        for key in records
    }
    uses = [
        [
            (keys[value], value)
            for value in dict.fromkeys(scalars(call.arguments))
            if isinstance(value, str) and value in keys
        ]
        for call in solution
    ]
    return measure(bundle, solution, uses, [turn.observation for turn in reached.turns]).difficulty
