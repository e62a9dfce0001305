"""All of assessment, with the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from envscaler_gym.llm.together import together
from envscaler_gym.quality.reports import Finding
from envscaler_gym.scenario import Scenario
from envscaler_gym.state import to_json
from envscaler_gym.synthesis.artefacts import Made
from envscaler_gym.synthesis.assessment.gates import Gates, run_gates
from envscaler_gym.synthesis.assessment.rounds import Round, Session, run_session
from envscaler_gym.synthesis.assessment.sample_state import CLOCK, write_sample_state
from envscaler_gym.synthesis.coding import Draft
from envscaler_gym.synthesis.environment import draft_bundle
from envscaler_gym.synthesis.skeleton import Skeleton
from envscaler_gym.synthesis.workshop import Workshop
from envscaler_gym.types import JSON

__all__ = ["Assessment", "assess"]

SAMPLE = "sample"
"""Id of the start state that environments are assessed on."""


class Assessment(NamedTuple):
    """What was found out about a draft.

    Attributes:
        passed: Whether it is good enough.
        summary: What came out, in a sentence.
        findings: What to mend.
        state: The state that it was tried on.
        rounds: The rounds of the agents; none where the gates found something.
    """

    passed: bool
    summary: str
    findings: tuple[Finding, ...]
    state: Mapping[str, JSON] = {}
    rounds: tuple[Round, ...] = ()

    @property
    def pass_rate(self) -> float:
        """Share of the rounds that passed, 0 to 1; 0 where there were none."""
        return self.verdicts.get("pass", 0) / max(len(self.rounds), 1)

    @property
    def verdicts(self) -> dict[str, int]:
        """Number of rounds by verdict."""
        return dict(sorted(Counter(played.verdict for played in self.rounds).items()))

    @property
    def failures(self) -> int:
        """Number of rounds that were judged failures."""
        return self.verdicts.get("fail", 0)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was found wanting, a line each: by the agents, or by the gates before them."""
        if self.rounds:
            judged = [each for each in self.rounds if each.verdict != "pass"]
            return tuple(f"{each.tool or 'no call'}: {each.verdict}: {each.reason}" for each in judged)
        return tuple(f"{each.subject}: {each.defect}: {each.message.partition(chr(10))[0]}" for each in self.findings)


async def assess(workshop: Workshop, slug: str, skeleton: Made[Skeleton], draft: Made[Draft]) -> Assessment:
    """Try a draft: statically, by the gates on a sample state, then by the agents. The first to find fault ends it.

    Raises:
        RunStopped: The model cannot be asked now.
        IsolationUnavailable: This machine cannot run code that nobody has reviewed.
    """
    plan, code = skeleton.value, draft.value
    if code.problems:
        return _failed("the static gate", [_finding(plan.class_name, "static gate", line) for line in code.problems])
    sample = await write_sample_state(workshop, slug, skeleton, code)
    if sample.value.problem:
        finding = _finding("invariants", "no state satisfies types and rules", sample.value.problem)
        return _failed("the sample state", [finding])
    state = sample.value.state
    bundle = draft_bundle(plan, code.source, code.invariants_source, {SAMPLE: state}, workshop.settings.namespace)
    # The gates begin their episodes in scenarios, and in one that nothing is known of here.
    trial = Scenario(id=SAMPLE, start_state=SAMPLE, task="Assessment.", clock=CLOCK)
    bundle = replace(bundle, scenarios={SAMPLE: trial})
    rules = [rule.text for rule in plan.rules]
    parents = [draft.digest, sample.digest]
    gates = await workshop.make(
        "assessment", slug, Gates, lambda desk: run_gates(desk, bundle), parents=parents, part="gates"
    )
    if gates.value.findings:
        return _failed("the gates", gates.value.findings)
    settings = workshop.settings
    shares = [len(range(number, settings.rounds, settings.sessions)) for number in range(settings.sessions)]
    sessions = await together(
        workshop.make(
            "assessment",
            slug,
            Session,
            partial(run_session, bundle=bundle, rules=rules, state=state, number=number, rounds=share),
            parents=[*parents, gates.digest],
            part=f"session {number}",
        )
        for number, share in enumerate(shares)
        if share
    )
    rounds = tuple(played for session in sessions for played in session.value.rounds)
    return _judged(rounds, settings.pass_rate, state)


def _judged(rounds: tuple[Round, ...], least: float, state: Mapping[str, JSON]) -> Assessment:
    passed = sum(played.verdict == "pass" for played in rounds)
    rate = passed / len(rounds)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(Counter(r.verdict for r in rounds).items()))
    summary = f"{passed} of {len(rounds)} rounds passed ({rate:.1%}, at least {least:.0%} must): {counts}"
    failed = [_finding(played.tool, "judged a failure", _told(played)) for played in rounds if played.verdict == "fail"]
    warned = [_finding(played.tool, "judged a flaw", _told(played)) for played in rounds if played.verdict == "warning"]
    return Assessment(rate >= least, summary, (*failed, *warned), state, rounds)


def _failed(what: str, findings: list[Finding] | tuple[Finding, ...]) -> Assessment:
    defects = Counter(finding.defect for finding in findings)
    counted = ", ".join(f"{defect} ({count})" for defect, count in defects.most_common())
    return Assessment(False, f"{what} found {len(findings)} defects: {counted}", tuple(findings))


def _finding(subject: str, defect: str, message: str) -> Finding:
    return Finding(subject=subject, defect=defect, message=message)


def _told(played: Round) -> str:
    changed = "; ".join(played.changes) or "nothing"
    call = f"{played.tool}({to_json(dict(played.arguments))})"
    return f"{call} returned {played.result} and changed {changed}. {played.reason}"
