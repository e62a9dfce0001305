"""World gates: what thousands of generated calls show of one environment."""

from __future__ import annotations

from collections.abc import Iterator

from envscaler_gym.bundle import Bundle
from envscaler_gym.quality.probing import Prober, make_prober
from envscaler_gym.quality.reports import Finding, GateResult, Progress
from envscaler_gym.quality.worlds.coverage import LEAST_COVERAGE, branches_gate
from envscaler_gym.quality.worlds.exploring import Explorer
from envscaler_gym.quality.worlds.programs import program_text
from envscaler_gym.quality.worlds.repeatability import repeatability_gates
from envscaler_gym.quality.worlds.shrinking import shrink
from envscaler_gym.quality.worlds.sightings import CALL_GATES, Seen
from envscaler_gym.quality.worlds.tool_sources import tool_sources

__all__ = ["WORLD_GATES", "world_gates"]

WORLD_GATES: tuple[str, ...] = (*CALL_GATES, "succeeds-and-refuses", "branches", "deterministic", "no-shared-state")
"""Names of the gates, in the order of their results."""


def world_gates(
    bundle: Bundle,
    *,
    calls: int = 20_000,
    seed: int = 0,
    trust: bool = False,
    least_coverage: float = LEAST_COVERAGE,
    on_progress: Progress | None = None,
) -> tuple[GateResult, ...]:
    """Try generated calls, valid and invalid, on a bundle's class, and say what is wrong with it.

    Reviewed code is tried in this process, other code in workers. Equal bundles and seeds give equal results.

    Args:
        bundle: The bundle.
        calls: How many calls are tried, about.
        seed: Seed of what is drawn.
        trust: Treat the bundle as reviewed.
        least_coverage: Share of the branches that must be reached, except in imported bundles.
        on_progress: Is told how many calls were tried.

    Returns:
        One result for each of :data:`WORLD_GATES`.

    Raises:
        EnvironmentFailure: The class cannot be executed at all.
        IsolationUnavailable: The bundle is to run in workers, and this machine cannot lock them down.
    """
    with make_prober(bundle, trust=trust) as prober:
        explorer = Explorer(bundle, prober, seed)
        explorer.run(calls, on_progress)
        counts = prober.counts()
        by_call = [_call_gate(bundle, explorer, prober, gate, trust) for gate in CALL_GATES]
    by_call[0] = by_call[0].model_copy(update={"figures": {"calls": explorer.calls}})
    return (
        *by_call,
        _answers_gate(bundle, explorer),
        branches_gate(bundle, counts, explorer.reached, least_coverage),
        *repeatability_gates(bundle, explorer.samples, trust=trust),
    )


def _call_gate(bundle: Bundle, explorer: Explorer, prober: Prober, gate: str, trust: bool) -> GateResult:
    if gate == "invariants-hold" and not prober.invariants:
        return GateResult(gate=gate, skipped="the bundle has no invariants")
    findings = []
    for seen in explorer.sightings.of(gate):
        known = explorer.known(seen.program.start)
        short = shrink(bundle, prober, seen, known) if seen.program.calls else seen
        findings.append(_finding(bundle, short, trust))
    return GateResult(gate=gate, findings=tuple(findings))


def _finding(bundle: Bundle, seen: Seen, trust: bool) -> Finding:
    sighting = seen.sighting
    defect = sighting.shown_by(sighting.message)
    return Finding(
        subject=sighting.tool,
        defect=sighting.defect,
        message=sighting.message,
        example=program_text(bundle, seen.program, defect, sighting.field, trust=trust),
        times=seen.times,
    )


def _answers_gate(bundle: Bundle, explorer: Explorer) -> GateResult:
    """Say which tools never succeeded, and which never refused although their source can.

    Nothing proves that they could not have, so in an imported bundle, which comes without solutions, these are notes.
    """
    unproven = list(_one_sided(bundle, explorer))
    notes = [
        Finding(
            subject=name, defect="a tool without a refusal", message="its source has no result that is not a success"
        )
        for name, source in tool_sources(bundle).items()
        if not source.can_refuse
    ]
    imported = bundle.manifest.provenance.method == "imported"
    tallies = explorer.tallies.values()
    return GateResult(
        gate="succeeds-and-refuses",
        findings=() if imported else tuple(unproven),
        notes=(*unproven, *notes) if imported else tuple(notes),
        figures={
            "tools": len(explorer.tallies),
            "tools_succeeded": sum(tally.succeeded > 0 for tally in tallies),
            "tools_refused": sum(tally.refused > 0 for tally in tallies),
            "calls_succeeded": sum(tally.succeeded for tally in tallies),
            "calls_refused": sum(tally.refused for tally in tallies),
        },
    )


def _one_sided(bundle: Bundle, explorer: Explorer) -> Iterator[Finding]:
    sources = tool_sources(bundle)
    for name, tally in explorer.tallies.items():
        if not tally.succeeded:
            message = f"was called {tally.calls} times and refused {tally.refused} times"
            yield Finding(subject=name, defect="a tool never succeeded", message=message, times=tally.calls)
        if not tally.refused and sources[name].can_refuse:
            message = f"was called {tally.calls} times and succeeded {tally.succeeded} times"
            yield Finding(subject=name, defect="a tool never refused", message=message, times=tally.calls)
