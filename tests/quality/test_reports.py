from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from envscaler_gym.bundle import MANIFEST, load_bundle
from envscaler_gym.errors import BundleError
from envscaler_gym.quality.recording import recorded, write_record
from envscaler_gym.quality.reports import Finding, GateResult, QualityReport
from tests import toys


def report(bundle: str = "sha256:0", *gates: GateResult) -> QualityReport:
    return QualityReport(id="toys/Tea-v0", bundle=bundle, seed=3, gates=gates)


BROKEN = GateResult(
    gate="never-raises",
    findings=(
        Finding(subject="brew", defect="a tool raises", message="brew({}) raised KeyError"),
        Finding(subject="brew", defect="a tool raises", message="brew({}) raised ValueError"),
        Finding(subject="pour", defect="a tool raises", message="pour({}) raised KeyError"),
        Finding(subject="pour", defect="a tool hangs", message="pour({}) did not end"),
    ),
    figures={"calls": 12},
)
SOUND = GateResult(gate="branches", figures={"coverage": 1.0})
SKIPPED = GateResult(gate="guards", skipped="no scenario has guards")


def test_a_report_has_passed_when_every_gate_has() -> None:
    assert report("sha256:0", SOUND, SKIPPED).passed
    assert not report("sha256:0", SOUND, BROKEN).passed


def test_defects_are_counted_by_class_and_subject() -> None:
    assert report("sha256:0", SOUND, BROKEN).defects() == {"a tool raises": 2, "a tool hangs": 1}
    assert list(report("sha256:0", BROKEN).defects()) == ["a tool raises", "a tool hangs"]


def test_what_is_worth_knowing_is_counted_apart() -> None:
    note = Finding(subject="s1", defect="unsolved", message="no solution is known")
    noted = GateResult(gate="reference-solution", notes=(note, note.model_copy(update={"subject": "s2"})))
    assert report("sha256:0", BROKEN, noted).noted() == {"unsolved": 2}
    assert report("sha256:0", noted).passed


def test_a_report_survives_json() -> None:
    before = report("sha256:0", SOUND, BROKEN, SKIPPED)
    assert QualityReport.model_validate_json(before.model_dump_json()) == before
    with pytest.raises(ValidationError):
        QualityReport.model_validate(json.loads(before.model_dump_json()) | {"colour": "red"})


def test_the_record_holds_verdicts_and_figures_but_nothing_of_gates_that_were_not_run() -> None:
    record = report("sha256:0", SOUND, BROKEN, SKIPPED).record()
    assert record.gates == {"branches": True, "never-raises": False}
    assert record.figures == {"coverage": 1.0, "calls": 12}
    assert (record.passed, record.seed, record.bundle) == (False, 3, "sha256:0")


def test_a_record_is_saved_with_the_bundle_and_does_not_change_its_digest(tmp_path: Path) -> None:
    toys.tea_shop().save(tmp_path / "tea")
    bundle = load_bundle(tmp_path / "tea")
    assert bundle.quality is None
    write_record(bundle, report(bundle.digest, SOUND))
    again = load_bundle(tmp_path / "tea")
    assert again.quality is not None
    assert again.quality.passed
    assert again.digest == bundle.digest


def test_the_record_of_a_changed_bundle_is_void(tmp_path: Path) -> None:
    toys.tea_shop().save(tmp_path / "tea")
    bundle = load_bundle(tmp_path / "tea")
    write_record(bundle, report(bundle.digest, SOUND))
    manifest = json.loads((tmp_path / "tea" / MANIFEST).read_text())
    (tmp_path / "tea" / MANIFEST).write_text(json.dumps(manifest | {"summary": "Something else."}))
    changed = load_bundle(tmp_path / "tea")
    assert changed.manifest.quality is not None
    assert changed.quality is None


def test_a_report_about_another_bundle_is_not_recorded() -> None:
    with pytest.raises(BundleError, match="check it as it is now"):
        recorded(toys.tea_shop(), report("sha256:0", SOUND))


def test_a_bundle_without_a_folder_has_nowhere_to_keep_a_record() -> None:
    bundle = toys.tea_shop()
    with pytest.raises(BundleError, match="save it first"):
        write_record(bundle, report(bundle.digest, SOUND))
