"""Steps, resets, graded episodes and snapshots, each against the floor and against the published loop."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import gymnasium as gym

from benchmarks.published import PublishedLoop
from benchmarks.subjects import Bare, Subject
from benchmarks.timing import Row, interleaved, per_call, ratio_row, timed

__all__ = ["Contest"]

_END = {"content": "Done."}


class Contest:
    """All competitors over one subject.

    Args:
        subject: What is played.
        quick: Whether a few rounds will do.

    Raises:
        RuntimeError: A competitor does not solve the scenario, so that its times would mean nothing.
    """

    def __init__(self, subject: Subject, *, quick: bool) -> None:
        self._rounds = 3 if quick else 40
        self._passes = 2 if quick else 10
        self._bare = Bare(subject)
        self._published = PublishedLoop(subject, self._bare)
        self._actions: list[Any] = [{"name": name, "arguments": arguments} for name, arguments in subject.calls]
        self._env = subject.make()
        self._start_state = subject.start_state
        self._published.play()
        solved = {
            "the environment": self._episode(self._env),
            "the bare class": self._bare.episode(),
            "the published loop": self._published.grade(),
        }
        for who, reward in solved.items():
            if reward != 1.0:
                raise RuntimeError(f"{who} scores {reward} with the reference solution of {subject.title}, not 1.0")

    def steps(self) -> list[Row]:
        """Measure steps, through ``gym.make`` and without its wrappers."""
        times = interleaved(
            {
                "floor": self._floor_steps,
                "unwrapped": lambda: self._steps(self._env.unwrapped),
                "floor again": self._floor_steps,
                "make": lambda: self._steps(self._env),
                "published": self._published_steps,
            },
            self._rounds,
        )
        ours, made, published = times["unwrapped"], times["make"], times["published"]
        return [
            ratio_row("step of env.unwrapped : bare call + encoding", ours, times["floor"], "slower", 4),
            ratio_row("step of gym.make : bare call + encoding", made, times["floor again"], "slower", 8),
            ratio_row("step of env.unwrapped : published loop", ours, published, "faster", 200),
            ratio_row("step of gym.make : published loop", made, published, "faster", 200),
            ratio_row("(bare call + encoding : published loop)", times["floor"], published, "faster"),
        ]

    def resets(self) -> list[Row]:
        """Measure resets, without and with a seed."""
        env, number = self._env.unwrapped, self._passes
        times = interleaved(
            {
                "floor": lambda: per_call(self._bare.reset, number),
                "reset": lambda: per_call(env.reset, number),
                "seeded": lambda: per_call(lambda: env.reset(seed=7), number),
                "make": lambda: per_call(lambda: self._env.reset(seed=7), number),
                "published": lambda: per_call(self._published.reset, 1),
            },
            self._rounds,
        )
        return [
            ratio_row("reset() of env.unwrapped : bare instance", times["reset"], times["floor"], "slower"),
            ratio_row("reset(seed) of env.unwrapped : bare instance", times["seeded"], times["floor"], "slower"),
            ratio_row("reset(seed) of gym.make : bare instance", times["make"], times["floor"], "slower"),
            ratio_row("reset() of env.unwrapped : published loop", times["reset"], times["published"], "faster"),
        ]

    def graded(self) -> list[Row]:
        """Measure an episode: reset, reference solution, a last message, grading."""
        number = self._passes
        times = interleaved(
            {
                "floor": lambda: per_call(self._bare.episode, number),
                "make": lambda: per_call(lambda: self._episode(self._env), number),
                "published": lambda: per_call(self._published_episode, 1),
            },
            self._rounds,
        )
        return [
            ratio_row("graded episode of gym.make : bare calls and checks", times["make"], times["floor"], "slower"),
            ratio_row("graded episode of gym.make : published loop", times["make"], times["published"], "faster"),
        ]

    def forks(self) -> list[Row]:
        """Measure snapshots."""
        env: Any = self._env.unwrapped
        env.reset()
        snapshot = env.snapshot()
        number = self._passes
        times = interleaved(
            {
                "deepcopy": lambda: per_call(lambda: copy.deepcopy(self._start_state), 1),
                "snapshot": lambda: per_call(env.snapshot, number),
                "restore": lambda: per_call(lambda: env.restore(snapshot), number),
            },
            self._rounds,
        )
        return [
            ratio_row("snapshot() : copy.deepcopy of the state", times["snapshot"], times["deepcopy"], "faster"),
            ratio_row("restore() : copy.deepcopy of the state", times["restore"], times["deepcopy"], "faster"),
        ]

    def _steps(self, env: gym.Env[str, Any]) -> float:
        def play() -> None:
            step = env.step
            for action in self._actions:
                step(action)

        return self._average(self._env.reset, lambda _: play())

    def _floor_steps(self) -> float:
        return self._average(lambda: self._bare.bind(self._bare.reset()), self._bare.play)

    def _published_steps(self) -> float:
        self._published.reset()
        return timed(self._published.play) / len(self._actions)

    def _average(self, prepare: Callable[[], Any], play: Callable[[Any], None]) -> float:
        """Return the seconds per call over several passes, each from a fresh start that is not counted."""
        total = 0.0
        for _ in range(self._passes):
            prepared = prepare()
            total += timed(lambda: play(prepared))  # noqa: B023 - called at once
        return total / (self._passes * len(self._actions))

    def _episode(self, env: gym.Env[str, Any]) -> float:
        env.reset()
        for action in self._actions:
            env.step(action)
        return float(env.step(_END)[1])

    def _published_episode(self) -> None:
        self._published.reset()
        self._published.play()
        self._published.grade()
