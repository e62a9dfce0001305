"""Proof of quality: every environment, scenario and check is tried before it is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envscaler_gym.quality.check import CALLS, check_bundle
from envscaler_gym.quality.parallel import check_all
from envscaler_gym.quality.recording import recorded, write_record
from envscaler_gym.quality.reports import Finding, GateResult, Progress, QualityReport

if TYPE_CHECKING:
    from envscaler_gym.quality.properties.machine import state_machine

__all__ = [
    "CALLS",
    "Finding",
    "GateResult",
    "Progress",
    "QualityReport",
    "check_all",
    "check_bundle",
    "recorded",
    "state_machine",
    "write_record",
]


def __getattr__(name: str) -> Any:
    """Import what needs Hypothesis when it is first asked for."""
    if name == "state_machine":
        from envscaler_gym.quality.properties.machine import state_machine  # noqa: PLC0415

        return state_machine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
