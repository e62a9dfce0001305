"""What is published has passed every gate, says how it came about, replaces nothing, and can be made at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from envscaler_gym import registry
from envscaler_gym.bundle import FILES, Bundle, load_bundle
from envscaler_gym.quality.recording import recorded
from envscaler_gym.quality.reports import Finding, QualityReport
from envscaler_gym.scenario import Scenario
from envscaler_gym.synthesis.assessment import Assessment
from envscaler_gym.synthesis.assessment.rounds import Round, Verdict
from envscaler_gym.synthesis.publication import Published, assessment_record, publish, save_bundle
from envscaler_gym.synthesis.scenarios import GeneratedScenarios, generate_scenarios
from tests.synthesis import shed_author, tool_shed
from tests.synthesis.shed_author import Author, check, workshop

pytestmark = pytest.mark.usefixtures("clean_registry")


def generated() -> GeneratedScenarios:
    shop = workshop(Author(), start_states=2, scenarios=4)
    return asyncio.run(generate_scenarios(shop, "tool_shed", tool_shed.bundle()))


def published(out: Path, scenarios: GeneratedScenarios, bundle: Bundle | None = None) -> Published:
    shop = workshop(Author(), gate_calls=1000)
    environment = bundle or tool_shed.bundle()
    return asyncio.run(publish(shop, "tool_shed", environment, scenarios, (), answered="by a script", out=out))


@pytest.fixture(scope="module")
def scenarios() -> GeneratedScenarios:
    return generated()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, scenarios: GeneratedScenarios) -> Published:
    return published(tmp_path_factory.mktemp("home") / "envs", scenarios)


def test_a_run_ends_in_an_environment_that_the_next_process_can_make(
    first: Published, run_python: Callable[..., str]
) -> None:
    assert (first.passed, first.id, first.dropped) == (True, "toys/ToolShed-v0", ())
    folder = Path(first.path)
    assert folder.name == "tool_shed"
    assert list(folder.parent.iterdir()) == [folder]
    program = """
import gymnasium as gym, envscaler_gym
env = gym.make("toys/ToolShed-v0", split="train").unwrapped
rewards = []
for scenario in envscaler_gym.registry.get_bundle("toys/ToolShed-v0").scenarios.values():
    if scenario.split == "train":
        env.reset(options={"scenario": scenario.id})
        for call in scenario.solution:
            env.step({"name": call.name, "arguments": dict(call.arguments)})
        rewards.append(env.step({"content": "Done."})[1])
