"""Gates over reference solutions: they work, all of each is needed, and an agent could have found them."""

from __future__ import annotations

from collections.abc import Sequence

from envscaler_gym.errors import EnvironmentFailure
from envscaler_gym.quality.defects import program
from envscaler_gym.quality.reports import Finding, GateResult
from envscaler_gym.quality.scenarios.findable import hidden_ids
from envscaler_gym.quality.scenarios.rehearsal import Play, Rehearsal
from envscaler_gym.quality.scenarios.trials import Trial, failing, refusal
from envscaler_gym.scenario import Scenario
from envscaler_gym.types import ToolCall

__all__ = ["every_write_matters", "findable_ids", "reference_solution"]

_UNSOLVED = "no scenario has a reference solution that can be played"


def reference_solution(trials: Sequence[Trial], *, imported: bool) -> GateResult:
    """Every scenario has a solution whose calls all succeed, which scores 1.0 and for which there are steps enough.

    Args:
        trials: The scenarios.
        imported: Whether a scenario without a solution is no defect.
    """
    findings: list[Finding] = []
    notes: list[Finding] = []
    for trial in trials:
        if not trial.scenario.solution:
            unsolved = trial.finding("unsolved: no reference known", "the scenario has no reference solution")
            (notes if imported else findings).append(unsolved)
        else:
            findings += _solution_defects(trial)
    known = sum(bool(trial.scenario.solution) for trial in trials)
    figures = {"scenarios": len(trials), "scenarios_solved": sum(trial.solved for trial in trials)}
    skipped = "" if known or not imported else "no scenario has a reference solution"
    return GateResult(
        gate="reference-solution", findings=tuple(findings), notes=tuple(notes), figures=figures, skipped=skipped
    )


def _solution_defects(trial: Trial) -> list[Finding]:
    found = []
    if trial.failure:
        found.append(trial.finding("the reference solution fails the environment", trial.failure))
    refused = () if trial.play is None else trial.play.refused
    found += [trial.finding("a call of the reference solution is refused", refusal(step)) for step in refused]
    if trial.at_end is not None and trial.at_end.reward < 1.0:
        message = f"it scores {trial.at_end.reward}; not passed: {failing(trial.at_end.checks)}"
        found.append(trial.finding("the reference solution does not score 1.0", message))
    calls, most = len(trial.scenario.solution), trial.scenario.max_steps
    if calls >= most:
        message = f"the solution has {calls} calls, and a message ends the episode; max_steps is {most}"
        found.append(trial.finding("too few steps for the reference solution", message))
    return found


def every_write_matters(rehearsal: Rehearsal, trials: Sequence[Trial]) -> GateResult:
    """Without any one of the calls that change the state, the solution scores less than 1.0."""
    findings, tried = [], 0
    for trial in trials:
        if trial.play is None or not trial.solved:
            continue
        calls = trial.scenario.solution
        writes = [i for i, call in enumerate(calls) if rehearsal.bundle.tools[call.name].kind == "state_change"]
        tried += len(writes)
        if not writes:
            findings.append(trial.finding("nothing has to be changed", "the reference solution only reads"))
        try:
            findings += _needless(rehearsal, trial, trial.play, writes)
        except EnvironmentFailure as failure:
            message = f"without some calls of the solution: {type(failure).__name__}: {failure}"
            findings.append(trial.finding("the environment fails where a write is left out", message))
    if not tried and not findings:
        return GateResult(gate="every-write-matters", skipped=_UNSOLVED)
    return GateResult(gate="every-write-matters", findings=tuple(findings), figures={"writes_left_out": tried})


def _needless(rehearsal: Rehearsal, trial: Trial, play: Play, writes: Sequence[int]) -> list[Finding]:
    scenario = trial.scenario
    orders = [[index for index in range(len(scenario.solution)) if index != left_out] for left_out in writes]
    ends = [rehearsal.play(scenario, order=order) for order in orders]
    scores = rehearsal.grade_all(scenario, play, [end.final for end in ends])
    return [
        trial.finding(
            "a write that nothing depends on",
            f"the solution scores 1.0 without call {left_out + 1} ({scenario.solution[left_out].name})",
            example=_program(rehearsal, scenario, order),
        )
        for left_out, order, score in zip(writes, orders, scores, strict=True)
        if score.reward == 1.0
    ]


def _program(rehearsal: Rehearsal, scenario: Scenario, order: Sequence[int]) -> str:
    calls = [ToolCall(scenario.solution[index].name, scenario.solution[index].arguments) for index in order]
    ending = "print(env.step({'content': 'Done.'})[1])  # the reward\n"
    return program(rehearsal.bundle, scenario, calls, None) + ending


def findable_ids(rehearsal: Rehearsal, trials: Sequence[Trial]) -> GateResult:
    """Every id that a solution uses stands in the task or can be found through the tools."""
    findings, played = [], 0
    for trial in trials:
        if trial.play is None or not trial.solved:
            continue
        played += 1
        try:
            hidden = hidden_ids(rehearsal, trial.scenario, trial.play)
        except EnvironmentFailure as failure:
            message = f"{type(failure).__name__}: {failure}"
            findings.append(trial.finding("the environment fails while ids are looked for", message))
            continue
        for number, key in hidden:
            message = (
                f"call {number + 1} ({trial.scenario.solution[number].name}) uses {key!r}, which neither the task nor "
                "an earlier result shows, and which no tool that only reads was found to show"
            )
            findings.append(trial.finding("an id that cannot be found", message))
    if not played:
        return GateResult(gate="findable-ids", skipped=_UNSOLVED)
    return GateResult(gate="findable-ids", findings=tuple(findings))
