"""Gates over checks: they tell every wrong end from the right one, and no right end from another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import CheckResult, Score
from envscaler_gym.errors import EnvironmentFailure, shorten
from envscaler_gym.quality.checks.collateral import all_damage, some_damage
from envscaler_gym.quality.checks.equivalents import differing_paths, generated_keys, other_orders, reads, states_like
from envscaler_gym.quality.checks.mutants import Mutant, Solved, mutants
from envscaler_gym.quality.reports import Finding, GateResult, Progress
from envscaler_gym.quality.scenarios.edits import show_path
from envscaler_gym.quality.scenarios.records import Records
from envscaler_gym.quality.scenarios.rehearsal import Play, Rehearsal, later
from envscaler_gym.quality.scenarios.trials import Trial, failing, is_imported, refusal, try_scenarios
from envscaler_gym.scenario import Scenario

__all__ = ["KILL_RATE", "check_gates"]

KILL_RATE = 0.95
"""Share of the mutants that a bundle's checks must catch."""

_SECONDS = 61  # by which the clock of a replay differs
_BATCH = 200  # damaged states that guards are tried with at a time
_UNSOLVED = "no scenario has a reference solution that scores 1.0"


class _Judged(NamedTuple):
    mutant: Mutant
    score: Score


@dataclass
class _Evidence:
    """What was seen of the checks of one scenario."""

    trial: Trial
    mutants: list[_Judged] = field(default_factory=list)
    damage: list[_Judged] = field(default_factory=list)
    unequal: list[Finding] = field(default_factory=list)
    perhaps_unequal: list[Finding] = field(default_factory=list)
    idle_guards: list[str] = field(default_factory=list)
    failure: str = ""


def check_gates(
    bundle: Bundle,
    scenarios: Sequence[Scenario],
    *,
    seed: int,
    trust: bool = False,
    on_progress: Progress | None = None,
    kill_rate: float = KILL_RATE,
) -> tuple[GateResult, ...]:
    """Try the checks of scenarios on states that are wrong in one thing, and on states that are as good as solved.

    Args:
        bundle: The bundle.
        scenarios: The scenarios, whose start states are the bundle's.
        seed: Seed of what is drawn; equal seeds give equal results.
        trust: Run unreviewed code in this process.
        on_progress: Is told how far it has come.
        kill_rate: Share of the mutants that must be caught.

    Raises:
        IsolationUnavailable: The code is to run in a worker, and this machine cannot lock one down.
    """
    records = Records(bundle)
    with Rehearsal(bundle, seed=seed, trust=trust) as rehearsal:
        imported = is_imported(rehearsal)
        trials = try_scenarios(rehearsal, scenarios, None, "checks")
        evidence = []
        for number, trial in enumerate(trials):
            if on_progress is not None:
                on_progress("checks", number, len(trials))
            evidence.append(_gather(rehearsal, trial, records))
    return (
        _checks_run(evidence, imported=imported),
        _check_mutants(evidence, kill_rate),
        _equivalent_states_pass(evidence),
        _collateral(evidence),
    )


def _gather(rehearsal: Rehearsal, trial: Trial, records: Records) -> _Evidence:
    evidence = _Evidence(trial, failure=trial.failure)
    if trial.play is None or not trial.solved:
        return evidence
    try:
        _try_checks(rehearsal, trial, trial.play, records, evidence)
    except EnvironmentFailure as failure:
        evidence.failure = f"{type(failure).__name__}: {failure}"
    return evidence


def _try_checks(rehearsal: Rehearsal, trial: Trial, play: Play, records: Records, evidence: _Evidence) -> None:
    scenario = trial.scenario
    exempt = _replay(rehearsal, trial, play, evidence)
    generated = generated_keys(scenario, play)
    solved = Solved(play.initial, play.final, generated, exempt)
    wrong = mutants(solved, records)
    damage = list(some_damage(scenario, solved, records, rehearsal.seed))
    equal = [*states_like(play, generated, records), *other_orders(rehearsal, scenario, play, exempt)]
    states = [mutant.state for mutant in (*wrong, *damage)] + [equivalent.state for equivalent in equal]
    scores = rehearsal.grade_all(scenario, play, states)
    judged = [_Judged(*pair) for pair in zip((*wrong, *damage), scores, strict=False)]
    evidence.mutants, evidence.damage = judged[: len(wrong)], judged[len(wrong) :]
    for equivalent, score in zip(equal, scores[len(judged) :], strict=True):
        _expect_solved(evidence, equivalent.defect, score, surely=equivalent.surely)
    evidence.idle_guards = _idle_guards(rehearsal, scenario, play, solved, records, [pair.score for pair in judged])


def _replay(rehearsal: Rehearsal, trial: Trial, play: Play, evidence: _Evidence) -> frozenset[tuple[str | int, ...]]:
    """Play the solution under other circumstances, and return where it may end differently."""
    scenario = trial.scenario
    replays = {
        "the solution works for one seed only": rehearsal.play(scenario, like=play, seed=f"{rehearsal.seed}-other"),
        "the solution works at one time only": rehearsal.play(
            scenario, like=play, clock=later(scenario.clock, _SECONDS)
        ),
        "a read before the solution spoils it": rehearsal.play(
            scenario, like=play, first=reads(rehearsal, scenario, play.initial)
        ),
    }
    for defect, replay in replays.items():
        if replay.refused:
            evidence.unequal.append(trial.finding(defect, refusal(replay.refused[0])))
        else:
            _expect_solved(evidence, defect, rehearsal.grade(scenario, replay))
    return differing_paths(play, [replay for replay in replays.values() if not replay.refused])


