"""The world gates on a sample of the published environments, where it lies beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from envscaler_gym.bundle import Bundle
from envscaler_gym.formats import import_envscaler
from envscaler_gym.quality.reports import GateResult
from envscaler_gym.quality.worlds.gates import world_gates

SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "data" / "envscaler_sample"
pytestmark = pytest.mark.skipif(not SAMPLE.is_dir(), reason="the published sample is not beside this checkout")


def bundle_of(env_id: str) -> Bundle:
    report = import_envscaler(SAMPLE / "env_metadata.json", [SAMPLE / "rl_scenario_metadata.json"])
    return next(bundle for bundle in report.bundles if bundle.manifest.provenance.env_id == env_id)


def gates_of(env_id: str) -> dict[str, GateResult]:
    return {result.gate: result for result in world_gates(bundle_of(env_id), calls=4000)}


def test_a_tool_that_changes_the_state_while_it_refuses_is_found() -> None:
    gates = gates_of("env_181_rl")
    assert [finding.subject for finding in gates["refusal-keeps-state"].findings] == ["update_folder"]
    live = [finding for finding in gates["no-aliasing"].findings if finding.defect.startswith("a result holds")]
    assert {"get_bookmark_by_id", "list_folders", "list_tags"} <= {finding.subject for finding in live}
    sound = ("never-raises", "result-shape", "read-keeps-state", "state-is-json", "state-fits-types", "branches")
    assert [name for name in (*sound, "deterministic", "no-shared-state") if not gates[name].passed] == []


def test_an_answer_that_can_never_be_given_is_found() -> None:
    gates = gates_of("env_147_rl")
    (finding,) = gates["branches"].findings
    assert (finding.subject, finding.defect) == ("check_if_loan_is_overdue", "a statement that can never complete")
    assert "module 'datetime' has no attribute 'strptime'" in finding.message
    assert [name for name, result in gates.items() if not result.passed] == ["no-aliasing", "branches"]
