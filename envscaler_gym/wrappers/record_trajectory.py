"""Record episodes as they are played."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from envscaler_gym.env import ToolEnv
from envscaler_gym.errors import EnvironmentFailure, shorten
from envscaler_gym.state import digest, plain
from envscaler_gym.trajectories import Trajectory, TrajectoryStep, append_trajectory
from envscaler_gym.types import Action

__all__ = ["RecordTrajectory"]


class RecordTrajectory(gym.Wrapper[str, Action, str, Action], RecordConstructorArgs):
    """Records every episode with its calls, results and digests of the state, and changes nothing.

    It records what reaches the environment below it, so it goes directly around the environment where wrappers that
    change calls or results are used too: only then can the episode be played again.

    Args:
        env: An environment of this library, wrapped or not.
        path: JSONL file to which each episode is added when it ends; ``None``: nothing is written, and
            :attr:`trajectory` has the last one.
        policy: Name of who plays, as it is to stand in the records.

    Raises:
        TypeError: The environment is not one of this library.
    """

    def __init__(self, env: gym.Env[str, Action], path: str | None = None, policy: str = "") -> None:
        if not isinstance(env.unwrapped, ToolEnv):
            raise TypeError(f"RecordTrajectory wraps environments of envscaler_gym, got {shorten(env.unwrapped)}")
        RecordConstructorArgs.__init__(self, path=path, policy=policy)
        gym.Wrapper.__init__(self, env)
        self._below: ToolEnv = env.unwrapped
        self._path = None if path is None else Path(path)
        self._policy = policy
        self._start: dict[str, Any] | None = None
        self._steps: list[TrajectoryStep] = []
        self.trajectory: Trajectory | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start an episode, and a new record."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._steps, self._start = [], None
        try:
            episode, seed_text = self._below.episode, self._below.episode_seed
        except EnvironmentFailure:  # it could not be started, and its first step will say so
            return observation, info
        self._start = {
            "environment": info["environment"],
            "bundle": self._below.bundle.digest,
            "scenario": info["scenario"],
            "difficulty": info["difficulty"],
            "split": info["split"],
            "mode": self._below.mode,
            "seed": seed_text,
            "policy": self._policy,
            "observation": observation,
            "start": digest(episode.initial_state),
        }
        return observation, info

    def step(self, action: Action) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take a step, and record it."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if self._start is not None:
            self._steps.append(
                TrajectoryStep(
                    action=plain(action),
                    observation=observation,
                    outcome=info["outcome"],
                    reward=float(reward),
                    state=self._state_digest(),
                )
            )
            if terminated or truncated:
                self._finish(self._start, info, terminated=terminated, truncated=truncated)
                self._start = None
        return observation, float(reward), terminated, truncated, info

    def _state_digest(self) -> str | None:
        try:
            return digest(self._below.episode.world.state())
        except EnvironmentFailure:  # of the step that failed, or of a worker that is gone
            return None

    def _finish(self, start: Mapping[str, Any], info: Mapping[str, Any], *, terminated: bool, truncated: bool) -> None:
        self.trajectory = Trajectory(
            **start,
            steps=tuple(self._steps),
            terminated=terminated,
            truncated=truncated,
            reward=sum(step.reward for step in self._steps),
            score=copy.deepcopy(info.get("score")),
            failure=info.get("failure"),
        )
        if self._path is not None:
            append_trajectory(self._path, self.trajectory)