def _expect_solved(evidence: _Evidence, defect: str, score: Score, *, surely: bool = True) -> None:
    found = evidence.unequal if surely else evidence.perhaps_unequal
    if score.reward != 1.0 and not any(finding.defect == defect for finding in found):
        message = f"the score is {score.reward}; not passed: {failing(score.checks)}"
        found.append(evidence.trial.finding(defect, message))


def _idle_guards(
    rehearsal: Rehearsal,
    scenario: Scenario,
    play: Play,
    solved: Solved,
    records: Records,
    scores: Iterable[Score],
) -> list[str]:
    """Return the guards that no damage violates, trying more of it as long as there are some."""
    idle = _unviolated(range(len(scenario.guards)), scores)
    states = (mutant.state for mutant in all_damage(solved, records))
    while idle and (batch := [state for state, _ in zip(states, range(_BATCH), strict=False)]):
        idle = _unviolated(idle, rehearsal.grade_all(scenario, play, batch))
    return [scenario.guards[number].text for number in idle]


def _unviolated(numbers: Iterable[int], scores: Iterable[Score]) -> list[int]:
    seen = list(scores)
    return [number for number in numbers if all(score.guards[number].passed for score in seen)]


# --- the gates --------------------------------------------------------------------------------------------------------


def _checks_run(evidence: Sequence[_Evidence], *, imported: bool) -> GateResult:
    findings: list[Finding] = []
    notes: list[Finding] = []
    for seen in evidence:
        trial = seen.trial
        if seen.failure and (not trial.failure or _unanswered(trial)):
            findings.append(trial.finding("the environment fails while its checks are tried", seen.failure))
        if trial.scenario.checks is None:
            ungraded = trial.finding("no checks", "the scenario has no checks and cannot be graded")
            (notes if imported else findings).append(ungraded)
        findings += _errors(trial, "at the start", [trial.at_start])
        findings += _errors(trial, "after the solution", [trial.at_end])
        findings += _errors(trial, "on a mutant", [pair.score for pair in (*seen.mutants, *seen.damage)])
    return GateResult(gate="checks-run", findings=tuple(findings), notes=tuple(notes))


def _unanswered(trial: Trial) -> bool:
    """Return whether checks were asked and did not answer at all."""
    stopped_at_start = trial.start is not None and trial.at_start is None
    stopped_at_end = trial.play is not None and trial.at_end is None
    return trial.scenario.checks is not None and (stopped_at_start or stopped_at_end)


def _errors(trial: Trial, where: str, scores: Iterable[Score | None]) -> Iterator[Finding]:
    errors: dict[str, list[str]] = {}
    for score in scores:
        for result in () if score is None else (*score.checks, *score.guards):
            if result.error is not None:
                errors.setdefault(result.text, []).append(result.error)
    for text, found in errors.items():
        message = f"{shorten(text)} has no answer {where}: {found[0]}"
        yield trial.finding(f"a check has no answer {where}", message, times=len(found))


def _check_mutants(evidence: Sequence[_Evidence], kill_rate: float) -> GateResult:
    survivors, total = [], 0
    for seen in evidence:
        total += len(seen.mutants)
        for mutant, score in seen.mutants:
            if score.reward == 1.0:
                message = (
                    f"{mutant.kind}: {show_path(mutant.path)} is {shorten(mutant.wrong)} instead of "
                    f"{shorten(mutant.right)}, and every check passes"
                )
                survivors.append(seen.trial.finding("a mutant that no check catches", message))
    if not total:
        return GateResult(gate="check-mutants", skipped=_UNSOLVED)
    killed = total - len(survivors)
    passed = killed >= kill_rate * total
    return GateResult(
        gate="check-mutants",
        findings=() if passed else tuple(survivors),
        notes=tuple(survivors) if passed else (),
        figures={"mutants": total, "mutants_killed": killed, "kill_rate": round(killed / total, 4)},
    )


def _equivalent_states_pass(evidence: Sequence[_Evidence]) -> GateResult:
    gate = "equivalent-states-pass"
    if not any(seen.trial.solved for seen in evidence):
        return GateResult(gate=gate, skipped=_UNSOLVED)
    return GateResult(
        gate=gate,
        findings=tuple(finding for seen in evidence for finding in seen.unequal),
        notes=tuple(finding for seen in evidence for finding in seen.perhaps_unequal),
    )


def _collateral(evidence: Sequence[_Evidence]) -> GateResult:
    damage = [pair.score for seen in evidence for pair in seen.damage]
    if not damage:
        return GateResult(gate="collateral", skipped=_UNSOLVED)
    findings = [
        seen.trial.finding("a guard that no damage violates", f"{shorten(text)} passes whatever is damaged")
        for seen in evidence
        for text in seen.idle_guards
    ]
    by_checks = sum(score.reward < 1.0 for score in damage)
    by_guards = sum(_violated(score.guards) for score in damage)
    return GateResult(
        gate="collateral",
        findings=tuple(findings),
        figures={
            "collateral_damages": len(damage),
            "collateral_noticed_by_checks": round(by_checks / len(damage), 4),
            "collateral_noticed_by_guards": round(by_guards / len(damage), 4),
        },
    )


def _violated(guards: Iterable[CheckResult]) -> bool:
    return not all(guard.passed for guard in guards)
