"""Plays seeded episodes and writes down all that happens, byte for byte. Also run by itself, in fresh interpreters."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import gymnasium as gym

import envscaler_gym
from envscaler_gym import ToolEnv
from envscaler_gym.state import digest

gym.register_envs(envscaler_gym)


def played(env: ToolEnv, seed: int, episodes: int = 2, steps: int = 12) -> Iterator[str]:
    """Yield each observation, reward and info of episodes of random calls, and what states they lead to."""
    for episode in range(episodes):
        yield json.dumps(env.reset(seed=None if episode else seed))
        for _ in range(steps):
            action = env.sample_action()
            result = env.step(action)
            yield json.dumps([action, result])
            if result[2] or result[3]:
                break
        yield digest(env.episode.world.state())
        if env._running:
            yield json.dumps(env.step({"content": "bye"}))


def make(id_: str, **arguments: Any) -> ToolEnv:
    """Make an environment whose code may be run."""
    env = gym.make(id_, trust=True, **arguments).unwrapped
    assert isinstance(env, ToolEnv)
    return env


if __name__ == "__main__":
    for name in sys.argv[1:]:
        for line in played(make(name), seed=7):
            sys.stdout.write(line + "\n")
