"""What the stages of synthesis cost besides the time of the model.

A model that takes a second for every call answers the pipelines of several environments, 16 calls at a time. At every
moment of the run there are calls on their way, or gates are computing, or neither: that is the overhead of the stages::

    python -m benchmarks.synthesis_overhead
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from envscaler_gym.llm.model import Completion, CompletionRequest
from envscaler_gym.llm.scripted import Answer, Scripted
from envscaler_gym.synthesis.config import RunConfig, TopicsSource
from envscaler_gym.synthesis.running import run_synthesis
from envscaler_gym.synthesis.runs import create_run
from envscaler_gym.synthesis.switchboard import Access
from envscaler_gym.synthesis.workshop import Desk
from tests.synthesis.shed_author import text_of
from tests.synthesis.shed_founder import SKELETON, Founder, settings

__all__ = ["Shares", "measure"]

TARGET = 0.05
"""Most of the time of a run that may be overhead."""


class Shares(NamedTuple):
    """How the time of a run was spent.

    Attributes:
        seconds: All of it.
        calls: Number of calls.
        asking: Share of it in which calls were on their way.
        computing: Share in which none was, and gates or workers were computing.
        overhead: Share in which neither was the case.
    """

    seconds: float
    calls: int
    asking: float
    computing: float
    overhead: float


class _Clock:
    """Adds up the time by what is going on."""

    def __init__(self) -> None:
        self._running = {"asking": 0, "computing": 0}
        self._since = time.perf_counter()
        self.spent = {"asking": 0.0, "computing": 0.0, "overhead": 0.0}

    @contextmanager
    def during(self, what: str) -> Any:
        self._turn(what, 1)
        try:
            yield
        finally:
            self._turn(what, -1)

    def _turn(self, what: str, change: int) -> None:
        self.note()
        self._running[what] += change

    def note(self) -> None:
        """Add up what has passed since the last change."""
        now = time.perf_counter()
        state = next((name for name, count in self._running.items() if count), "overhead")
        self.spent[state] += now - self._since
        self._since = now


class _Slow:
    """A model that takes its time, for so many calls at once."""

    def __init__(self, clock: _Clock, seconds: float, concurrency: int) -> None:
        self._clock, self._seconds = clock, seconds
        self._places = asyncio.Semaphore(concurrency)
        self._model = Scripted(Founder(Skeleton=_skeleton))
        self.calls = 0

    async def complete(self, request: CompletionRequest) -> Completion:
        """Answer after a while."""
        async with self._places:
            self.calls += 1
            with self._clock.during("asking"):
                await asyncio.sleep(self._seconds)
            return await self._model.complete(request)


def _skeleton(request: CompletionRequest) -> Answer:
    """Return a skeleton of its own for each environment, so that they share no answer."""
    name = re.search(r"The environment: (.*)", text_of(request))
    assert name
    return SKELETON | {"introduction": f"{SKELETON['introduction']} It is called {name[1]}."}


def measure(environments: int, seconds: float, concurrency: int, **changes: Any) -> Shares:
    """Run a synthesis, and say how its time was spent.

    Args:
        environments: How many are made.
        seconds: What a call takes.
        concurrency: Most calls at once.
        changes: Settings other than the defaults.
    """
    plain = settings(similarity=1.0, **changes)
    topics = tuple(f"Tool shed number {number}" for number in range(environments))
    with tempfile.TemporaryDirectory() as folder:
        source = TopicsSource(topics=topics)
        config = RunConfig(version="benchmark", settings=plain, source=source, out=f"{folder}/out")
        run = create_run(config, Path(folder))
        clock = _Clock()
        model = _Slow(clock, seconds, concurrency)
        with _watched(clock):
            report = asyncio.run(run_synthesis(run, Access(partial(_itself, model))))
            clock.note()
    whole = sum(clock.spent.values())
    assert [outcome.status for outcome in report.outcomes] == ["published"] * environments, report
    return Shares(whole, model.calls, *(round(clock.spent[name] / whole, 4) for name in clock.spent))


def _itself(model: _Slow) -> _Slow:
    return model


@contextmanager
def _watched(clock: _Clock) -> Any:
    """Have the clock count what desks compute."""
    plain: Callable[..., Any] = Desk.compute

    async def compute(desk: Desk, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with clock.during("computing"):
            return await plain(desk, function, *args, **kwargs)

    Desk.compute = compute  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Desk.compute = plain  # type: ignore[method-assign]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synthesis_overhead", description=__doc__)
    parser.add_argument("--environments", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1.0, help="what a call takes")
    parser.add_argument("--concurrency", type=int, default=16, help="most calls at once")
    parser.add_argument("--rounds", type=int, default=100, help="rounds of assessment")
    parser.add_argument("--gate-calls", type=int, default=20_000, help="generated calls of the gates")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["ENVSCALER_HOME"] = home  # the user's own bundles have no part in it
        changes = {"rounds": options.rounds, "calls_per_turn": 5, "sessions": 4, "gate_calls": options.gate_calls}
        shares = measure(options.environments, options.seconds, options.concurrency, **changes)
    print(json.dumps(shares._asdict() | {"target": TARGET, "met": shares.overhead <= TARGET}, indent=1))


if __name__ == "__main__":
    main()
