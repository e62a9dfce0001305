"""The scripts for small agents run, as far as what they need is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / script), *arguments],
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def needs(extra: str, *modules: str) -> None:
    for module in modules:
        pytest.importorskip(module, reason=f'pip install "envscaler-gym[{extra}]"', exc_type=ImportError)


SMALL = ("--slots", "12", "--difficulty", "easy")


def test_masked_ppo_learns_and_draws(tmp_path: Path) -> None:
    needs("sb3", "sb3_contrib", "matplotlib")
    picture = tmp_path / "curve.png"
    small = ("--steps", "1", "--envs", "1", "--random-episodes", "1", "--picture", str(picture))
    said = run("masked_ppo.py", *SMALL, *small)
    assert "random, train: reward 0." in said
    assert "test  locked-book-drop" in said
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_plain_loop_learns() -> None:
    needs("sb3", "torch")
    said = run("cleanrl_loop.py", *SMALL, "--steps", "64", "--rollout", "16", "--envs", "2")
    assert said.count("train reward") == 1
    assert "test  locked-book-drop" in said


def test_rllib_learns() -> None:
    needs("rllib", "torch", "ray.rllib")
    said = run("rllib_ppo.py", *SMALL, "--iterations", "1", "--batch", "64")
    assert "  1  step     64  train reward" in said
