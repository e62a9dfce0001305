from __future__ import annotations

import json
from pathlib import Path

from envscaler_gym.trajectories import read_trajectories
from tests.cli.conftest import Cli


def test_episodes_are_recorded_shown_and_turned_into_training_data(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "t.jsonl"
    cli("run", "Library", "--policy", "reference", "--episodes", 3, "--record", file)
    cli("run", "Library", "--policy", "noop", "--episodes", 2, "--record", file)
    recorded = list(read_trajectories(file))
    assert [trajectory.policy for trajectory in recorded] == ["reference"] * 3 + ["noop"] * 2

    assert "5 episodes in" in cli("view", file).output
    assert recorded[0].scenario in (tmp_path / "t.html").read_text("utf-8")
    cli("view", file, "--out", tmp_path / "other.html")
    assert (tmp_path / "other.html").exists()

    out = tmp_path / "sft.jsonl"
    assert "3 of 5 episodes, 3 rows in" in cli("sft", file, "--out", out).output
    assert [json.loads(line)["reward"] for line in out.read_text().splitlines()] == [1.0] * 3
    cli("sft", file, "--out", out, "--form", "turn", "--min-reward", 0)
    assert len(out.read_text().splitlines()) == sum(len(trajectory.steps) for trajectory in recorded)


def test_a_file_that_holds_something_else(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("[]\n")
    assert "t.jsonl:1:" in cli("view", tmp_path / "t.jsonl", code=2).output
    assert "No such file" in cli("sft", tmp_path / "none.jsonl", "--out", tmp_path / "x", code=2).output
