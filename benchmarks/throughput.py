"""Many environments at once: vectors of this library, of Gymnasium and on Ray, and a thousand conversations."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import gymnasium as gym

from benchmarks.subjects import Bare, Subject
from benchmarks.timing import Row, interleaved, ratio_row, timed
from envscaler_gym import ToolEnv
from envscaler_gym.vector import ToolVectorEnv

__all__ = ["throughput"]

_END = {"content": "Done. Is there anything else?"}


def throughput(subject: Subject, *, quick: bool) -> list[Row]:
    """Measure steps and graded episodes of 64 environments, and conversations that are open at the same time.

    Each row's times are per environment and step, but for those of episodes and conversations.

    Args:
        subject: What all of them play.
        quick: Whether a few rounds will do.
    """
    rounds, envs, conversations = (3, 4, 20) if quick else (12, 64, 1000)
    return [
        *_steps(subject, rounds, envs),
        *_episodes(subject, rounds, envs),
        *_conversations(subject, rounds, conversations),
    ]


def _steps(subject: Subject, rounds: int, number: int) -> list[Row]:
    """Measure the calls of the reference solution, over and over in episodes that do not end."""
    bare = Bare(subject)
    instances = [bare.bind(bare.reset()) for _ in range(number)]
    vectors = _vectors(subject, number, max_steps=10**9)

    def play_bare() -> None:
        for calls in instances:
            bare.play(calls)

    try:
        for vector in vectors.values():
            vector.reset(seed=0)
        competitors = {"floor": lambda: timed(play_bare)} | {
            name: _stepping(vector, _actions(subject)) for name, vector in vectors.items()
        }
        steps = number * len(subject.calls)
        times = {
            name: [seconds / steps for seconds in taken] for name, taken in interleaved(competitors, rounds).items()
        }
    finally:
        _close(vectors)
    own = times["own"]
    return [
        ratio_row(f"step of {number} in ToolVectorEnv : bare call + encoding", own, times["floor"], "slower"),
        ratio_row(f"step of {number} in ToolVectorEnv : SyncVectorEnv", own, times["sync"], "faster", 3),
        ratio_row(f"step of {number} in ToolVectorEnv : AsyncVectorEnv", own, times["async"], "faster", 10),
    ]


def _episodes(subject: Subject, rounds: int, number: int) -> list[Row]:
    """Measure whole episodes, with reset and grading."""
    bare = Bare(subject)
    vectors = _vectors(subject, number)
    actions = [*_actions(subject), _END, _END]  # the last one of an episode that has ended resets it
    try:
        for vector in vectors.values():
            vector.reset(seed=0)
        competitors = {"floor": lambda: timed(lambda: [bare.episode() for _ in range(number)])} | {
            name: _stepping(vector, actions) for name, vector in vectors.items()
        }
        if importlib.util.find_spec("ray") is not None:
            competitors["ray"] = _ray(subject, number, actions)
        times = {
            name: [seconds / number for seconds in taken] for name, taken in interleaved(competitors, rounds).items()
        }
    finally:
        _close(vectors)
        _stop_ray()
    own = times["own"]
    rows = [
        ratio_row(f"graded episode, {number} in ToolVectorEnv : bare calls and checks", own, times["floor"], "slower"),
        ratio_row(f"graded episode, {number} in ToolVectorEnv : SyncVectorEnv", own, times["sync"], "faster"),
        ratio_row(f"graded episode, {number} in ToolVectorEnv : AsyncVectorEnv", own, times["async"], "faster"),
    ]
    if "ray" in times:
        rows.append(
            ratio_row(f"graded episode, {number} in ToolVectorEnvs on Ray : in one", times["ray"], own, "faster")
        )
    return rows


def _conversations(subject: Subject, rounds: int, number: int) -> list[Row]:
    """Measure conversations that are all open at once against one after the other, with a scripted user."""
    actions = [*_actions(subject), *[_END] * max(1, len(subject.scenario.requests))]

    def converse(size: int) -> float:
        """Carry on ``number`` conversations, ``size`` of them at a time, each in an environment of its own."""
        envs = [ToolEnv(subject.bundle.id, mode="conversation", trust=True) for _ in range(size)]

        def play() -> None:
            for _ in range(number // size):
                for env in envs:
                    env.reset(seed=0)
                for action in actions:
                    for env in envs:
                        env.step(action)

        seconds = timed(play) / number
        if any(env.running for env in envs):
            raise RuntimeError("a conversation did not end with the last request")
        for env in envs:
            env.close()
        return seconds

    times = interleaved({"many": lambda: converse(number), "one": lambda: converse(1)}, max(3, rounds // 4))
    return [
        ratio_row(f"conversation, {number} open at once : one after the other", times["many"], times["one"], "slower")
    ]


def _actions(subject: Subject) -> list[Any]:
    return [{"name": name, "arguments": arguments} for name, arguments in subject.calls]


def _vectors(subject: Subject, number: int, **arguments: Any) -> dict[str, Any]:
    options = {"trust": True, **arguments}
    limits: dict[str, Any] = {"max_episode_steps": 10**9} if "max_steps" in options else {}
    return {
        "own": ToolVectorEnv(subject.bundle.id, number, **options),
        "sync": gym.make_vec(subject.bundle.id, number, vectorization_mode="sync", **options, **limits),
        "async": gym.make_vec(
            subject.bundle.id,
            number,
            vectorization_mode="async",
            vector_kwargs={"shared_memory": False},
            **options,
            **limits,
        ),
    }


def _stepping(vector: Any, actions: list[Any]) -> Callable[[], float]:
    def play() -> None:
        for action in actions:
            vector.step([action] * vector.num_envs)

    return lambda: timed(play)


def _close(vectors: dict[str, Any]) -> None:
    for vector in vectors.values():
        vector.close()


def _ray(subject: Subject, number: int, actions: list[Any]) -> Callable[[], float]:
    """Return a function that plays the episodes in an actor for each core."""
    import ray  # noqa: PLC0415 - an extra

    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
    shares = [len(range(core, number, cores)) for core in range(cores)]

    class Player:
        def __init__(self, share: int) -> None:
            self._vector = ToolVectorEnv(subject.bundle.id, share, trust=True)
            self._share = share
            self._vector.reset(seed=0)

        def play(self) -> None:
            for action in actions:
                self._vector.step([action] * self._share)

    remote: Any = ray.remote(num_cpus=1)(Player)
    players = [remote.remote(share) for share in shares]
    ray.get([player.play.remote() for player in players])
    return lambda: timed(lambda: ray.get([player.play.remote() for player in players]))


def _stop_ray() -> None:
    if importlib.util.find_spec("ray") is not None:
        import ray  # noqa: PLC0415 - an extra

        ray.shutdown()
