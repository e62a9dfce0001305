"""Worlds in workers beside the same worlds in this process."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from benchmarks.subjects import Subject
from benchmarks.timing import Row, interleaved, per_call, ratio_row
from envscaler_gym import ToolEnv
from envscaler_gym.vector import ToolVectorEnv

__all__ = ["isolated"]

_END = {"content": "Done."}
_WORLDS = 16

_MEMORY = """
from pathlib import Path
from envscaler_gym import ToolEnv

def proportional(pid):
    lines = Path(f"/proc/{{pid}}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))

def descendants(pid):
    for child in Path(f"/proc/{{pid}}/task/{{pid}}/children").read_text().split():
        yield int(child)
        yield from descendants(int(child))

import os
made = [ToolEnv({id!r}, isolation="worker") for _ in range({number} + 1)]
made[0].reset(seed=0)
known = set(descendants(os.getpid()))
for env in made[1:]:
    env.reset(seed=0)
workers = set(descendants(os.getpid())) - known
assert len(workers) == {number}, workers
print(sum(map(proportional, workers)) / {number})
"""


def isolated(trivial: Subject, mixed: Subject, *, quick: bool) -> list[Row]:
    """Measure what the wall costs.

    Args:
        trivial: Subject of single calls and batches, where a call is all overhead.
        mixed: Subject of graded episodes, and of what a worker takes.
        quick: Whether a few rounds will do.
    """
    rounds = 3 if quick else 25
    worlds = {level: _env(trivial, level) for level in ("process", "worker")}
    episodes = {level: _env(mixed, level) for level in ("process", "worker")}
    vectors = {
        level: ToolVectorEnv(trivial.bundle.id, _WORLDS, isolation=level, trust=level == "process", max_steps=10**9)
        for level in ("process", "worker")
    }
    name, arguments = trivial.calls[0]
    for env in worlds.values():
        env.reset(seed=0)
    for vector in vectors.values():
        vector.reset(seed=0)

    def calls(level: str, size: int) -> float:
        world = worlds[level].episode.world
        batch = [(name, dict(arguments)) for _ in range(size)]
        run = (lambda: world.call(*batch[0])) if size == 1 else (lambda: world.call_many(batch))
        return per_call(run, 64 // size) / size

    def steps(level: str) -> float:
        actions = [{"name": name, "arguments": arguments}] * _WORLDS
        return per_call(lambda: vectors[level].step(cast("Any", actions)), 4) / _WORLDS

    rows = []
    for size, target in ((1, None), (16, None), (64, 4)):
        what = "single call" if size == 1 else f"call in a batch of {size}"
        times = interleaved({level: lambda level=level: calls(level, size) for level in worlds}, rounds)  # type: ignore[misc]  # noqa: B023 - called at once
        rows.append(ratio_row(f"{what}: worker : this process", times["worker"], times["process"], "slower", target))
    times = interleaved({level: lambda level=level: steps(level) for level in vectors}, rounds)  # type: ignore[misc]
    title = f"step in a vector of {_WORLDS}: workers : this process"
    rows.append(ratio_row(title, times["worker"], times["process"], "slower"))
    times = interleaved({level: lambda env=env: _episode(env, mixed) for level, env in episodes.items()}, rounds)  # type: ignore[misc]
    rows.append(ratio_row("graded episode: worker : this process", times["worker"], times["process"], "slower"))
    starts = [per_call(episodes["worker"].reset, 1) * 1e3 for _ in range(rounds)]
    rows.append(_figure("start of a worker with the environment loaded", starts, "ms", 25))
    for env in (*worlds.values(), *episodes.values()):
        env.close()
    for vector in vectors.values():
        vector.close()
    return [
        *rows,
        _figure("memory of a worker (proportional set size)", [_memory(mixed, 4 if quick else 20)], "KB", None),
    ]


def _env(subject: Subject, level: str) -> ToolEnv:
    return ToolEnv(subject.bundle.id, isolation=level, trust=level == "process", max_steps=10**9)


def _episode(env: ToolEnv, subject: Subject) -> float:
    def play() -> None:
        env.reset()
        for name, arguments in subject.calls:
            env.step({"name": name, "arguments": arguments})
        if env.step(cast("Any", _END))[1] != 1.0:
            raise RuntimeError(f"the reference solution of {subject.title} does not score 1.0")

    return per_call(play, 1)


def _memory(subject: Subject, number: int) -> float:
    program = _MEMORY.format(
        id=str(Path(os.environ["ENVSCALER_PATH"]) / subject.bundle.manifest.class_name), number=number
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise RuntimeError(f"measuring the memory of workers failed:\n{done.stderr}")
    return float(done.stdout)


def _figure(name: str, values: list[float], unit: str, target: float | None) -> Row:
    low, value, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return Row(name, value, None, unit, value, low, high, target=target)
