"""What the pipeline made and the library ships is what its run makes, and says how it came about."""

from __future__ import annotations

from pathlib import Path

import pytest

from envscaler_gym.bundle import FILES, load_bundle
from envscaler_gym.isolation import levels
from envscaler_gym.registry import SHIPPED
from tests.synthesis.shipped_runs import NAMES, RUNS, carried_out, scenarios_again, unpacked

pytestmark = [pytest.mark.usefixtures("clean_registry"), pytest.mark.timeout(600)]

WHOLE = "school_timetable"
"""The environment whose run is carried out from its beginning; the last stages of the others are."""


def test_every_environment_that_the_pipeline_made_has_its_run() -> None:
    made = [
        path.name
        for path in sorted(SHIPPED.iterdir())
        if (path / "manifest.json").is_file() and load_bundle(path).manifest.provenance.method == "synthesized"
    ]
    assert made == NAMES
    assert len(NAMES) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_of_a_model_that_was_not_asked(name: str, tmp_path: Path) -> None:
    run = unpacked(name, tmp_path)
    assert run.config.batch
    record = load_bundle(SHIPPED / name).manifest.synthesis
    assert record is not None
    assert record.answered == "from files of answers to batches of requests"
    assert set(record.models.values()) == {"batch-file"}
    assert record.cost_usd is None


@pytest.mark.parametrize("name", NAMES)
def test_its_assessment_stands_in_the_quality_record(name: str) -> None:
    quality = load_bundle(SHIPPED / name).quality
    assert quality is not None
    assert quality.passed
    said = quality.assessment
    assert said is not None
    assert said.calls == sum(said.verdicts.values()) >= 100
    assert 0.85 <= said.pass_rate == round(said.verdicts["pass"] / said.calls, 4)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_as_large_as_the_published_ones_and_every_tool_is_needed_somewhere(name: str) -> None:
    bundle = load_bundle(SHIPPED / name)
    scenarios = list(bundle.scenarios.values())
    assert len(bundle.tools) >= 18
    assert len(bundle.manifest.entities) >= 4
    assert len(bundle.manifest.rules) >= 5
    assert len(scenarios) >= 40
    assert sum(not scenario.id.startswith("grown-") for scenario in scenarios) >= 12
    assert {scenario.difficulty for scenario in scenarios} == {"easy", "medium", "hard", "expert"}
    splits = {split: {s.start_state for s in scenarios if s.split == split} for split in ("train", "test")}
    assert splits["train"]
    assert splits["test"]
    assert not splits["train"] & splits["test"]
    assert {call.name for scenario in scenarios for call in scenario.solution} == set(bundle.tools)


def test_a_run_carried_out_again_gives_the_bundle_byte_for_byte(tmp_path: Path) -> None:
    again = carried_out(WHOLE, tmp_path)
    for name in FILES:
        assert (again / name).read_bytes() == (SHIPPED / WHOLE / name).read_bytes(), name


@pytest.mark.parametrize("name", [name for name in NAMES if name != WHOLE])
def test_the_last_stages_give_the_same_scenarios(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The code is reviewed, so it may run here; that a worker comes to the same, the whole run shows.
    monkeypatch.setattr(levels, "is_reviewed", lambda _: True)
    bundle = load_bundle(SHIPPED / name)
    again = scenarios_again(bundle, unpacked(name, tmp_path))
    # The final gates may have taken some out.
    assert {id_: again[id_] for id_ in bundle.scenarios} == bundle.scenarios


def test_the_records_are_small() -> None:
    """Two hundred environments stay below 150 MB in the repository."""
    sizes = [sum(path.stat().st_size for path in (SHIPPED / name).glob("*.*")) for name in NAMES]
    runs = [(RUNS / f"{name}.tar.xz").stat().st_size for name in NAMES]
    assert (sum(sizes) + sum(runs)) / len(NAMES) * 200 < 150_000_000
