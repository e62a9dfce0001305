"""Calls that take time, on the virtual clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from statistics import NormalDist

import gymnasium as gym

from envscaler_gym.env import StepResult
from envscaler_gym.errors import EnvironmentFailure, did_you_mean, shorten
from envscaler_gym.types import Action
from envscaler_gym.wrappers.tool_wrapper import ToolWrapper, chance

__all__ = ["Latency"]


class Latency(ToolWrapper[str, Action]):
    """Lets time pass on the virtual clock before each call of a tool, as a slow service would.

    Nobody waits: the episode's clock moves, and generated code that asks for the time sees it. The time is drawn from
    a log-normal distribution, the usual shape of response times, cut off at ``limit``. A call takes it in addition to
    the one second that the clock moves at every call.

    ## Info
    ``info["latency"]`` of a step that called a tool: the time that passed, in seconds, to the millisecond.

    ## Determinism
    The time is a function of the wrapper's seed, the environment's, the number of the episode and the number of calls
    in it. Snapshots of the environment take the wrapper along.

    A scenario's checks may ask for a day. With the default values the calls of an episode take seconds in all; an
    episode that starts shortly before midnight can pass it with them.

    Args:
        env: The environment, wrapped or not, with actions as :class:`~envscaler_gym.env.ToolEnv` has them.
        median: Half of the calls take less, in seconds.
        spread: Standard deviation of the time's logarithm; 0 for the same time always.
        limit: Longest time, in seconds.
        medians: Medians of tools that differ, by name.
        seed: Seed of the times.

    Raises:
        TypeError: The environment is not one of this library.
        ValueError: A time or the spread is negative or not finite, or there is no tool of a name.
    """

    def __init__(
        self,
        env: gym.Env[str, Action],
        median: float = 0.3,
        spread: float = 0.8,
        limit: float = 30.0,
        medians: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> None:
        medians = dict(medians or {})
        for value in (median, spread, limit, *medians.values()):
            if not 0 <= value < math.inf:
                raise ValueError(f"median, spread, limit and medians must not be negative, got {shorten(value)}")
        super().__init__(env, median=median, spread=spread, limit=limit, medians=medians, seed=seed)
        constant = self.below.action_space.tools
        for name in medians:
            if constant is not None and name not in constant:
                known = ", ".join(constant)
                raise ValueError(f"There is no tool {name!r}.{did_you_mean(name, constant)} The tools are: {known}.")
        self._median, self._spread, self._limit, self._medians = median, spread, limit, medians
        self._seed = seed

    def step(self, action: Action) -> StepResult:
        """Let time pass if the action calls a tool, and take it.

        Args:
            action: As for the environment.
        """
        tool = self.tool_of(action)
        if tool is None:
            return self.forward(action)
        calls = self.note(0)
        seconds = self._draw(tool.name, calls)
        with suppress(EnvironmentFailure):  # whatever is wrong with the world, the step below meets it as well
            self.below.episode.world.advance(round(seconds * 1e6))
        observation, reward, terminated, truncated, info = self.forward(action)
        self.write(calls + 1)
        return observation, reward, terminated, truncated, info | {"latency": seconds}

    def _draw(self, name: str, calls: int) -> float:
        """Return a time in seconds."""
        position = chance("latency", self._seed, *self.below.episode_key, calls)
        deviation = NormalDist().inv_cdf(max(position, 1e-9))
        seconds = self._medians.get(name, self._median) * math.exp(self._spread * deviation)
        return round(min(seconds, self._limit), 3)
