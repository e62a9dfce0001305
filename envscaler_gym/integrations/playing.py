"""Episodes for trainers that run the loop themselves: they call tools, and ask for the reward when they are through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import gymnasium as gym

from envscaler_gym.checks import Score
from envscaler_gym.errors import EnvironmentFailure
from envscaler_gym.integrations.sessions import make_environment
from envscaler_gym.types import Action, Outcome

__all__ = ["Play", "Wrap", "unwrapped"]

Wrap: TypeAlias = Callable[[gym.Env[str, Action]], gym.Env[str, Action]]
"""Puts wrappers around an environment: a class of :mod:`envscaler_gym.wrappers`, or a function that nests several."""


def unwrapped(env: gym.Env[str, Action]) -> gym.Env[str, Action]:
    """Return the environment as it is."""
    return env


class Play:
    """An environment that plays one episode after the other, and adds up what each earns.

    Args:
        environments: A name or the path of a bundle's folder, or a list of these to draw from.
        wrap: Puts wrappers around the environment.
        options: Arguments of :class:`~envscaler_gym.env.ToolEnv`.

    Attributes:
        below: The environment without its wrappers.
        info: What ``reset`` said of the running episode.
        reward: What it has earned so far.
        ended: Whether it has ended.
        outcome: What became of the last action.
        score: Its score; ``None`` before its end, and where nothing is graded.
    """

    def __init__(self, environments: str | Sequence[str], wrap: Wrap = unwrapped, **options: Any) -> None:
        self.below = make_environment(environments, **options)
        self._env = wrap(self.below)
        self.info: dict[str, Any] = {}
        self.reward = 0.0
        self.ended = True
        self.outcome: Outcome = "message"
        self.score: Score | None = None
        self._failure: EnvironmentFailure | None = None

    def begin(self, *, seed: int | None = None, **choice: str) -> str:
        """Start an episode and return the task, or the user's first turn.

        Args:
            seed: As for ``reset()``.
            choice: Options of ``reset()``, such as ``scenario="…"``.
        """
        observation, self.info = self._env.reset(seed=seed, options=dict(choice))
        self.reward, self.ended, self.score, self._failure = 0.0, False, None, None
        return observation

    def act(self, action: Any) -> str:
        """Take an action and return what came of it.

        Raises:
            gymnasium.error.ResetNeeded: The episode has ended.
            EnvironmentFailure: The environment failed; :meth:`finish` raises it again.
        """
        try:
            observation, reward, terminated, truncated, info = self._env.step(action)
        except EnvironmentFailure as failure:
            self.ended, self._failure = True, failure
            raise
        self.reward += float(reward)
        self.outcome, self.ended, self.score = info["outcome"], terminated or truncated, self.below.score
        return observation

    def finish(self) -> float:
        """End the episode if it has not ended yet, and return what it has earned.

        In conversation mode, where it is the user who ends an episode, what was reached so far is graded.

        Raises:
            EnvironmentFailure: The environment failed in this episode, or does so now.
        """
        if self._failure is not None:
            raise self._failure
        if not self.ended and self.below.mode == "task":
            self.act({"content": ""})
        elif not self.ended:
            self.score = self.below.grade()
            self.reward += self.score.reward
            self.ended = True
        return self.reward

    def close(self) -> None:
        """Close the environment."""
        self._env.close()
