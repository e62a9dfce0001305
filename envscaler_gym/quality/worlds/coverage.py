"""Coverage: which branches of the source the calls have reached, and which statements never complete."""

from __future__ import annotations

import re
from collections.abc import Container

from envscaler_gym.bundle import Bundle
from envscaler_gym.isolation.instrument import Arm, Caught
from envscaler_gym.quality.probing import Counts, counted
from envscaler_gym.quality.reports import Finding, GateResult

__all__ = ["LEAST_COVERAGE", "branches_gate"]

LEAST_COVERAGE = 0.9
"""Share of the branches that calls must reach, in a bundle that was not imported."""

_ENOUGH = 20  # times that a statement must have begun before it is said never to complete
_BROKEN = frozenset({"NameError", "UnboundLocalError", "ImportError", "ModuleNotFoundError"})
_SIGNATURE = re.compile(r"positional argument|unexpected keyword argument|not callable|required keyword-only argument")


def branches_gate(bundle: Bundle, counts: Counts, reached: Container[int], least: float = LEAST_COVERAGE) -> GateResult:
    """Say which branches were not reached, and which statements can never complete.

    Branches of special methods, the constructor for one, do not count.

    Args:
        bundle: The bundle.
        counts: What was counted.
        reached: Counters that are known to have counted, also in workers that have ended.
        least: Share that must be reached, except in imported bundles.
    """
    arms = [arm for arm in counted(bundle.source).arms if not arm.function.rpartition(".")[2].startswith("__")]
    missed = [arm for arm in arms if not counts.counts[arm.counter] and arm.counter not in reached]
    share = 1 - len(missed) / len(arms) if arms else 1.0
    lines = bundle.source.splitlines()
    broken, doubtful = _incomplete(bundle, counts)
    findings = list(broken)
    if share < least and bundle.manifest.provenance.method != "imported":
        message = f"{len(arms) - len(missed)} of {len(arms)} branches are reached, a share of at least {least} must be"
        findings.append(
            Finding(subject=bundle.manifest.class_name, defect="too few branches are reached", message=message)
        )
    if not bundle.scenarios:
        message = "the bundle has no scenarios, so every episode began in an empty state"
        doubtful.insert(0, Finding(subject=bundle.manifest.class_name, defect="nowhere to start", message=message))
    unreached = sorted(missed, key=lambda arm: (arm.line, arm.counter))
    return GateResult(
        gate="branches",
        findings=tuple(findings),
        notes=(*doubtful, *(_unreached(arm, lines) for arm in unreached)),
        figures={
            "branches": len(arms),
            "branches_reached": len(arms) - len(missed),
            "branch_coverage": round(share, 4),
        },
    )


def _unreached(arm: Arm, lines: list[str]) -> Finding:
    message = f"line {arm.line}, {arm.what}: {lines[arm.line - 1].strip()}"
    return Finding(subject=_short(arm.function), defect="a branch that was not reached", message=message)


def _incomplete(bundle: Bundle, counts: Counts) -> tuple[list[Finding], list[Finding]]:
    """Return the statements that cannot complete, and those of which that is only likely.

    What failed must be the fault of the code alone: a name, attribute or import that does not exist, or a call that
    does not fit its function. Other exceptions may depend on values that were not tried.
    """
    broken: list[Finding] = []
    doubtful: list[Finding] = []
    lines = bundle.source.splitlines()
    caught = {swallowed.line: swallowed for swallowed in counts.caught}
    for statement in counted(bundle.source).statements:
        begun = counts.counts[statement.entered]
        swallowed = next((caught[line] for line in range(statement.line, statement.last + 1) if line in caught), None)
        if begun < _ENOUGH or swallowed is None or any(counts.counts[counter] for counter in statement.completed):
            continue
        certain = swallowed.same and _is_certain(swallowed)
        (broken if certain else doubtful).append(
            Finding(
                subject=_short(statement.function),
                defect="a statement that can never complete" if certain else "a statement that never completed",
                message=f"line {statement.line}: {lines[statement.line - 1].strip()}: began {begun} times and never "
                f"completed; {swallowed.kind} was swallowed: {swallowed.message}",
                times=begun,
            )
        )
    return broken, doubtful


def _is_certain(swallowed: Caught) -> bool:
    if swallowed.kind == "TypeError":
        return _SIGNATURE.search(swallowed.message) is not None
    return swallowed.kind in _BROKEN or swallowed.of in ("module", "class")


def _short(function: str) -> str:
    return function.partition(".")[2] or function
