"""Scenarios grown from the tool graph, in the start states that were written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from envscaler_gym.bundle import Bundle
from envscaler_gym.quality.reports import Progress
from envscaler_gym.scenario import Scenario
from envscaler_gym.synthesis.graph.learning import load_graph
from envscaler_gym.synthesis.growth.growing import GrowthReport, grow
from envscaler_gym.synthesis.scenarios.artefacts import GrownScenarios, Rejection, SettledState

__all__ = ["grow_scenarios"]


def grow_scenarios(
    bundle: Bundle,
    settled: Sequence[SettledState],
    scenarios: Mapping[str, Scenario],
    count: int,
    *,
    seed: int,
    on_progress: Progress,
) -> GrownScenarios:
    """Learn the tool graph, and grow scenarios.

    They were executed and their checks tried as they grew; the gates have the last word when they are published.

    Args:
        bundle: The environment.
        settled: Start states to grow in.
        scenarios: Scenarios that there are already, which show what tools do and which ids are taken.
        count: How many scenarios; none is allowed.
        seed: Seed of all choices.
        on_progress: Is told how far it has come.

    Raises:
        IsolationUnavailable: The code is to run in a worker, and this machine cannot lock one down.
    """
    ground = _ground(bundle, settled, scenarios)
    graph = load_graph(ground, seed=seed)
    if count <= 0:
        return GrownScenarios(graph=graph.learnt, start_states=(), scenarios=())
    report = grow(ground, count=count, seed=seed, graph=graph, on_progress=on_progress)
    return GrownScenarios(
        graph=graph.learnt,
        start_states=report.start_states,
        scenarios=report.scenarios,
        facts={name: chain.facts for name, chain in report.chains.items()},
        rejected=_candidates(report),
    )


def _ground(bundle: Bundle, settled: Sequence[SettledState], scenarios: Mapping[str, Scenario]) -> Bundle:
    """Return the environment with its start states, and a scenario at least in each, which says clock and split."""
    used = {scenario.start_state for scenario in scenarios.values()}
    bare = {
        f"at-{each.start.id}": Scenario(
            id=f"at-{each.start.id}", start_state=each.start.id, task="Look around.", clock=each.clock, split=each.split
        )
        for each in settled
        if each.start.id not in used
    }
    starts = {each.start.id: each.start for each in settled}
    return replace(bundle, start_states=starts, scenarios={**scenarios, **bare}, path=None)


def _candidates(report: GrowthReport) -> tuple[Rejection, ...]:
    return tuple(
        Rejection(kind="grown scenario", subject=" ".join(each.tools) or each.start_state, reason=each.reason)
        for each in report.rejected
    )
