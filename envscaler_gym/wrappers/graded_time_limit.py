"""Let ``gym.make(…, max_episode_steps=n)`` truncate with a grade."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs
from gymnasium.wrappers import TimeLimit

from envscaler_gym.types import Action

__all__ = ["GradedTimeLimit"]


class GradedTimeLimit(gym.Wrapper[str, Action, str, Action], RecordConstructorArgs):
    """Hands the limit of a ``TimeLimit`` below it to the environment, which grades what it truncates itself.

    Gymnasium turns ``max_episode_steps`` into a ``TimeLimit`` that knows nothing of grades. Registered environments
    carry this wrapper, so that the environment ends the episode at the same step, with its score. It does nothing else.

    Args:
        env: The environment.
    """

    def __init__(self, env: gym.Env[str, Action]) -> None:
        RecordConstructorArgs.__init__(self)
        gym.Wrapper.__init__(self, env)
        layer: Any = env
        while isinstance(layer, gym.Wrapper):
            if isinstance(layer, TimeLimit) and layer.spec is not None:
                env.unwrapped.max_steps = layer.spec.max_episode_steps  # type: ignore[attr-defined]  # ToolEnv's
            layer = layer.env
