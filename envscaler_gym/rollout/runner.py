"""Running policies: which episodes, one episode, many episodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym

from envscaler_gym.draw import eligible
from envscaler_gym.env import ToolEnv
from envscaler_gym.errors import EnvironmentFailure, ScenarioError, shorten
from envscaler_gym.registry import get_bundle
from envscaler_gym.rollout.policies import Policy
from envscaler_gym.rollout.results import EpisodeResult
from envscaler_gym.types import Action, Outcome
from envscaler_gym.wrappers import RecordTrajectory

__all__ = ["PlannedEpisode", "plan_episodes", "run_episode", "run_policy"]


class PlannedEpisode(NamedTuple):
    """All that an episode depends on besides the policy.

    Attributes:
        environment: Id of the environment, or path of a bundle's folder.
        scenario: Id of the scenario.
        seed: Seed of the episode.
    """

    environment: str
    scenario: str
    seed: int


def plan_episodes(
    environment: str,
    *,
    split: str | None = None,
    difficulty: str | None = None,
    solved: bool = False,
    episodes: int | None = None,
    seed: int = 0,
) -> list[PlannedEpisode]:
    """List episodes that go through an environment's scenarios in order; episode ``i`` has the seed ``seed + i``.

    Args:
        environment: Name of the environment, or path of a bundle's folder.
        split: Only scenarios of this split.
        difficulty: Only scenarios of this difficulty.
        solved: Only scenarios with a reference solution.
        episodes: Number of episodes, which starts over when it exceeds the number of scenarios; ``None``: each once.
        seed: Seed of the first episode.

    Raises:
        UnknownNameError: There is no such environment.
        BundleError: Its bundle is malformed.
        ScenarioError: No scenario fits.
    """
    bundle = get_bundle(environment)
    scenarios = eligible(bundle, split, difficulty, graded=True)
    if solved:
        scenarios = tuple(scenario for scenario in scenarios if scenario.solution)
        if not scenarios:
            raise ScenarioError(f"{bundle.id} has no scenario with a reference solution; choose another policy.")
    count = len(scenarios) if episodes is None else episodes
    return [PlannedEpisode(environment, scenarios[i % len(scenarios)].id, seed + i) for i in range(count)]


def run_episode(
    env: gym.Env[str, Action], policy: Policy, *, seed: int, options: Mapping[str, Any] | None = None
) -> EpisodeResult:
    """Let a policy play one episode. A failure of the environment ends it and stands in the result.

    Args:
        env: The environment, wrapped or not.
        policy: Who plays.
        seed: Seed of the episode.
        options: Options for ``reset``, such as ``{"scenario": id}``.

    Raises:
        TypeError: The environment is not one of this library.
        EnvironmentFailure: The episode could not be started, and the environment was made with ``on_error="raise"``.
        ScenarioError: There is no such scenario, or the policy cannot play it.
    """
    tool_env = env.unwrapped
    if not isinstance(tool_env, ToolEnv):
        raise TypeError(f"run_episode plays environments of envscaler_gym, got {shorten(tool_env)}")
    observation, start = env.reset(seed=seed, options=dict(options or {}))
    outcomes: Counter[Outcome] = Counter()
    reward, ended, info = 0.0, False, dict[str, Any]()
    try:
        policy.begin(tool_env.episode, seed)
        while not ended:
            observation, gained, terminated, truncated, info = env.step(policy.act(observation))
            reward += float(gained)
            ended = terminated or truncated
            outcomes[info["outcome"]] += 1
    except EnvironmentFailure as failure:
        reward, info = 0.0, {"failure": {"type": type(failure).__name__, "message": str(failure)}}
    return EpisodeResult(
        environment=start["environment"],
        scenario=start["scenario"],
        difficulty=start["difficulty"],
        split=start["split"],
        seed=seed,
        reward=reward,
        steps=outcomes.total(),
        outcomes=dict(outcomes),
        score=info.get("score"),
        failure=info.get("failure"),
    )


def run_policy(
    plan: Iterable[PlannedEpisode], policy: Policy, *, trust: bool = False, record: Path | None = None, name: str = ""
) -> Iterator[EpisodeResult]:
    """Let a policy play planned episodes, and yield the result of each when it ends.

    A failure of the environment stands in the result, and the next episode is played.

    Args:
        plan: The episodes; see :func:`plan_episodes`.
        policy: Who plays.
        trust: Run code that nobody has reviewed in this process instead of in a worker.
        record: JSONL file to which each episode's trajectory is added; ``None`` for none.
        name: Name of the policy, as it is to stand in the trajectories.

    Raises:
        IsolationUnavailable: An environment's code is to run in a worker, and this machine cannot lock one down.
        ScenarioError: The policy cannot play a scenario.
    """
    for environment, episodes in groupby(plan, key=lambda planned: planned.environment):
        plain = ToolEnv(environment, on_error="truncate", trust=trust)
        env = plain if record is None else RecordTrajectory(plain, str(record), name)
        with closing(env):
            for planned in episodes:
                yield run_episode(env, policy, seed=planned.seed, options={"scenario": planned.scenario})
