"""Where code runs, and what keeps it from running at all."""

from pathlib import Path

import pytest

from envscaler_gym import SuiteEnv, ToolEnv, UnreviewedCodeError
from envscaler_gym.bundle import Bundle, load_bundle
from envscaler_gym.isolation import level_of
from envscaler_gym.registry import SHIPPED
from envscaler_gym.trust import record_review


@pytest.fixture
def unreviewed(tmp_path: Path) -> Bundle:
    """Return a copy of a shipped bundle with a harmless import that the lint does not expect."""
    bundle = load_bundle(SHIPPED / "library")
    return save(bundle, "import socket\n" + bundle.source, tmp_path / "flagged")


def save(bundle: Bundle, source: str, folder: Path) -> Bundle:
    manifest = bundle.manifest.model_copy(update={"id": "levels/Library-v0"})
    Bundle(manifest, source, bundle.invariants_source, bundle.start_states, bundle.scenarios).save(folder)
    return load_bundle(folder)


def test_reviewed_code_runs_here_and_other_code_in_a_worker(unreviewed: Bundle) -> None:
    shipped = load_bundle(SHIPPED / "library")
    assert level_of(shipped) == "process"
    assert level_of(shipped, "worker") == "worker"
    assert level_of(unreviewed) == "worker"
    assert level_of(unreviewed, trust=True) == "process"
    assert level_of(unreviewed, "process", trust=True) == "process"
    with pytest.raises(UnreviewedCodeError, match="isolation='process'"):
        level_of(unreviewed, "process")


def test_findings_refuse_where_they_are_told_to(unreviewed: Bundle, tmp_path: Path) -> None:
    with pytest.raises(UnreviewedCodeError, match=r"environment\.py:1: import: .*socket"):
        level_of(unreviewed, refuse_findings=True)
    with pytest.raises(UnreviewedCodeError, match="the lint has findings"):
        ToolEnv(str(unreviewed.path), refuse_findings=True)
    with pytest.raises(UnreviewedCodeError, match="the lint has findings"):
        SuiteEnv([str(unreviewed.path)], refuse_findings=True)
    assert level_of(unreviewed, trust=True, refuse_findings=True) == "process"

    shipped = load_bundle(SHIPPED / "library")
    clean = save(shipped, shipped.source + "\n# nobody has read this line\n", tmp_path / "clean")
    assert level_of(clean, refuse_findings=True) == "worker"


def test_a_review_of_ones_own_lets_code_in_until_a_byte_changes(
    unreviewed: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVSCALER_HOME", str(tmp_path / "home"))
    record_review(unreviewed, "me", tmp_path / "home" / "trust.json")
    assert level_of(unreviewed) == "process"
    changed = save(unreviewed, unreviewed.source + "\n", tmp_path / "changed")
    assert level_of(changed) == "worker"
