"""The shaped reward pays for progress and leaves the best policies what they are."""

from __future__ import annotations

import itertools
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from envscaler_gym import GradingFailure, ToolEnv
from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import Check, Score
from envscaler_gym.scenario import Scenario
from envscaler_gym.wrappers import PotentialReward
from tests import toys
from tests.wrappers.conftest import Make, core

ORDER: Any = {"name": "order_tea", "arguments": {"tea_id": "T-1", "grams": 100}}
RESTOCK: Any = {"name": "restock", "arguments": {"tea_id": "T-2", "bag": 100}}
LIST: Any = {"name": "list_teas", "arguments": {}}
DONE: Any = {"content": ""}

SWITCHES = '''
class Switches:
    """Two switches and a fuse that the second blows while the first is off."""

    def __init__(self, init_config):
        self.first = False
        self.second = False
        self.blown = False

    def flip_first(self):
        self.first = not self.first
        return {"success": not self.blown}

    def flip_second(self):
        self.blown = self.blown or not self.first
        self.second = not self.second and not self.blown
        return {"success": True}

    def look(self):
        return {"success": True, "data": self.first}
'''
ACTIONS: list[Any] = [
    *({"name": name, "arguments": {}} for name in ("flip_first", "flip_second", "look")),
    {"content": ""},
]
HORIZON = 4


@pytest.fixture
def switches(tmp_path: Path) -> str:
    """Return the folder of a world with seven states, small enough to try everything."""
    checks: tuple[Check, ...] = tuple(
        toys.check(f"return {body}")
        for body in ('final_state["second"]', 'not final_state["blown"]', 'not final_state["first"]')
    )
    scenario = Scenario(id="on", start_state="off", task="Switch the second on, the first off.", checks=checks)
    kinds = {"flip_first": "state_change", "flip_second": "state_change"}
    start = {"off": {"first": False, "second": False, "blown": False}}
    bundle: Bundle = toys.make_bundle(SWITCHES, "Switches", [scenario], start, "toys/Switches-v0", kinds)
    bundle.save(tmp_path / "switches")
    return str(tmp_path / "switches")


def rewards(env: gym.Env[Any, Any], actions: Any) -> list[float]:
    """Play actions to the end of the episode and return the rewards."""
    env.reset(seed=0)
    found = []
    for action in actions:
        _, reward, terminated, truncated, _ = env.step(action)
        found.append(float(reward))
        if terminated or truncated:
            break
    return found


def discounted(values: list[float], gamma: float) -> float:
    return float(sum(value * gamma**step for step, value in enumerate(values)))


@pytest.mark.parametrize("gamma", [1.0, 0.9])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_the_added_terms_sum_up_to_the_start(tea: Make, gamma: float, scale: float) -> None:
    options = {"scenario": "partly-true"}
    for actions in ([ORDER, LIST, DONE], [DONE], [ORDER, RESTOCK, LIST, RESTOCK, DONE], [LIST] * 8):
        env = PotentialReward(tea(max_steps=8), gamma=gamma, scale=scale)
        env.reset(seed=0, options=options)
        terms, total, score = [], [], 0.0
        for action in actions:
            _, reward, terminated, truncated, info = env.step(action)
            terms.append(info["shaping"])
            total.append(float(reward))
            score = info["score"]["reward"] if terminated or truncated else 0.0
        start = 1 / 3  # one of the three checks is true at the start
        assert discounted(terms, gamma) == pytest.approx(-scale * round(start, 4))
        assert discounted(total, gamma) == pytest.approx(score * gamma ** (len(total) - 1) - scale * round(start, 4))


def test_progress_is_paid_at_once_and_damage_costs(tea: Make) -> None:
    env = PotentialReward(tea())
    env.reset(seed=0, options={"scenario": "both"})
    steps = [env.step(action) for action in (LIST, ORDER, RESTOCK, RESTOCK, DONE)]
    assert [round(float(step[1]), 4) for step in steps] == [0.0, 0.6667, 0.3333, -0.3333, 0.0]
    assert [step[4]["potential"] for step in steps] == [0.0, 0.6667, 1.0, 0.6667, 0.0]
    assert steps[-1][4]["score"]["reward"] == 0.6667


