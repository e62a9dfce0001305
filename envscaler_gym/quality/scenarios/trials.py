"""What is known of each scenario once it has been started, left alone, solved and graded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from envscaler_gym.checks import CheckResult, Score
from envscaler_gym.errors import EnvironmentFailure
from envscaler_gym.quality.reports import Finding, Progress
from envscaler_gym.quality.scenarios.rehearsal import Play, Rehearsal, Step
from envscaler_gym.scenario import Scenario

__all__ = ["Trial", "failing", "is_imported", "refusal", "try_scenarios"]

_LONGEST = 500  # characters of a refusal


@dataclass(frozen=True, slots=True)
class Trial:
    """One scenario, tried.

    Attributes:
        scenario: The scenario.
        start: Its start; ``None`` where it cannot be loaded.
        at_start: Score of doing nothing; ``None`` where there is none.
        play: The reference solution as it was played; ``None`` where there is none, or it could not be played.
        at_end: Score of the reference solution; ``None`` where there is none.
        failure: What failed in the environment; empty where nothing did.
    """

    scenario: Scenario
    start: Play | None = None
    at_start: Score | None = None
    play: Play | None = None
    at_end: Score | None = None
    failure: str = ""

    @property
    def solved(self) -> bool:
        """Whether every call of the reference solution succeeds and every check then passes."""
        return self.at_end is not None and self.at_end.reward == 1.0 and self.play is not None and not self.play.refused

    def finding(self, defect: str, message: str, *, example: str = "", times: int = 1) -> Finding:
        """Return a finding about the scenario."""
        return Finding(subject=self.scenario.id, defect=defect, message=message, example=example, times=times)


def try_scenarios(
    rehearsal: Rehearsal, scenarios: Sequence[Scenario], on_progress: Progress | None, what: str
) -> list[Trial]:
    """Start, solve and grade scenarios.

    Args:
        rehearsal: Their bundle.
        scenarios: The scenarios.
        on_progress: Is told how far it has come.
        what: What it is told that is being done.
    """
    trials = []
    for number, scenario in enumerate(scenarios):
        if on_progress is not None:
            on_progress(what, number, len(scenarios))
        trials.append(_try(rehearsal, scenario))
    return trials


def _try(rehearsal: Rehearsal, scenario: Scenario) -> Trial:
    start = at_start = play = at_end = None
    try:
        start = rehearsal.start(scenario)
        if scenario.checks is not None:
            at_start = rehearsal.grade(scenario, start)
        if scenario.solution:
            play = rehearsal.play(scenario)
            if scenario.checks is not None:
                at_end = rehearsal.grade(scenario, play)
    except EnvironmentFailure as failure:
        return Trial(scenario, start, at_start, play, at_end, f"{type(failure).__name__}: {failure}")
    return Trial(scenario, start, at_start, play, at_end)


def failing(results: Iterable[CheckResult]) -> str:
    """Name the checks that did not pass, with their errors, in one line."""
    return "; ".join(
        f"{result.text!r}{f' ({result.error})' if result.error else ''}" for result in results if not result.passed
    )


def refusal(step: Step) -> str:
    """Describe a call that was refused in one line."""
    return f"call {step.number + 1} ({step.call.name}) was refused: {step.result.text[:_LONGEST]}"


def is_imported(rehearsal: Rehearsal) -> bool:
    """Return whether a bundle was made by others, who give no solutions and make no promises on splits."""
    return rehearsal.bundle.manifest.provenance.method == "imported"
