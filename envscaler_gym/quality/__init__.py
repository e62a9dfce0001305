"""Proof of quality: every environment, scenario and check is tried before it is trusted."""

from envscaler_gym.quality.reports import Finding, GateResult, QualityReport

__all__ = ["Finding", "GateResult", "QualityReport"]
