"""A packed run is one small file, the same each time, and comes to the same bundles without a model."""

from __future__ import annotations

import asyncio
import io
import lzma
import tarfile
from pathlib import Path

import pytest

from envscaler_gym.synthesis import packing
from envscaler_gym.synthesis.packing import pack_run, unpack_run
from envscaler_gym.synthesis.running import run_synthesis
from envscaler_gym.synthesis.runs import Run, RunDamaged
from envscaler_gym.synthesis.switchboard import Access
from tests.synthesis.shed_runs import begin, carry_out, files_of

pytestmark = pytest.mark.usefixtures("clean_registry")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run that is finished."""
    made = begin(tmp_path_factory.mktemp("packed"))
    report, _ = carry_out(made)
    assert report.status == "finished"
    return made


def test_what_is_unpacked_comes_to_the_same_bundles_without_a_model(run: Run, tmp_path: Path) -> None:
    pack_run(run, tmp_path / "run.tar.xz")
    again = unpack_run(tmp_path / "run.tar.xz", tmp_path / "runs", "again", tmp_path / "out")
    report = asyncio.run(run_synthesis(again, Access()))
    assert report.status == "finished"
    assert files_of(again) == files_of(run)
    pack_run(again, tmp_path / "again.tar.xz")
    assert (tmp_path / "again.tar.xz").read_bytes() == (tmp_path / "run.tar.xz").read_bytes()
    assert (tmp_path / "run.tar.xz").stat().st_size < (run.folder / "completions.jsonl").stat().st_size / 5


def test_nothing_of_this_machine_is_packed(run: Run, tmp_path: Path) -> None:
    pack_run(run, tmp_path / "run.tar.xz")
    content = lzma.decompress((tmp_path / "run.tar.xz").read_bytes())
    assert str(run.folder).encode() not in content
    assert str(run.config.out).encode() not in content
    assert unpack_run(tmp_path / "run.tar.xz", tmp_path / "runs").config.out is None


def archive(**members: bytes) -> bytes:
    """Return a compressed archive."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:xz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name.replace("_", "."))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return raw.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no archive", "is no packed run: "),
        (archive(run_json=b"{}"), r"it holds \['run.json'\], not run.json and completions.jsonl"),
        (archive(run_json=b"{}", completions_jsonl=b""), "run.json: version: field required"),
        (archive(elsewhere_txt=b"x"), "holds 'elsewhere.txt', which no packed run does"),
        (archive(run_json=b"{}" * 9000)[:-200], "is no packed run: "),
    ],
)
def test_what_is_no_packed_run_is_refused_and_leaves_no_run(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "run.tar.xz").write_bytes(content)
    with pytest.raises(RunDamaged, match=message):
        unpack_run(tmp_path / "run.tar.xz", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    with pytest.raises(RunDamaged, match="cannot be read: No such file"):
        unpack_run(tmp_path / "missing.tar.xz", tmp_path / "runs")


def test_a_file_that_would_fill_the_disk_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_LARGEST", 100)
    (tmp_path / "run.tar.xz").write_bytes(archive(run_json=b"{}", completions_jsonl=b" " * 101))
    with pytest.raises(RunDamaged, match=r"holds 'completions.jsonl', .* or too much of it"):
        unpack_run(tmp_path / "run.tar.xz", tmp_path / "runs")
