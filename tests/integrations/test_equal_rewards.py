"""Equal calls earn equal rewards, whichever way they reach an environment."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import cycle, islice
from typing import NamedTuple

import gymnasium as gym
import pytest

from envscaler_gym import registry
from envscaler_gym.scenario import Scenario
from tests.integrations.drivers import DRIVERS, Call

EPISODES = 100


class Case(NamedTuple):
    environment: str
    scenario: str
    seed: int
    calls: tuple[Call, ...]
    reward: float


def calls_of(scenario: Scenario, rng: random.Random) -> tuple[Call, ...]:
    """Return the solution up to some point, with errors and repetitions in between; or more calls than are allowed."""
    solution: list[Call] = [(call.name, dict(call.arguments)) for call in scenario.solution]
    if rng.random() < 0.1:
        return tuple(islice(cycle(solution), scenario.max_steps + 3))
    calls = solution[: rng.randint(0, len(solution))] if rng.random() < 0.7 else solution
    name, arguments = rng.choice(solution)
    errors: list[Call] = [
        ("no_such_tool", {}),
        (name, {"no_such_parameter": 1}),
        (name, {key: [] for key in arguments}),
        (name, arguments),
    ]
    for error in rng.sample(errors, rng.randint(0, 3)):
        calls.insert(rng.randint(0, len(calls)), error)
    assert len(calls) < scenario.max_steps
    return tuple(calls)


def earned(environment: str, scenario: str, seed: int, calls: Sequence[Call]) -> float:
    """Return the reward through Gymnasium."""
    env = gym.make(environment, disable_env_checker=True)
    env.reset(seed=seed, options={"scenario": scenario})
    for action in [*({"name": name, "arguments": arguments} for name, arguments in calls), {"content": ""}]:
        _, reward, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            break
    env.close()
    return float(reward)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    rng = random.Random(7)
    found = [
        (id_, scenario) for id_ in registry.shipped_ids() for scenario in registry.get_bundle(id_).scenarios.values()
    ]
    rng.shuffle(found)
    made = []
    for seed, (environment, scenario) in enumerate(found[:EPISODES]):
        calls = calls_of(scenario, rng)
        made.append(Case(environment, scenario.id, seed, calls, earned(environment, scenario.id, seed, calls)))
    return made


def test_the_episodes_are_of_every_kind(cases: list[Case]) -> None:
    rewards = [case.reward for case in cases]
    assert len({(case.environment, case.scenario) for case in cases}) == EPISODES
    assert {case.environment for case in cases} == set(registry.shipped_ids())
    assert rewards.count(0.0) > 5
    assert rewards.count(1.0) > 20
    assert sum(0 < reward < 1 for reward in rewards) > 20


@pytest.mark.parametrize("name", sorted(DRIVERS))
def test_rewards_are_equal(name: str, cases: list[Case]) -> None:
    drive = DRIVERS[name]
    for case in cases:
        got = drive(case.environment, case.scenario, case.seed, case.calls)
        assert got == case.reward, f"{name}: {got} instead of {case.reward} for {case}"