@pytest.mark.parametrize("gamma", [1.0, 0.8])
def test_the_best_actions_are_the_same_everywhere(switches: str, gamma: float) -> None:
    """Every history of a small world is tried: with and without shaping the same actions are best in each."""

    def values(shaped: bool) -> dict[tuple[int, ...], tuple[int, ...]]:
        plain = ToolEnv(switches, max_steps=HORIZON, trust=True)
        env: gym.Env[Any, Any] = PotentialReward(plain, gamma=gamma) if shaped else plain

        @cache
        def returns(history: tuple[int, ...]) -> float:
            played = rewards(env, [ACTIONS[i] for i in history])
            return discounted(played, gamma)

        def best_return(history: tuple[int, ...]) -> float:
            if len(history) == HORIZON or (history and history[-1] == 3):
                return returns(history)
            return max(best_return((*history, i)) for i in range(len(ACTIONS)))

        found = {}
        for length in range(HORIZON):
            for history in itertools.product(range(3), repeat=length):
                options = [best_return((*history, i)) for i in range(len(ACTIONS))]
                found[history] = tuple(int(i) for i in np.flatnonzero(np.isclose(options, max(options))))
        return found

    plain, shaped = values(shaped=False), values(shaped=True)
    assert plain == shaped
    assert len(set(plain.values())) > 3  # not all alike
    assert 1 not in plain[()]  # the fuse blows


def test_it_tells_plain_reward_for_progress_apart(switches: str) -> None:
    """What the last test would not see through: reward for progress that is not taken back at the end."""
    env = PotentialReward(ToolEnv(switches, max_steps=HORIZON, trust=True), gamma=0.8)
    flip, done = ACTIONS[0], ACTIONS[3]
    assert rewards(env, [done]) == [pytest.approx(0.0)]  # 2/3 at the end, less 2/3 at the start
    assert rewards(env, [flip, flip, done])[-1] == pytest.approx(0.0)


def test_grading_runs_only_where_the_state_changed(tea: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    env = PotentialReward(tea(max_steps=20))
    env.reset(seed=0, options={"scenario": "both"})
    graded = Counter[str]()
    grade = ToolEnv.grade

    def counted(self: ToolEnv) -> Score:
        graded["times"] += 1
        return grade(self)

    monkeypatch.setattr(ToolEnv, "grade", counted)
    refused: Any = {"name": "get_tea", "arguments": {"tea_id": "none"}}
    for action in (LIST, LIST, ORDER, LIST, refused, RESTOCK, LIST):
        env.step(action)
    assert graded["times"] == 3


def test_the_agent_sees_the_same_with_and_without_it(tea: Make) -> None:
    env, plain = PotentialReward(tea(isolation="worker")), tea()
    actions = [LIST, ORDER, {"name": "opening_hours", "arguments": {}}, {"name": "surprise", "arguments": {}}, DONE]
    for one in (env, plain):
        one.reset(seed=4, options={"scenario": "both"})
    for action in actions:
        shaped, bare = env.step(action), plain.step(action)
        assert shaped[0] == bare[0]
        assert shaped[4].get("score") == bare[4].get("score")


def test_delta_and_guards_count_as_at_the_end(tea: Make) -> None:
    env = PotentialReward(tea(reward="delta"))
    env.reset(seed=0, options={"scenario": "partly-true"})
    assert env.step(LIST)[4]["potential"] == 0.0  # the check that is true from the start does not count
    env = PotentialReward(tea(guards="enforce"))
    env.reset(seed=0, options={"scenario": "order-sencha"})
    assert env.step(ORDER)[4]["potential"] == 1.0
    assert env.step(RESTOCK)[4]["potential"] == 0.0  # it breaks a guard


def test_grading_that_fails_is_a_failure_of_the_environment(tmp_path: Path) -> None:
    scenario = Scenario(id="true", start_state="shop", task="Do nothing.", checks=(toys.check("return True"),))
    bundle = toys.make_bundle(toys.TEA_SHOP_SOURCE, "TeaShop", [scenario], {"shop": toys.TEAS}, "toys/True-v0")
    bundle.save(tmp_path / "true")
    env = PotentialReward(ToolEnv(str(tmp_path / "true"), trust=True, reward="delta"))
    env.reset()
    with pytest.raises(GradingFailure):
        env.step(LIST)
    env = PotentialReward(ToolEnv(str(tmp_path / "true"), trust=True, reward="delta", on_error="truncate"))
    env.reset()
    _, _, terminated, truncated, info = env.step(LIST)
    assert (terminated, truncated, info["failure"]["type"]) == (False, True, "GradingFailure")
    with pytest.raises(gym.error.ResetNeeded):
        env.step(LIST)


@pytest.mark.parametrize(("arguments", "message"), [({"gamma": 0.0}, "gamma must be"), ({"scale": 0.0}, "scale must")])
def test_arguments_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PotentialReward(ToolEnv(toys.TEA_SHOP_ID), **arguments)


def test_the_environment_below_is_the_one_that_ends(tea: Make) -> None:
    env = PotentialReward(tea(max_steps=1))
    env.reset(seed=0, options={"scenario": "order-sencha"})
    _, reward, _, truncated, info = env.step(ORDER)
    assert (reward, truncated, info["potential"]) == (1.0, True, 0.0)
    assert not core(env).running
