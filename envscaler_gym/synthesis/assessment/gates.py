"""The machine's part of assessment: what needs no judgement."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from envscaler_gym.bundle import Bundle
from envscaler_gym.data import Data
from envscaler_gym.quality.reports import Finding, GateResult
from envscaler_gym.quality.rules.gate import invariant_gate
from envscaler_gym.quality.worlds.gates import world_gates
from envscaler_gym.synthesis.workshop import Desk

__all__ = ["Gates", "run_gates"]


class Gates(Data):
    """What the gates found.

    Attributes:
        results: Result of each gate.
    """

    results: Annotated[tuple[GateResult, ...], Field(strict=False)]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All defects, in the order of the gates."""
        return tuple(finding for result in self.results for finding in result.findings)


async def run_gates(desk: Desk, bundle: Bundle) -> Gates:
    """Try a bundle with generated calls, and its invariants with states that break them."""
    settings = desk.settings
    world = await desk.compute(
        world_gates, bundle, calls=settings.gate_calls, seed=settings.seed, trust=False, on_progress=desk.progress
    )
    invariants = await desk.compute(invariant_gate, bundle, seed=settings.seed, trust=False)
    return Gates(results=(*world, invariants))