env.close()
print(rewards)
"""
    rewards = json.loads(run_python(program, ENVSCALER_HOME=str(folder.parent.parent)))
    assert len(rewards) >= 2
    assert set(rewards) == {1.0}


def test_the_manifest_says_how_it_came_about_and_what_the_gates_found(first: Published) -> None:
    bundle = load_bundle(Path(first.path))
    record = bundle.manifest.synthesis
    assert record is not None
    assert record.answered == "by a script"
    assert set(record.models) == {"start-states", "tasks", "checks", "solver", "rewriting"}
    assert set(record.prompts) == {"start_state", "tasks", "checks", "solver", "rewriting"}
    assert record.calls > 15
    assert record.cost_usd is None
    assert bundle.quality is not None
    assert bundle.quality.passed
    assert bundle.quality.gates["never-raises"]
    assert bundle.quality.figures["kill_rate"] >= 0.95
    assert bundle.manifest.graph is not None
    assert bundle.manifest.graph.data["return_tool"]["loan_id"]["list_loans"] > 0
    splits = {scenario.start_state.partition("-grown")[0]: scenario.split for scenario in bundle.scenarios.values()}
    assert splits == {"mill-lane": "train", "sakura-dori": "test"}
    assert bundle.scenarios["lend-trimmer-2"].split == "test"


def test_the_same_answers_give_the_same_bytes(first: Published, tmp_path: Path) -> None:
    second = Path(published(tmp_path, generated()).path)
    assert {name: (second / name).read_bytes() for name in FILES} == {
        name: (Path(first.path) / name).read_bytes() for name in FILES
    }


def test_an_environment_with_a_defect_is_not_published(tmp_path: Path, scenarios: GeneratedScenarios) -> None:
    bundle = tool_shed.bundle()
    careless = bundle.source.replace(
        '            return {"success": False, "error": "There is no such open loan."}',
        '            self.loans.pop("LN-103", None)\n'
        '            return {"success": False, "error": "There is no such open loan."}',
    )
    assert careless != bundle.source
    result = published(tmp_path, scenarios, replace(bundle, source=careless))
    assert not result.passed
    assert result.path == ""
    assert "return_tool" in result.reason
    assert list(tmp_path.iterdir()) == []


def test_scenarios_with_defects_are_taken_out_and_named(tmp_path: Path, scenarios: GeneratedScenarios) -> None:
    true = check("Is Ada known?", "'N-07' in final_state['neighbours']")
    checks = Scenario.model_validate({"id": "x", "start_state": "x", "task": "x", "checks": [true]}).checks
    spoiled = scenarios.scenarios["lend-trimmer"].model_copy(update={"checks": checks})
    with_slip = scenarios._replace(scenarios={**scenarios.scenarios, "lend-trimmer": spoiled})
    result = published(tmp_path, with_slip)
    assert result.passed
    assert [(each.kind, each.subject) for each in result.dropped] == [("scenario", "lend-trimmer")]
    assert "Is Ada known?" in result.dropped[0].reason
    kept = load_bundle(Path(result.path)).scenarios
    assert "lend-trimmer" not in kept
    assert len(kept) == result.scenarios == len(scenarios.scenarios) - 1


REPORT = QualityReport(id="toys/ToolShed-v0", bundle="", seed=0, gates=())


def shed(task: str = shed_author.LEND, source: str = tool_shed.SOURCE) -> Bundle:
    scenario = Scenario(id="only", start_state="mill", task=task)
    return replace(tool_shed.bundle(mill=tool_shed.state()), scenarios={"only": scenario}, source=source)


def test_the_same_bundle_is_left_where_it_is(tmp_path: Path) -> None:
    path, note = save_bundle(shed(), REPORT, tmp_path)
    before = {file: file.stat().st_mtime_ns for file in path.iterdir()}
    again, second_note = save_bundle(shed(), REPORT, tmp_path)
    assert (path.name, note) == ("tool_shed", "")
    assert again == path
    assert second_note == "toys/ToolShed-v0 was there already, and is the same"
    assert {file: file.stat().st_mtime_ns for file in path.iterdir()} == before


def test_the_same_environment_with_other_scenarios_is_the_next_version(tmp_path: Path) -> None:
    first, _ = save_bundle(shed(), REPORT, tmp_path)
    before = (first / "scenarios.jsonl").read_bytes()
    names = [save_bundle(shed(task), REPORT, tmp_path) for task in ("Something else.", "Yet another thing.")]
    assert [(path.name, note) for path, note in names] == [
        ("tool_shed_v1", "toys/ToolShed-v0 is taken, so it is toys/ToolShed-v1"),
        ("tool_shed_v2", "toys/ToolShed-v0 is taken, so it is toys/ToolShed-v2"),
    ]
    assert load_bundle(names[1][0]).id == "toys/ToolShed-v2"
    assert (first / "scenarios.jsonl").read_bytes() == before


def test_a_different_environment_of_the_same_name_gets_a_number(tmp_path: Path) -> None:
    save_bundle(shed(), REPORT, tmp_path)
    other = shed(source=tool_shed.SOURCE + "\n\nOTHER = 1\n")
    path, note = save_bundle(other, REPORT, tmp_path)
    assert (path.name, load_bundle(path).id) == ("tool_shed2", "toys/ToolShed2-v0")
    assert note == "toys/ToolShed-v0 is taken, so it is toys/ToolShed2-v0"


def test_folders_that_hold_something_else_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tool_shed").mkdir()
    (tmp_path / "tool_shed" / "notes.txt").write_text("mine")
    (tmp_path / "tool_shed2").write_text("a file")
    path, _ = save_bundle(shed(), REPORT, tmp_path)
    assert path.name == "tool_shed3"
    assert (tmp_path / "tool_shed" / "notes.txt").read_text() == "mine"


def test_names_that_come_with_the_library_are_not_taken(tmp_path: Path) -> None:
    shipped = registry.get_bundle("envscaler/Library-v0")
    fewer = dict(list(shipped.scenarios.items())[:1])
    path, _ = save_bundle(replace(shipped, scenarios=fewer), REPORT, tmp_path)
    assert load_bundle(path).id == "synthesized/Library-v0"


def test_the_quality_record_is_of_the_bundle_as_it_is_named(tmp_path: Path) -> None:
    save_bundle(shed(), REPORT, tmp_path)
    path, _ = save_bundle(shed("Something else."), REPORT, tmp_path)
    bundle = load_bundle(path)
    assert bundle.quality is not None
    assert bundle.quality.bundle == bundle.digest


def test_in_the_users_folder_a_bundle_that_lies_elsewhere_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVSCALER_HOME", str(tmp_path))
    path, _ = save_bundle(shed(), REPORT, tmp_path / "envs")
    registry.register_all()
    moved = path.rename(path.with_name("another_name"))
    monkeypatch.setitem(registry._paths, "toys/ToolShed-v0", moved)
    assert save_bundle(shed(), REPORT, tmp_path / "envs")[0] == moved
    elsewhere, _ = save_bundle(shed(), REPORT, tmp_path / "out")
    assert elsewhere == tmp_path / "out" / "tool_shed"
    assert load_bundle(elsewhere).id == "toys/ToolShed-v0"


def test_who_makes_what_comes_with_the_library_may_keep_its_names(tmp_path: Path) -> None:
    manifest = tool_shed.bundle().manifest.model_copy(update={"id": "envscaler/ToolShed-v0"})
    path, note = save_bundle(replace(shed(), manifest=manifest), REPORT, tmp_path, own_names=True)
    assert (load_bundle(path).id, note) == ("envscaler/ToolShed-v0", "")
    path, _ = save_bundle(replace(shed(), manifest=manifest), REPORT, tmp_path / "users")
    assert load_bundle(path).id == "synthesized/ToolShed-v0"


def judged(verdict: Verdict, reason: str) -> Round:
    return Round(
        tool="lend_tool", arguments={}, expected="success", result="", changes=(), verdict=verdict, reason=reason
    )


def test_what_was_said_of_the_code_stays_with_it_and_goes_with_it(tmp_path: Path) -> None:
    found = Finding(subject="lend_tool", defect="raises", message="KeyError\nprogram")
    assessments = [
        Assessment(False, "", (found,)),
        Assessment(False, "", (), {}, (judged("fail", "Nobody was told."),)),
        Assessment(True, "", (), {}, (judged("pass", "Fine."), judged("pass", "Fine."), judged("warning", "Terse."))),
    ]
    record = assessment_record(shed(), assessments)
    assert (record.calls, record.pass_rate, record.verdicts) == (3, 0.6667, {"pass": 2, "warning": 1})
    assert record.remarks == ("lend_tool: warning: Terse.",)
    assert record.repaired == ("lend_tool: raises: KeyError", "lend_tool: fail: Nobody was told.")
    bundle = load_bundle(save_bundle(shed(), REPORT, tmp_path, record)[0])
    again = recorded(bundle, REPORT.model_copy(update={"bundle": bundle.digest}))
    assert again.manifest.quality is not None
    assert again.manifest.quality.assessment == record
    changed = replace(bundle, source=bundle.source + "\n\nOTHER = 1\n")
    again = recorded(changed, REPORT.model_copy(update={"bundle": changed.digest}))
    assert again.manifest.quality is not None
    assert again.manifest.quality.assessment is None
