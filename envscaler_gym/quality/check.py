"""All gates over one bundle."""

from __future__ import annotations

from envscaler_gym.bundle import Bundle
from envscaler_gym.quality.checks.gates import check_gates
from envscaler_gym.quality.reports import Progress, QualityReport
from envscaler_gym.quality.rules.gate import invariant_gate
from envscaler_gym.quality.scenarios.gates import scenario_gates
from envscaler_gym.quality.worlds.gates import world_gates

__all__ = ["CALLS", "check_bundle"]

CALLS = 20_000
"""Calls that an environment is tried with unless told otherwise."""


def check_bundle(
    bundle: Bundle, *, calls: int = CALLS, seed: int = 0, trust: bool = False, on_progress: Progress | None = None
) -> QualityReport:
    """Put a bundle through every gate.

    Code that nobody has reviewed runs in a locked-down worker.

    Args:
        bundle: The bundle.
        calls: How many generated calls its tools are tried with.
        seed: Seed of what is generated; equal seeds give equal reports.
        trust: Run unreviewed code in this process.
        on_progress: Is told how far it has come.

    Raises:
        IsolationUnavailable: The code is to run in a worker, and this machine cannot lock one down.
    """
    scenarios = tuple(bundle.scenarios.values())
    return QualityReport(
        id=bundle.id,
        bundle=bundle.digest,
        seed=seed,
        gates=(
            *world_gates(bundle, calls=calls, seed=seed, trust=trust, on_progress=on_progress),
            invariant_gate(bundle, seed=seed, trust=trust),
            *scenario_gates(bundle, scenarios, seed=seed, trust=trust, on_progress=on_progress),
            *check_gates(bundle, scenarios, seed=seed, trust=trust, on_progress=on_progress),
        ),
    )
