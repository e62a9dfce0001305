"""What the environment does for wrappers: notes, a difficulty for one episode, steps that are given back."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import gymnasium as gym
import pytest

from envscaler_gym import ScenarioError, ToolEnv
from envscaler_gym.wrappers import Faults, Latency, ToolWrapper
from tests import toys

LIST: Any = {"name": "list_teas", "arguments": {}}


def test_notes_go_where_the_episode_goes() -> None:
    env = ToolEnv(toys.TEA_SHOP_ID)
    env.reset(seed=0)
    env.notes["counter"] = 1
    snapshot = pickle.loads(pickle.dumps(env.snapshot()))
    env.notes["counter"] = 2
    assert copy.deepcopy(env).notes == pickle.loads(pickle.dumps(env)).notes == {"counter": 2}
    env.restore(snapshot)
    assert env.notes == {"counter": 1}
    env.notes["counter"] = 3
    env.restore(snapshot)
    assert env.notes == {"counter": 1}
    env.reset()
    assert env.notes == {}


def test_two_wrappers_of_a_kind_keep_notes_of_their_own() -> None:
    env = Faults(Latency(Faults(Latency(ToolEnv(toys.TEA_SHOP_ID)), rate=0.0)), rate=0.0)
    env.reset(seed=0)
    env.step(LIST)
    core: Any = env.unwrapped
    assert sorted(core.notes) == ["Faults.1", "Faults.3", "Latency.0", "Latency.2"]


def test_a_difficulty_for_one_episode() -> None:
    env = ToolEnv(toys.TEA_SHOP_ID)
    assert env.difficulties == ("easy", "medium", "hard")
    drawn = [env.reset(seed=seed, options={"difficulty": "hard"})[1]["difficulty"] for seed in range(5)]
    assert drawn == ["hard"] * 5
    assert len({env.reset(seed=seed)[1]["difficulty"] for seed in range(20)}) == 4  # one scenario has none
    with pytest.raises(ScenarioError, match="no scenario with split=None and difficulty='expert'; it has test/medium"):
        env.reset(options={"difficulty": "expert"})
    assert ToolEnv(toys.TEA_SHOP_ID, split="test").difficulties == ("medium",)


def test_a_difficulty_for_one_episode_of_a_suite() -> None:
    env: Any = gym.make("envscaler/Suite-v0", environments=[toys.TEA_SHOP_ID, "envscaler/Library-v0"], split="test")
    assert env.unwrapped.difficulties == ("easy", "medium", "hard", "expert")
    found = {env.reset(seed=seed, options={"difficulty": "easy"})[1]["environment"] for seed in range(10)}
    assert found == {"envscaler/Library-v0"}  # the tea shop has no easy scenario for tests
    found = {env.reset(seed=seed, options={"difficulty": "medium"})[1]["environment"] for seed in range(10)}
    assert found == {"envscaler/Library-v0", toys.TEA_SHOP_ID}
    with pytest.raises(ScenarioError, match="difficulty='absurd'"):
        env.reset(options={"difficulty": "absurd"})
    alone: Any = gym.make("envscaler/Suite-v0", environments=[toys.TEA_SHOP_ID], split="test")
    with pytest.raises(ScenarioError, match="difficulty='easy'"):
        alone.reset(options={"difficulty": "easy"})


def test_a_step_given_back_leaves_room_for_another() -> None:
    env = ToolEnv(toys.TEA_SHOP_ID, max_steps=2)
    env.reset(seed=0)
    env.step(LIST)
    env.refund_step()
    assert [env.step(LIST)[3] for _ in range(2)] == [False, True]


def test_grading_looks_and_does_not_touch() -> None:
    env = ToolEnv(toys.TEA_SHOP_ID)
    env.reset(seed=0, options={"scenario": "order-sencha"})
    assert env.grade().reward == 0.0
    before = env.snapshot()
    env.step({"name": "order_tea", "arguments": {"tea_id": "T-1", "grams": 100}})
    world = env.episode.world.snapshot()
    assert env.grade().reward == 1.0
    assert env.episode.world.snapshot() == world
    assert env.running
    assert env.score is None
    env.restore(before)
    assert env.grade().reward == 0.0


def test_wrappers_are_tool_wrappers() -> None:
    class Shout(ToolWrapper[str, Any]):
        def step(self, action: Any) -> Any:
            observation, *rest = self.forward(action)
            self.write(self.note(0) + 1)
            return observation.upper(), *rest

    env = Shout(ToolEnv(toys.TEA_SHOP_ID))
    env.reset(seed=0)
    env.step(LIST)
    assert env.step(LIST)[0] == '{"SUCCESS":TRUE,"DATA":{"T-1":"SENCHA","T-2":"ASSAM"}}'
    assert env.note(0) == 2
    tool = env.tool_of(LIST)
    assert tool is not None
    assert tool.name == "list_teas"
    assert [env.tool_of(odd) for odd in ({"name": "x", "arguments": {}}, {"content": ""}, 3, {"name": 3})] == [None] * 4
