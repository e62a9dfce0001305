"""Many environments in one process, stepped together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from envscaler_gym.env import ToolEnv
from envscaler_gym.errors import EnvironmentFailure, shorten
from envscaler_gym.types import Action

__all__ = ["ToolVectorEnv"]

Flags = npt.NDArray[np.bool_]
VectorStep = tuple[tuple[str, ...], npt.NDArray[np.float64], Flags, Flags, dict[str, Any]]


class ToolVectorEnv(VectorEnv[tuple[str, ...], Sequence[Action], npt.NDArray[Any]]):
    """A vector environment that hands out all actions before it waits for any.

    What it returns is what ``gymnasium.vector.SyncVectorEnv`` would, but worlds that run in workers are at work at the
    same time, and nothing is copied that need not be.

    Args:
        environment: Registered id, such as ``"envscaler/Library-v0"`` or ``"envscaler/Suite-v0"``.
        num_envs: Number of environments.
        autoreset_mode: When an environment that has ended is reset: with the next step, with the same, or not at all.
        arguments: Arguments of the environment, as for ``gymnasium.make``.

    Raises:
        ValueError: ``num_envs`` is not positive.
    """

    def __init__(
        self,
        environment: str,
        num_envs: int = 1,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        **arguments: Any,
    ) -> None:
        super().__init__()
        self.envs: list[ToolEnv] = []  # what close() looks at, even if nothing comes of this one
        if num_envs < 1:
            raise ValueError(f"num_envs must be a positive int, got {num_envs}")
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.envs = [cast("ToolEnv", gym.make(environment, **arguments).unwrapped) for _ in range(num_envs)]
        self.num_envs = num_envs
        self.spec = gym.spec(environment)
        self.metadata = {**self.envs[0].metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = self.envs[0].render_mode
        self.single_action_space = self.envs[0].action_space
        self.single_observation_space = self.envs[0].observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._ended = np.zeros(num_envs, dtype=np.bool_)
        self._observations = [""] * num_envs

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Start an episode in every environment, or in those of ``options["reset_mask"]``.

        Args:
            seed: Seed of the first environment, the next ones follow it; or one seed for each.
            options: Options for every environment. ``reset_mask``, a ``bool`` array of shape ``(num_envs,)``, says
                which to reset; all, where it is left out.

        Raises:
            ValueError: There is not one seed, or one mask entry, for each environment.
        """
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed or [None] * self.num_envs
        rest = dict(options or {})
        mask = np.asarray(rest.pop("reset_mask", np.ones(self.num_envs, dtype=np.bool_)))
        if len(seeds) != self.num_envs or mask.shape != (self.num_envs,):
            raise ValueError(f"seed and reset_mask need {self.num_envs} entries, got {len(seeds)} and {mask.shape}")
        infos: list[dict[str, Any]] = [{} for _ in self.envs]
        for i in map(int, np.flatnonzero(mask)):
            self._observations[i], infos[i] = self.envs[i].reset(seed=seeds[i], options=rest)
            self._ended[i] = False
        return tuple(self._observations), self._merge(infos)

    def step(self, actions: Sequence[Action]) -> VectorStep:
        """Take one action in each environment.

        Args:
            actions: One action for each environment.

        Raises:
            ValueError: There are more or fewer.
            gymnasium.error.ResetNeeded: An environment has ended, and autoreset is disabled; none was stepped.
            EnvironmentFailure: An environment failed, and ``on_error`` is ``"raise"``. The others took their step.
        """
        if len(actions) != self.num_envs:
            raise ValueError(f"step needs {self.num_envs} actions, got {len(actions)}: {shorten(actions)}")
        again = self._ended & (self.autoreset_mode is AutoresetMode.NEXT_STEP)
        idle = [i for i, env in enumerate(self.envs) if not env.running and not again[i]]
        if idle:
            raise gym.error.ResetNeeded(f"No episode is running in environments {idle}: call reset() for them first.")
        waits = [None if again[i] else env.submit(actions[i]) for i, env in enumerate(self.envs)]
        rewards = np.zeros(self.num_envs, dtype=np.float64)
        terminated, truncated = np.zeros(self.num_envs, dtype=np.bool_), np.zeros(self.num_envs, dtype=np.bool_)
        infos: list[dict[str, Any]] = [{} for _ in self.envs]
        failures: list[EnvironmentFailure] = []
        for i, wait in enumerate(waits):
            try:
                if wait is None:
                    self._observations[i], infos[i] = self.envs[i].reset()
                    continue
                self._observations[i], rewards[i], terminated[i], truncated[i], infos[i] = wait()
                if self.autoreset_mode is AutoresetMode.SAME_STEP and (terminated[i] or truncated[i]):
                    final = {"final_obs": self._observations[i], "final_info": infos[i]}
                    self._observations[i], info = self.envs[i].reset()
                    infos[i] = final | info
            except EnvironmentFailure as failure:  # raised when every environment has answered
                failures.append(failure)
        self._ended = terminated | truncated
        if failures:
            raise failures[0]
        return tuple(self._observations), rewards, terminated, truncated, self._merge(infos)

    def _merge(self, infos: list[dict[str, Any]]) -> dict[str, Any]:
        """Merge infos as Gymnasium does, all at once where every environment has nothing but an outcome to tell."""
        if all(len(info) == 1 and "outcome" in info for info in infos):
            outcomes = np.array([info["outcome"] for info in infos], dtype=object)
            return {"outcome": outcomes, "_outcome": np.ones(self.num_envs, dtype=np.bool_)}
        merged: dict[str, Any] = {}
        for i, info in enumerate(infos):
            merged = self._add_info(merged, info, i)
        return merged

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method of every environment, or get an attribute of it."""
        attributes = [getattr(env, name) for env in self.envs]
        return tuple(value(*args, **kwargs) if callable(value) else value for value in attributes)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Get an attribute of every environment."""
        return self.call(name)

    def render(self) -> tuple[Any, ...]:
        """Render every environment."""
        return tuple(env.render() for env in self.envs)

    def close_extras(self, **_: Any) -> None:
        """Close every environment."""
        for env in self.envs:
            env.close()
