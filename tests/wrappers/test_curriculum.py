"""Difficulty follows success."""

from __future__ import annotations

from collections import Counter
from typing import Any

import gymnasium as gym
import pytest

from envscaler_gym import ToolEnv, registry
from envscaler_gym.wrappers import Curriculum
from tests import toys
from tests.wrappers.conftest import Make, core

DONE: Any = {"content": ""}


def play(env: Curriculum, succeeds: Any) -> str:
    """Play an episode to its end, with or without success; return its difficulty."""
    _, info = env.reset()
    difficulty = str(info["difficulty"])
    if succeeds(difficulty):
        for call in core(env).episode.scenario.solution:
            env.step({"name": call.name, "arguments": dict(call.arguments)})
    env.step(DONE)
    return difficulty


def drawn(env: Curriculum, episodes: int, succeeds: Any) -> Counter[str]:
    return Counter(play(env, succeeds) for _ in range(episodes))


def test_it_begins_easy_and_gets_harder_as_the_agent_gets_better(tea: Make) -> None:
    env = Curriculum(tea(), window=20)
    env.reset(seed=0)
    assert env.weights == {"easy": 1.0, "medium": 0.05, "hard": 0.05}
    start = drawn(env, 60, lambda _: False)
    assert start["easy"] > 45
    drawn(env, 60, lambda difficulty: difficulty == "easy")
    assert env.weights["medium"] == 1.0
    assert env.weights["easy"] == env.weights["hard"] == 0.05
    drawn(env, 80, lambda difficulty: difficulty != "hard")
    assert env.weights["hard"] == 1.0
    assert drawn(env, 60, lambda difficulty: difficulty != "hard")["hard"] > 45


def test_what_is_forgotten_is_played_again(tea: Make) -> None:
    env = Curriculum(tea(), window=10)
    env.history = {"easy": [True] * 10, "medium": [True] * 10, "hard": [True] * 10}
    assert set(env.weights.values()) == {0.05}
    env.reset(seed=0)
    drawn(env, 80, lambda difficulty: difficulty != "easy")
    assert env.success_rates["easy"] < 0.5
    assert env.weights["easy"] == 1.0
    assert env.weights["medium"] == 0.05


@pytest.mark.parametrize(
    ("easy", "medium", "weights"),
    [
        (0, 0, (1.0, 0.05, 0.05)),
        (3, 0, (1.0, 0.5, 0.05)),  # half as ready as low=0.6 asks for
        (6, 0, (1.0, 1.0, 0.05)),
        (9, 3, (0.5, 1.0, 0.5)),  # half as needed as at high=0.8
        (10, 10, (0.05, 0.05, 1.0)),
    ],
)
def test_weights_follow_the_rule(tea: Make, easy: int, medium: int, weights: tuple[float, ...]) -> None:
    env = Curriculum(tea(), low=0.6, high=0.8, window=10)
    env.history = {"easy": [True] * easy + [False] * (10 - easy), "medium": [True] * medium + [False] * (10 - medium)}
    assert tuple(env.weights.values()) == pytest.approx(weights)


def test_draws_follow_the_weights(tea: Make) -> None:
    env = Curriculum(tea(), window=10)
    env.history = {"easy": [True, False] * 5, "medium": [True, False] * 5, "hard": [True, False] * 5}
    found: Counter[str] = Counter()
    for seed in range(600):
        found[env.reset(seed=seed)[1]["difficulty"]] += 1
    assert set(found) == {"easy", "medium", "hard"}
    assert all(150 < count < 250 for count in found.values())


def test_an_episode_or_two_decide_nothing(tea: Make) -> None:
    env = Curriculum(tea(), window=50)
    env.history = {"easy": [True]}
    assert env.success_rates["easy"] == 0.1


def test_the_window_forgets(tea: Make) -> None:
    env = Curriculum(tea(), window=4)
    env.history = {"easy": [True] * 10}
    assert env.history == {"easy": [True] * 4, "medium": [], "hard": []}
    env.reset(seed=0)
    while env.history["easy"] != [False] * 4:
        play(env, lambda _: False)
    assert env.success_rates["easy"] == 0.0


def test_history_makes_another_go_on_alike(tea: Make) -> None:
    first, second = Curriculum(tea(), window=10), Curriculum(tea(), window=10)
    first.reset(seed=0)
    drawn(first, 30, lambda difficulty: difficulty == "easy")
    second.history = first.history
    assert second.history == first.history
    assert [first.reset(seed=seed) for seed in range(9)] == [second.reset(seed=seed) for seed in range(9)]


def test_a_partial_success_is_none_unless_asked_for(tea: Make) -> None:
    results = []
    for success in (1.0, 0.6):
        env = Curriculum(tea(), success=success, window=10)
        env.reset(seed=0, options={"scenario": "both"})
        env.step({"name": "order_tea", "arguments": {"tea_id": "T-1", "grams": 100}})
        env.step(DONE)
        results.append(env.history["hard"])
    assert results == [[False], [True]]


def test_what_is_chosen_is_played_and_what_is_left_does_not_count(tea: Make) -> None:
    env = Curriculum(tea(), window=10)
    assert env.reset(seed=0, options={"difficulty": "hard"})[1]["scenario"] == "both"
    assert env.reset(seed=0, options={"scenario": "restock-assam"})[1]["difficulty"] == "medium"
    assert env.history == {"easy": [], "medium": [], "hard": []}
    env.step(DONE)
    assert env.history["medium"] == [False]
    env.reset(options={"scenario": "partly-true"})  # it has no difficulty
    env.step(DONE)
    assert env.history == {"easy": [], "medium": [False], "hard": []}


def test_a_suite_draws_from_all_environments() -> None:
    env = Curriculum(gym.make("envscaler/Suite-v0", split="train"), window=10)
    assert list(env.history) == ["easy", "medium", "hard", "expert"]
    env.history = {"easy": [True] * 10}
    found = {env.reset(seed=seed)[1]["environment"] for seed in range(60)}
    assert found == set(registry.shipped_ids())
    hard = [env.reset(seed=seed)[1]["difficulty"] for seed in range(40)].count("medium")
    assert hard > 30


def test_without_a_seed_the_first_one_is_drawn(tea: Make) -> None:
    env = Curriculum(tea())
    first = [env.reset()[1]["scenario"] for _ in range(3)]
    seed = core(env).episode_key[0]
    assert [env.reset(seed=seed if i == 0 else None)[1]["scenario"] for i in range(3)] == first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": 0.0}, "low must be above 0"),
        ({"high": 1.0}, "high below 1"),
        ({"window": 0}, "window must be at least 1"),
        ({"review": 0.0}, "review"),
        ({"success": 1.5}, "success"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Curriculum(ToolEnv(toys.TEA_SHOP_ID), **arguments)


def test_scenarios_without_difficulty_are_refused() -> None:
    with pytest.raises(ValueError, match="No scenario of toys/Hostile-v0 has a difficulty"):
        Curriculum(ToolEnv(toys.HOSTILE_ID))


def test_a_history_of_something_else_is_refused(tea: Make) -> None:
    with pytest.raises(ValueError, match="difficulties as keys, got \\['simple'\\]"):
        Curriculum(tea()).history = {"simple": [True]}
