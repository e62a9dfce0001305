"""Every wrapper keeps Gymnasium's conventions."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector.utils import iterate

from envscaler_gym import LoadFailure, ToolEnv
from envscaler_gym.wrappers import Curriculum, Faults, GroundedActions, Latency, PotentialReward
from tests import toys

Wrap = Callable[[gym.Env[Any, Any]], gym.Wrapper[Any, Any, Any, Any]]
WRAPPERS: dict[str, Wrap] = {
    "faults": lambda env: Faults(env, rate=0.5, kinds=("unavailable", "partial", "lost_reply"), seed=3),
    "latency": lambda env: Latency(env, medians={"get_tea": 2.0}),
    "potential": lambda env: PotentialReward(env, gamma=0.9),
    "curriculum": lambda env: Curriculum(env, window=10),
    "grounded": lambda env: GroundedActions(env, slots=12, include_solution=True),
    "grounded dict": lambda env: GroundedActions(env, slots=12, dict_obs=True, queries=True),
    "all": lambda env: GroundedActions(PotentialReward(Curriculum(Faults(Latency(env), rate=0.3))), slots=12),
}


@pytest.fixture(params=WRAPPERS)
def wrap(request: pytest.FixtureRequest) -> Wrap:
    return WRAPPERS[request.param]


def acts(env: gym.Env[Any, Any], steps: int) -> list[Any]:
    """Play actions that depend on the episode alone, and return what came of them."""
    core: Any = env.unwrapped
    seen: list[Any] = []
    for _ in range(steps):
        if not core.running:
            break
        action = core.sample_action()
        if isinstance(env, GroundedActions):
            action = int(np.flatnonzero(env.action_masks())[-1])
        seen.append(env.step(action))
    return seen


def same(first: Any, second: Any) -> None:
    assert repr(first) == repr(second)
    assert first


def test_the_checker_finds_nothing(wrap: Wrap) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is different from the unwrapped version")
        check_env(wrap(gym.make(toys.TEA_SHOP_ID)))


def test_specs_make_it_again_from_plain_json(wrap: Wrap) -> None:
    env = wrap(gym.make(toys.TEA_SHOP_ID))
    assert env.spec is not None
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert str(again) == str(env)
    env.reset(seed=5)
    again.reset(seed=5)
    layer: Any = again
    while (
        not isinstance(layer, GroundedActions) and isinstance(layer, gym.Wrapper) and isinstance(env, GroundedActions)
    ):
        layer = layer.env
    same(acts(env, 8), acts(layer, 8))


def test_episodes_repeat_and_differ(wrap: Wrap) -> None:
    env = wrap(gym.make(toys.TEA_SHOP_ID))
    env.reset(seed=11)
    first = acts(env, 8)
    env.reset(seed=11)
    same(first, acts(env, 8))
    env.reset()
    assert repr(acts(env, 8)) != repr(first)


def test_forks_go_on_alike(wrap: Wrap) -> None:
    env = wrap(gym.make(toys.TEA_SHOP_ID, max_steps=20))
    core: Any = env.unwrapped
    env.reset(seed=2)
    acts(env, 4)
    snapshot = pickle.loads(pickle.dumps(core.snapshot()))
    ahead = acts(env, 6)
    core.restore(snapshot)
    same(ahead, acts(env, 6))


def test_copies_go_on_alike(wrap: Wrap) -> None:
    env = wrap(gym.make(toys.TEA_SHOP_ID, max_steps=20))
    env.reset(seed=2)
    acts(env, 4)
    copied = copy.deepcopy(env)
    same(acts(env, 6), acts(copied, 6))


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vector_environments_take_it(wrap: Wrap, mode: Any) -> None:
    envs = gym.make_vec(toys.TEA_SHOP_ID, num_envs=2, vectorization_mode=mode, wrappers=[wrap])
    single = wrap(gym.make(toys.TEA_SHOP_ID))
    observations, _ = envs.reset(seed=7)
    expected, _ = single.reset(seed=7)
    first = next(iterate(envs.observation_space, observations))
    if isinstance(expected, dict):
        assert {key: value.tobytes() for key, value in first.items()} == {
            key: value.tobytes() for key, value in expected.items()
        }
    else:
        assert repr(first) == repr(expected)
    if isinstance(single, GroundedActions):
        _, _, _, _, infos = envs.step(np.zeros(2, np.int64))
        assert infos["action_mask"].shape == (2, 13)
    envs.close()


@pytest.mark.parametrize("name", ["faults", "potential", "curriculum", "grounded", "all"])
def test_a_suite_can_be_wrapped(name: str) -> None:
    env = WRAPPERS[name](gym.make("envscaler/Suite-v0", max_steps=6))
    for seed in range(3):
        env.reset(seed=seed)
        assert acts(env, 6)


@pytest.mark.parametrize("wrapper", [Faults, Latency, PotentialReward, Curriculum, GroundedActions])
def test_other_environments_are_refused(wrapper: Any) -> None:
    with pytest.raises(TypeError, match="wraps environments of envscaler_gym"):
        wrapper(gym.make("CartPole-v1"))


@pytest.mark.parametrize("name", ["faults", "latency", "potential", "grounded"])
def test_a_failure_of_the_environment_stays_one(name: str) -> None:
    wrap: Wrap = WRAPPERS[name] if name != "latency" else Latency
    env = wrap(ToolEnv(toys.HOSTILE_ID, on_error="truncate"))
    env.reset(options={"scenario": "unloadable"})
    action: Any = 0 if name == "grounded" else {"content": ""}
    _, _, terminated, truncated, info = env.step(action)
    assert (terminated, truncated) == (False, True)
    assert info["failure"]["type"] == "LoadFailure"
    env = wrap(ToolEnv(toys.HOSTILE_ID))
    with pytest.raises(LoadFailure):
        env.reset(options={"scenario": "unloadable"})


@pytest.mark.parametrize("name", WRAPPERS)
def test_stepping_without_an_episode_is_refused(name: str) -> None:
    env = WRAPPERS[name](ToolEnv(toys.TEA_SHOP_ID))
    action: Any = 0 if isinstance(env, GroundedActions) else {"name": "list_teas", "arguments": {}}
    with pytest.raises(gym.error.ResetNeeded):
        env.step(action)
    env.reset(seed=0)
    env.step(0 if isinstance(env, GroundedActions) else {"content": ""})
    with pytest.raises(gym.error.ResetNeeded):
        env.step(action)
