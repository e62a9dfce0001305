"""Reward for every check that begins to pass, which leaves the best policies what they are."""

from __future__ import annotations

from typing import NamedTuple

import gymnasium as gym

from envscaler_gym.env import StepResult
from envscaler_gym.errors import EnvironmentFailure, shorten
from envscaler_gym.types import Action
from envscaler_gym.wrappers.tool_wrapper import ToolWrapper

__all__ = ["PotentialReward"]


class _Potential(NamedTuple):
    """The wrapper's note: the potential of the state, and the number of changes that it was graded after."""

    value: float
    changes: int


class PotentialReward(ToolWrapper[str, Action]):
    """Adds ``gamma * Phi(s') - Phi(s)`` to the reward of each step, where ``Phi`` is the fraction of checks that pass.

    Such a term leaves the best policies what they are (Ng, Harada and Russell, "Policy invariance under reward
    transformations", ICML 1999). ``Phi`` is 0 once the episode has ended, terminated or truncated: both are graded, so
    nothing comes after them. The discounted sum of the added terms is then ``-Phi(s0)``, whatever was done, and with
    ``gamma=1`` the return is the score minus what passed at the start.

    Use the trainer's own discount. A trainer that adds the value of what might follow a *truncated* episode must not
    do so here, with or without this wrapper: the last reward is the episode's whole grade.

    The checks run at the first step and after each call that changes the state; other steps use the last result. They
    look at the state the way the grading at the end does, under the same ``reward`` and ``guards``.

    ## Info
    ``info["potential"]``: the fraction that passes now, 0 after the end; ``info["shaping"]``: the term that was added.
    ``info["score"]`` is what it is without the wrapper.

    Args:
        env: The environment, wrapped or not, with actions as :class:`~envscaler_gym.env.ToolEnv` has them.
        gamma: Discount of the trainer, above 0 and at most 1.
        scale: Factor of the potential.

    Raises:
        TypeError: The environment is not one of this library.
        ValueError: ``gamma`` or ``scale`` has a value that is not allowed.
    """

    def __init__(self, env: gym.Env[str, Action], gamma: float = 1.0, scale: float = 1.0) -> None:
        if not 0 < gamma <= 1:
            raise ValueError(f"gamma must be above 0 and at most 1, got {shorten(gamma)}")
        if not scale > 0:
            raise ValueError(f"scale must be above 0, got {shorten(scale)}")
        super().__init__(env, gamma=gamma, scale=scale)
        self._gamma, self._scale = gamma, scale

    def step(self, action: Action) -> StepResult:
        """Take an action.

        Args:
            action: As for the environment.
        """
        below = self.below
        try:
            before = self._potential() if below.running else 0.0
            observation, reward, terminated, truncated, info = self.forward(action)
            after = 0.0 if terminated or truncated else self._potential()
        except EnvironmentFailure as failure:
            if not below.running:  # the environment has dealt with it
                raise
            observation, reward, terminated, truncated, info = below.fail(action, failure)
            return observation, reward, terminated, truncated, info | {"potential": 0.0, "shaping": 0.0}
        shaping = self._scale * (self._gamma * after - before)
        info = info | {"potential": after, "shaping": shaping}
        return observation, reward + shaping, terminated, truncated, info

    def _potential(self) -> float:
        """Return the fraction of checks that pass now."""
        changes = self.below.episode.changes
        known: _Potential | None = self.note(None)
        if known is None or known.changes != changes:
            known = _Potential(self.below.grade().reward, changes)
            self.write(known)
        return known.value
