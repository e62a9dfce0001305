"""What is measured in processes of its own: import time, registration and memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.subjects import Subject
from benchmarks.timing import Row

__all__ = ["imports", "memory", "registration"]

_IMPORT = """
import gymnasium, time
start = time.perf_counter()
{statement}
print(time.perf_counter() - start)
"""

_REGISTER = """
import os, time
from envscaler_gym import registry
start = time.perf_counter()
registry.register_all()
before = time.perf_counter() - start
os.environ["ENVSCALER_PATH"] = {folder!r}
start = time.perf_counter()
registry.register_all()
print(time.perf_counter() - start - before)
assert len(registry.ids()) >= {bundles}, registry.problems()
"""

_MEMORY = """
import gc, tracemalloc
import gymnasium as gym
import envscaler_gym

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))

def live(number):
    made = [gym.make({id!r}, trust=True) for _ in range(number)]
    for env in made:
        env.reset(seed=0)
        env.step({action!r})
    gc.collect()
    return made

if {traced}:
    tracemalloc.start()
measure = (lambda: tracemalloc.get_traced_memory()[0]) if {traced} else resident
live(3)  # load what all share
before = measure()
kept = live({number})
print((measure() - before) / {number})
"""


def imports(*, quick: bool) -> Row:
    """Measure how long importing the library takes where Gymnasium is imported already."""
    pairs = [
        (_run(_IMPORT.format(statement="import envscaler_gym")), _run(_IMPORT.format(statement="pass")))
        for _ in range(1 if quick else 9)
    ]
    return _figure("import envscaler_gym, after gymnasium", [ours - nothing for ours, nothing in pairs], "s", 0.3)


def registration(subject: Subject, folder: Path, *, quick: bool) -> Row:
    """Measure how long registering 200 bundles takes.

    Args:
        subject: What the bundles are made of, all but their ids.
        folder: An empty folder.
        quick: Whether one run will do.
    """
    for number in range(200):
        manifest = subject.bundle.manifest.model_copy(update={"id": f"benchmark/Copy{number}-v0"})
        path = folder / f"copy_{number}"
        path.mkdir()
        path.joinpath("manifest.json").write_text(manifest.model_dump_json(indent=2))
    program = _REGISTER.format(folder=str(folder), bundles=200)
    seconds = [_run(program) for _ in range(1 if quick else 7)]
    return _figure("registration of 200 bundles", seconds, "s", 0.2)


def memory(subject: Subject, *, quick: bool) -> list[Row]:
    """Measure what an environment takes that has been reset and stepped once, on average over 1,000 live ones.

    The first few, which load what all share, are not counted.
    """
    name, arguments = subject.calls[0]
    action = {"name": name, "arguments": arguments}
    number = 50 if quick else 1000
    rows = []
    for traced, how in ((False, "resident"), (True, "as traced")):
        program = _MEMORY.format(id=subject.bundle.id, action=action, traced=traced, number=number)
        kilobytes = [_run(program) / 1000 for _ in range(1 if quick or traced else 3)]
        rows.append(_figure(f"memory per live environment, {how}", kilobytes, "KB", 100))
    return rows


def _figure(name: str, values: list[float], unit: str, target: float) -> Row:
    low, value, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return Row(name, value, None, unit, value, low, high, target=target)


def _run(program: str) -> float:
    """Run a Python program in a process of its own and return the number that it prints."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)  # noqa: S603 - ours
    if done.returncode:
        raise RuntimeError(f"a measuring process failed:\n{done.stderr}")
    result: Any = json.loads(done.stdout)
    return float(result)
