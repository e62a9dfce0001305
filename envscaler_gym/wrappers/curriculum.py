"""Harder episodes as the agent gets better."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from envscaler_gym.env import StepResult
from envscaler_gym.errors import shorten
from envscaler_gym.scenario import DIFFICULTIES
from envscaler_gym.types import JSON, Action
from envscaler_gym.wrappers.tool_wrapper import ToolWrapper, chance

__all__ = ["Curriculum"]


class Curriculum(ToolWrapper[str, Action]):
    """Draws the difficulty of each episode, so that the agent mostly plays what it half knows.

    Each difficulty has a success rate: the share of its last ``window`` episodes with at least ``success`` as score.
    It counts a fifth of the window at least, so that an episode or two decide nothing. The weight of a difficulty in
    the draw is the product of

    * readiness -- 1 once the next easier difficulty succeeds at the rate ``low``, less in proportion below it; always 1
      for the easiest;
    * need -- 1 as long as its own rate is at most ``high``, falling to 0 at a rate of 1;

    and at least ``review``, so that nothing is forgotten, and a difficulty that was mastered is noticed when it is not
    any more.

    ``reset(options={"difficulty": …})`` or ``{"scenario": …}`` overrules the draw; such episodes count as well.
    Episodes that are not played to their end, and those in which the environment failed, do not count; a fork that is
    played to its end is an episode. Works with a suite.

    ## Info
    ``info["curriculum"]`` of ``reset``: ``{"success_rates": {difficulty: rate}, "weights": {difficulty: weight}}``.

    ## Determinism
    The draw is a function of the wrapper's seed, the environment's, the number of the episode and the results so far.
    :attr:`history` holds these as JSON, and can be set: store it with a checkpoint, or hand it to other environments.

    Args:
        env: The environment, wrapped or not, made without a ``difficulty``.
        low: Success rate at which the next harder difficulty is played in full.
        high: Success rate above which a difficulty is played less.
        window: Episodes of each difficulty that the rate is taken over.
        review: Least weight of a difficulty, above 0 and at most 1.
        success: Score from which an episode counts as a success.
        seed: Seed of the draws.

    Raises:
        TypeError: The environment is not one of this library.
        ValueError: An argument has a value that is not allowed, or no scenario has a difficulty.
    """

    def __init__(
        self,
        env: gym.Env[str, Action],
        low: float = 0.3,
        high: float = 0.8,
        window: int = 50,
        review: float = 0.05,
        success: float = 1.0,
        seed: int = 0,
    ) -> None:
        if not 0 < low <= 1 or not 0 <= high < 1:
            raise ValueError(f"low must be above 0 and high below 1, got {shorten(low)} and {shorten(high)}")
        if window < 1 or not 0 < review <= 1 or not 0 < success <= 1:
            raise ValueError(
                f"window must be at least 1, review and success above 0 and at most 1; got {shorten(window)}, "
                f"{shorten(review)} and {shorten(success)}"
            )
        arguments = {"low": low, "high": high, "window": window, "review": review, "success": success, "seed": seed}
        super().__init__(env, **arguments)
        self._low, self._high, self._review, self._success = low, high, review, success
        self._window, self._draw_seed = window, seed
        self._results = {name: deque[bool](maxlen=window) for name in self.below.difficulties}
        if not self._results:
            raise ValueError(f"No scenario of {self.below.bundle.id} has a difficulty, so there is nothing to choose.")
        self._seed, self._number = 0, -1

    @property
    def history(self) -> dict[str, list[bool]]:
        """The last results of each difficulty, oldest first; a fresh copy."""
        return {name: list(results) for name, results in self._results.items()}

    @history.setter
    def history(self, history: Mapping[str, Sequence[bool]]) -> None:
        if not set(history) <= set(DIFFICULTIES):
            raise ValueError(f"history must have difficulties as keys, got {shorten(list(history))}")
        for name, results in self._results.items():
            results.clear()
            results.extend(map(bool, history.get(name, ())))

    @property
    def success_rates(self) -> dict[str, float]:
        """Share of successes among the last episodes of each difficulty, easiest first."""
        least = max(1, self._window // 5)
        return {name: sum(results) / max(len(results), least) for name, results in self._results.items()}

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each difficulty in the next draw."""
        weights: dict[str, float] = {}
        ready = 1.0
        for name, rate in self.success_rates.items():
            need = min(1.0, (1 - rate) / (1 - self._high))
            weights[name] = max(self._review, ready * need)
            ready = min(1.0, rate / self._low)
        return weights

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start an episode of a difficulty that the results so far suggest."""
        if seed is None and self._number < 0:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        if seed is not None:
            self._seed, self._number = seed, -1
        self._number += 1
        options = dict(options or {})
        if options.get("scenario") is None and options.get("difficulty") is None:
            options["difficulty"] = self._draw()
        observation, info = self.env.reset(seed=seed, options=options)
        report: dict[str, JSON] = {"success_rates": self.success_rates, "weights": self.weights}
        return observation, info | {"curriculum": report}

    def step(self, action: Action) -> StepResult:
        """Take an action; the last one of an episode adds to the history.

        Args:
            action: As for the environment.
        """
        result = self.forward(action)
        score = result[4].get("score")
        difficulty = None if score is None else self.below.episode.scenario.difficulty
        if score is not None and difficulty in self._results:
            self._results[difficulty].append(score["reward"] >= self._success)
        return result

    def _draw(self) -> str:
        weights = self.weights
        left = chance("difficulty", self._draw_seed, self._seed, self._number) * math.fsum(weights.values())
        for name, weight in weights.items():
            left -= weight
            if left < 0:
                return name
        return name
