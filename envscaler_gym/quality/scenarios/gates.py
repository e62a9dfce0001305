"""Gates over scenarios: they start well, can be solved, are not solved already, and say what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import CheckResult
from envscaler_gym.errors import EnvironmentFailure, shorten
from envscaler_gym.quality.probing import make_prober
from envscaler_gym.quality.reports import Finding, GateResult, Progress
from envscaler_gym.quality.scenarios.edits import Path, show_path
from envscaler_gym.quality.scenarios.records import Records
from envscaler_gym.quality.scenarios.rehearsal import Rehearsal
from envscaler_gym.quality.scenarios.solution_gates import every_write_matters, findable_ids, reference_solution
from envscaler_gym.quality.scenarios.trials import Trial, failing, is_imported, try_scenarios
from envscaler_gym.quality.state_types import StateTypes
from envscaler_gym.scenario import Scenario
from envscaler_gym.state import digest

__all__ = ["scenario_gates"]

_GATES = (
    "start-states",
    "reference-solution",
    "do-nothing",
    "checks-false-at-start",
    "checks-true-at-end",
    "guards",
    "every-write-matters",
    "findable-ids",
    "distinct-scenarios",
    "splits",
)


def scenario_gates(
    bundle: Bundle,
    scenarios: Sequence[Scenario],
    *,
    seed: int,
    trust: bool = False,
    on_progress: Progress | None = None,
) -> tuple[GateResult, ...]:
    """Start, leave alone and solve scenarios, and say what is wrong with them.

    Of bundles that were made by others, missing solutions are noted and the splits are left as they are.

    Args:
        bundle: The bundle.
        scenarios: The scenarios, whose start states are the bundle's.
        seed: Seed of ids and randomness; equal seeds give equal results.
        trust: Run unreviewed code in this process.
        on_progress: Is told how far it has come.

    Raises:
        IsolationUnavailable: The code is to run in a worker, and this machine cannot lock one down.
    """
    if not scenarios:
        return tuple(GateResult(gate=gate, skipped="the bundle has no scenarios") for gate in _GATES)
    with Rehearsal(bundle, seed=seed, trust=trust) as rehearsal:
        imported = is_imported(rehearsal)
        trials = try_scenarios(rehearsal, scenarios, on_progress, "scenarios")
        return (
            _start_states(bundle, scenarios, trials, trust=trust),
            reference_solution(trials, imported=imported),
            _do_nothing(trials),
            _checks_false_at_start(trials),
            _checks_true_at_end(trials),
            _guards(trials),
            every_write_matters(rehearsal, trials),
            findable_ids(rehearsal, trials),
            _distinct(bundle, scenarios),
            _splits(bundle, scenarios, imported=imported),
        )


def _start_states(bundle: Bundle, scenarios: Sequence[Scenario], trials: Sequence[Trial], *, trust: bool) -> GateResult:
    """Start states are JSON, fit their types, refer to what is there and keep every rule."""
    findings = [
        Finding(subject=trial.scenario.start_state, defect="a start state cannot be loaded", message=trial.failure)
        for trial in trials
        if trial.start is None
    ]
    used = {scenario.start_state for scenario in scenarios}
    states = {trial.scenario.start_state: trial.start.initial for trial in trials if trial.start is not None}
    types, records = StateTypes.of(bundle), Records(bundle)
    for name in sorted(used):
        raw = dict(bundle.start_states[name].state)
        findings += _about(name, "a start state is not JSON", list(_not_json(raw)))
    for name, state in sorted(states.items()):
        findings += _about(name, "a start state does not fit its types", types.problems(state))
        findings += _about(name, "a reference in a start state leads nowhere", records.misfits(state))
    if bundle.invariants_source is not None and states:
        findings += _broken_rules(bundle, dict(sorted(states.items())), trust=trust)
    return GateResult(gate="start-states", findings=tuple(findings), figures={"start_states": len(used)})


def _not_json(value: Any, path: Path = ()) -> Iterator[str]:
    """Say what in a value would not come back from JSON as it is."""
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, str):
                yield from _not_json(item, (*path, key))
            else:
                yield f"{show_path(path)} has the key {shorten(key)}"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _not_json(item, (*path, index))
    elif not (value is None or isinstance(value, str | bool | int | float)) or value != value:  # noqa: PLR0124 - NaN
        yield f"{show_path(path)} is {shorten(value)}"


def _about(subject: str, defect: str, problems: Sequence[str]) -> Iterator[Finding]:
    if problems:
        yield Finding(subject=subject, defect=defect, message="; ".join(problems[:5]), times=len(problems))


def _broken_rules(bundle: Bundle, states: Mapping[str, Mapping[str, Any]], *, trust: bool) -> Iterator[Finding]:
    try:
        with make_prober(bundle, trust=trust) as prober:
            found = prober.violations(list(states.values()))
    except EnvironmentFailure as failure:
        yield Finding(subject=bundle.id, defect="the invariants cannot be run", message=str(failure))
        return
    for name, violations in zip(states, found, strict=True):
        for invariant, lines in sorted(violations.items()):
            yield from _about(name, "a start state breaks a rule", [f"{invariant}: {line}" for line in lines])


def _do_nothing(trials: Sequence[Trial]) -> GateResult:
    """An agent that does nothing earns nothing."""
    graded = [(trial, trial.at_start.reward) for trial in trials if trial.at_start is not None]
    if not graded:
        return GateResult(gate="do-nothing", skipped="no scenario can be graded")
    mean = round(sum(reward for _, reward in graded) / len(graded), 4)
    return GateResult(
        gate="do-nothing",
        findings=tuple(
            trial.finding("do-nothing agent is rewarded", f"doing nothing scores {reward}")
            for trial, reward in graded
            if reward > 0
        ),
        figures={"do_nothing_reward": mean},
    )


def _checks_false_at_start(trials: Sequence[Trial]) -> GateResult:
    """No check is true before anything was done."""
    findings = [
        trial.finding("check already true at the start", f"{shorten(result.text, 200)} is true at the start")
        for trial in trials
        if trial.at_start is not None
        for result in trial.at_start.checks
        if result.passed
    ]
    total = sum(len(trial.scenario.checks or ()) for trial in trials)
    if not total:
        return GateResult(gate="checks-false-at-start", skipped="no scenario has checks")
    figures = {"checks": total, "checks_true_at_start": len(findings)}
    return GateResult(gate="checks-false-at-start", findings=tuple(findings), figures=figures)


def _checks_true_at_end(trials: Sequence[Trial]) -> GateResult:
    """Every check is true after the reference solution."""
    solved = [trial for trial in trials if trial.at_end is not None]
    if not solved:
        return GateResult(gate="checks-true-at-end", skipped="no scenario has a reference solution that can be graded")
    findings = [
        trial.finding("check false after the reference solution", failing([result]))
        for trial in solved
        for result in ([] if trial.at_end is None else trial.at_end.checks)
        if not result.passed
    ]
    return GateResult(gate="checks-true-at-end", findings=tuple(findings))


def _guards(trials: Sequence[Trial]) -> GateResult:
    """Every guard is true at the start and after the reference solution."""
    guarded = [trial for trial in trials if trial.scenario.guards]
    if not guarded:
        return GateResult(gate="guards", skipped="no scenario has guards")
    findings = [finding for trial in guarded for finding in _violated(trial)]
    figures = {"guards": sum(len(trial.scenario.guards) for trial in guarded)}
    return GateResult(gate="guards", findings=tuple(findings), figures=figures)


def _violated(trial: Trial) -> Iterator[Finding]:
    for where, score in (("at the start", trial.at_start), ("after the reference solution", trial.at_end)):
        results: Sequence[CheckResult] = () if score is None else score.guards
        for result in results:
            if not result.passed:
                yield trial.finding(f"guard violated {where}", failing([result]))


def _distinct(bundle: Bundle, scenarios: Sequence[Scenario]) -> GateResult:
    """No two scenarios give the same task in the same start state."""
    first: dict[tuple[str, str], str] = {}
    findings = []
    for scenario in scenarios:
        task = " ".join(scenario.task.casefold().split())
        twin = first.setdefault((task, _content(bundle, scenario)), scenario.id)
        if twin != scenario.id:
            message = f"the task and the start state are those of {twin!r}"
            findings.append(Finding(subject=scenario.id, defect="equal scenarios", message=message))
    return GateResult(gate="distinct-scenarios", findings=tuple(findings))


def _splits(bundle: Bundle, scenarios: Sequence[Scenario], *, imported: bool) -> GateResult:
    """Training and test scenarios begin in different start states."""
    if imported:
        return GateResult(gate="splits", skipped="the scenarios were split by others")
    if len({scenario.split for scenario in scenarios}) < 2:
        return GateResult(gate="splits", skipped="there is one split only")
    trained = {_content(bundle, scenario): scenario for scenario in reversed(scenarios) if scenario.split == "train"}
    findings = []
    for scenario in scenarios:
        twin = trained.get(_content(bundle, scenario))
        if scenario.split == "test" and twin is not None:
            message = (
                f"it begins as {twin.id!r} does, which is for training ({scenario.start_state}, {twin.start_state})"
            )
            findings.append(Finding(subject=scenario.id, defect="train and test share a start state", message=message))
    return GateResult(gate="splits", findings=tuple(findings))


def _content(bundle: Bundle, scenario: Scenario) -> str:
    return digest(bundle.start_states[scenario.start_state].state)
