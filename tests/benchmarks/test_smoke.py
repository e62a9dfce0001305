"""The benchmarks run and produce every row. Times are never asserted."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RAY = importlib.util.find_spec("ray") is not None

EXPECTED = {
    "Library": [
        "step of env.unwrapped : bare call + encoding",
        "step of gym.make : bare call + encoding",
        "step of env.unwrapped : published loop",
        "step of gym.make : published loop",
        "(bare call + encoding : published loop)",
        "reset() of env.unwrapped : bare instance",
        "reset(seed) of env.unwrapped : bare instance",
        "reset(seed) of gym.make : bare instance",
        "reset() of env.unwrapped : published loop",
        "graded episode of gym.make : bare calls and checks",
        "graded episode of gym.make : published loop",
        "snapshot() : copy.deepcopy of the state",
        "restore() : copy.deepcopy of the state",
        "memory per live environment, resident",
        "memory per live environment, as traced",
    ],
    "Stockroom": [
        "step of env.unwrapped : bare call + encoding",
        "step of gym.make : bare call + encoding",
        "step of env.unwrapped : published loop",
        "step of gym.make : published loop",
        "(bare call + encoding : published loop)",
    ],
    "Throughput": [
        "step of 4 in ToolVectorEnv : bare call + encoding",
        "step of 4 in ToolVectorEnv : SyncVectorEnv",
        "step of 4 in ToolVectorEnv : AsyncVectorEnv",
        "graded episode, 4 in ToolVectorEnv : bare calls and checks",
        "graded episode, 4 in ToolVectorEnv : SyncVectorEnv",
        "graded episode, 4 in ToolVectorEnv : AsyncVectorEnv",
        *["graded episode, 4 in ToolVectorEnvs on Ray : in one"] * RAY,
        "conversation, 20 open at once : one after the other",
    ],
    "Isolation:": [
        "single call: worker : this process",
        "call in a batch of 16: worker : this process",
        "call in a batch of 64: worker : this process",
        "step in a vector of 16: workers : this process",
        "graded episode: worker : this process",
        "start of a worker with the environment loaded",
        "memory of a worker (proportional set size)",
    ],
    "Processes": ["import envscaler_gym, after gymnasium", "registration of 200 bundles"],
}


def test_quick_run_produces_every_row(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", str(figures)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr

    produced: dict[str, list[str]] = {}
    for row in json.loads(figures.read_text())["rows"]:
        produced.setdefault(row["measured"].replace(",", " ").split()[0], []).append(row["name"])
        assert row["ours"] > 0, row
        assert row["low"] <= row["value"] <= row["high"], row
        assert (row["met"] is None) == (row["target"] is None), row
        assert row["name"] in done.stdout
    assert produced == EXPECTED
