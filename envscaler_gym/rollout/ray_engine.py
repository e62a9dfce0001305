"""Evaluations on a Ray cluster: the tries are played by its workers, and the results are written down here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from envscaler_gym.llm.model import LanguageModel
from envscaler_gym.rollout.evaluation import EvalFolder, EvalTask, plan_eval
from envscaler_gym.rollout.players import EvalEpisode
from envscaler_gym.trajectories import Trajectory

__all__ = ["evaluate_on_ray"]

_Played = list[tuple[EvalEpisode, Trajectory | None]]
_CHUNK = 8
"""Tries that a worker plays, at the same time, for one result."""


def evaluate_on_ray(
    folder: EvalFolder,
    *,
    make_model: Callable[[], LanguageModel] | None = None,
    address: str | None = None,
    on_result: Callable[[EvalEpisode], None] = lambda _: None,
) -> None:
    """Play the tries of an evaluation that are not in its folder yet, as :func:`~.evaluation.evaluate` does.

    Args:
        folder: Where results go, on this machine.
        make_model: Makes the model that completes conversations, once in every worker.
        address: Address of the cluster; ``None`` starts one on this machine, and stops it at the end.
        on_result: Is told each result.

    Raises:
        ModuleNotFoundError: Ray is not installed.
    """
    try:
        import ray  # noqa: PLC0415 - an extra, and slow to import
    except ModuleNotFoundError:
        raise ModuleNotFoundError('--engine ray needs Ray: pip install "envscaler-gym[ray]"') from None
    done = folder.done
    tasks = [task for task in plan_eval(folder.config) if task.key not in done]
    chunks = [tasks[i : i + _CHUNK] for i in range(0, len(tasks), _CHUNK)]
    started = not ray.is_initialized()
    if started:
        ray.init(address=address, include_dashboard=False, log_to_driver=False)
    try:
        play = ray.remote(_play)
        waiting = [play.remote(chunk, make_model, dict(folder.config.options)) for chunk in chunks]
        while waiting:
            (ready,), waiting = ray.wait(waiting, num_returns=1)
            for episode, trajectory in ray.get(ready):
                folder.add(episode, trajectory)
                on_result(episode)
    finally:
        if started:
            ray.shutdown()


def _play(
    tasks: Sequence[EvalTask], make_model: Callable[[], LanguageModel] | None, options: Mapping[str, Any]
) -> _Played:
    """Play some tries in a worker."""
    model = make_model() if make_model is not None else None

    async def play_all() -> _Played:
        return await asyncio.gather(*(task.player.play(task.planned, task.attempt, model, options) for task in tasks))

    return asyncio.run(play_all())
