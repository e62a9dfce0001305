"""What comes with the library has passed every gate. Driven by the registry, without exemptions."""

from __future__ import annotations

from functools import lru_cache

import pytest

from envscaler_gym import registry
from envscaler_gym.quality import CALLS, QualityReport, check_bundle

IDS = registry.shipped_ids()


@lru_cache
def report(id_: str) -> QualityReport:
    return check_bundle(registry.get_bundle(id_), calls=CALLS)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("id_", IDS)
def test_every_gate_passes(id_: str) -> None:
    found = report(id_)
    assert not found.findings, "\n".join(f"{finding.subject}: {finding.message}" for finding in found.findings)
    assert not [gate.gate for gate in found.gates if gate.skipped]


@pytest.mark.parametrize("id_", IDS)
def test_the_record_is_of_this_very_bundle_and_of_the_whole_number_of_calls(id_: str) -> None:
    record = registry.get_bundle(id_).quality
    assert record is not None, f"the record is missing or void: run 'envscaler check {id_} --record'"
    assert record.passed
    assert record.figures["calls"] >= CALLS
    assert record.figures["kill_rate"] >= 0.95
    assert list(record.gates) == [gate.gate for gate in report(id_).gates]


def test_the_kill_rate_over_everything() -> None:
    figures = [record.figures for id_ in IDS if (record := registry.get_bundle(id_).quality) is not None]
    assert len(figures) == len(IDS)
    assert sum(f["mutants_killed"] for f in figures) >= 0.98 * sum(f["mutants"] for f in figures)
