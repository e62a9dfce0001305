"""What the gates say of scenarios that others have published."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest

from envscaler_gym.bundle import Bundle
from envscaler_gym.env import ToolEnv
from envscaler_gym.formats import import_envscaler
from envscaler_gym.quality.checks.gates import check_gates
from envscaler_gym.quality.reports import GateResult
from envscaler_gym.quality.rules.gate import invariant_gate
from envscaler_gym.quality.scenarios.gates import scenario_gates

SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "data" / "envscaler_sample"
pytestmark = pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"the sample of published data is not at {SAMPLE}")


@lru_cache
def bundles() -> tuple[Bundle, ...]:
    return import_envscaler(SAMPLE / "env_metadata.json", [SAMPLE / "rl_scenario_metadata.json"]).bundles


@lru_cache
def results(number: int) -> dict[str, GateResult]:
    bundle = bundles()[number]
    scenarios = tuple(bundle.scenarios.values())
    found = (*scenario_gates(bundle, scenarios, seed=0), *check_gates(bundle, scenarios, seed=0))
    return {result.gate: result for result in (*found, invariant_gate(bundle, seed=0))}


def test_defects_are_counted_by_class() -> None:
    found = [result for number in range(len(bundles())) for result in results(number).values()]
    counts = Counter(finding.defect for result in found for finding in result.findings)
    assert counts == {
        "check already true at the start": 50,
        "do-nothing agent is rewarded": 19,
        "a start state does not fit its types": 8,
    }
    notes = Counter(note.defect for result in found for note in result.notes)
    assert notes == {"unsolved: no reference known": 24}


@pytest.mark.parametrize("number", range(6))
def test_the_reward_of_doing_nothing_is_what_the_environment_gives(number: int, tmp_path: Path) -> None:
    bundle = bundles()[number]
    bundle.save(tmp_path / "bundle")
    with ToolEnv(str(tmp_path / "bundle")) as env:
        rewards = []
        for scenario in bundle.scenarios:
            env.reset(seed=0, options={"scenario": scenario})
            rewards.append(float(env.step({"content": ""})[1]))
    result = results(number)["do-nothing"]
    assert result.figures["do_nothing_reward"] == round(sum(rewards) / len(rewards), 4)
    rewarded = [scenario for scenario, reward in zip(bundle.scenarios, rewards, strict=True) if reward > 0]
    assert [finding.subject for finding in result.findings] == rewarded


def test_fields_that_the_types_do_not_have() -> None:
    """``status_history`` of reminders and ``deleted`` of mood entries stand in the data and in no type."""
    found = [
        (bundle, finding)
        for number, bundle in enumerate(bundles())
        for finding in results(number)["start-states"].findings
    ]
    assert {bundle.id for bundle, _ in found} == {
        "imported/MobileReminderSystem-v0",
        "imported/PersonalMoodTrackingApplication-v0",
    }
    for bundle, finding in found:
        field = "status_history" if "Reminder" in bundle.id else "deleted"
        assert f".{field}: extra inputs are not permitted" in finding.message
        assert f"    {field}:" not in bundle.source


def test_gates_that_need_a_solution_are_skipped() -> None:
    skipped = {gate for gate, result in results(0).items() if result.skipped}
    assert {"every-write-matters", "findable-ids", "check-mutants", "collateral", "invariants-have-teeth"} <= skipped
