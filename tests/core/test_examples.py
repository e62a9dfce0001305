"""The examples run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Those that need an extra are run by the tests of what they show.
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if "envscaler-gym[" not in path.read_text())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_it_runs_and_says_a_reward(example: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "reward" in done.stdout
    assert done.stderr == ""


def test_there_are_examples() -> None:
    assert EXAMPLES
