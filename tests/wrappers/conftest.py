"""What the tests of wrappers share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import pytest

from envscaler_gym import ToolEnv
from envscaler_gym.types import Action
from tests import toys

Make = Callable[..., gym.Env[str, Action]]


@pytest.fixture
def tea() -> Iterator[Make]:
    """Return a function that makes tea shops."""
    made: list[gym.Env[str, Action]] = []

    def make(**arguments: Any) -> gym.Env[str, Action]:
        made.append(gym.make(toys.TEA_SHOP_ID, disable_env_checker=True, **arguments))
        return made[-1]

    yield make
    for env in made:
        env.close()


def core(env: gym.Env[Any, Any]) -> ToolEnv:
    """Return the environment at the bottom."""
    below = env.unwrapped
    assert isinstance(below, ToolEnv)
    return below
