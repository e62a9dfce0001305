"""Many environments at once: in one process, in many, or handed out together, the episodes are the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, VectorEnv

from envscaler_gym import EnvironmentFailure, ToolEnv, registry
from envscaler_gym.vector import ToolVectorEnv
from tests import toys
from tests.core.transcripts import make

IDS = (*registry.shipped_ids(), toys.TEA_SHOP_ID, "envscaler/Suite-v0")
NUMBER, STEPS, SEED = 3, 18, 11
MODES = list(AutoresetMode)
ARGUMENTS: dict[str, Any] = {"max_steps": 5, "trust": True}

Script = list[list[Any]]


def flat(value: Any) -> Any:
    """Return what a vector environment returned as plain data, types of arrays included."""
    if isinstance(value, np.ndarray):
        return [str(value.dtype), [flat(item) for item in value]]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: flat(item) for key, item in sorted(value.items())}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [flat(item) for item in value]
    return value


def script(id_: str) -> Script:
    """Return actions for each environment and step: random calls, and now and then a message."""
    rng = np.random.default_rng(5)
    columns = []
    for index in range(NUMBER):
        env = make(id_)
        env.reset(seed=SEED + index)
        env.action_space.seed(index)
        columns.append([env.action_space.sample() if rng.random() < 0.85 else {"content": "bye"} for _ in range(STEPS)])
    return [list(row) for row in zip(*columns, strict=True)]


def play(envs: VectorEnv[Any, Any, Any], actions: Script, mode: AutoresetMode) -> Iterator[str]:
    """Yield all that a vector environment returns."""
    yield json.dumps(flat(envs.reset(seed=SEED)))
    for row in actions:
        result = envs.step(row)
        yield json.dumps(flat(result))
        ended = result[2] | result[3]
        if mode is AutoresetMode.DISABLED and ended.any():
            yield json.dumps(flat(envs.reset(options={"reset_mask": ended.copy()})))
    envs.close()


def alone(id_: str, actions: Script) -> Iterator[tuple[str, ...]]:
    """Yield the observations of single environments that are reset with the step after their end."""
    envs = [make(id_, max_steps=5) for _ in range(NUMBER)]
    ended = [False] * NUMBER
    yield tuple(env.reset(seed=SEED + i)[0] for i, env in enumerate(envs))
    for row in actions:
        observations = []
        for i, env in enumerate(envs):
            if ended[i]:
                observations.append(env.reset()[0])
                ended[i] = False
            else:
                observation, _, terminated, truncated, _ = env.step(row[i])
                observations.append(observation)
                ended[i] = terminated or truncated
        yield tuple(observations)


FINE: Any = {"name": "fine", "arguments": {}}
BOOM: Any = {"name": "boom", "arguments": {}}


def sync(id_: str, mode: AutoresetMode) -> VectorEnv[Any, Any, Any]:
    return gym.make_vec(id_, NUMBER, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, **ARGUMENTS)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("id_", IDS)
def test_our_vector_environment_returns_what_gymnasium_s_does(id_: str, mode: AutoresetMode) -> None:
    actions = script(id_)
    expected = list(play(sync(id_, mode), actions, mode))
    assert list(play(ToolVectorEnv(id_, NUMBER, autoreset_mode=mode, **ARGUMENTS), actions, mode)) == expected
    assert '"score"' in "".join(expected)


@pytest.mark.parametrize("id_", IDS)
def test_single_environments_observe_the_same(id_: str) -> None:
    actions = script(id_)
    envs = sync(id_, AutoresetMode.NEXT_STEP)
    together = [tuple(envs.reset(seed=SEED)[0])] + [tuple(envs.step(row)[0]) for row in actions]
    assert together == list(alone(id_, actions))


PROCESSES: dict[str, tuple[AutoresetMode, dict[str, Any]]] = {
    "by default": (AutoresetMode.NEXT_STEP, {}),
    "without shared memory": (AutoresetMode.SAME_STEP, {"shared_memory": False}),
    "with shared memory": (AutoresetMode.SAME_STEP, {"shared_memory": True}),
    "spawned": (AutoresetMode.DISABLED, {"context": "spawn"}),
}


@pytest.mark.parametrize("how", PROCESSES)
@pytest.mark.parametrize("id_", [toys.TEA_SHOP_ID, "envscaler/Suite-v0"])
def test_processes_return_the_same(id_: str, how: str) -> None:
    mode, arguments = PROCESSES[how]
    kwargs = arguments if how == "by default" else {"autoreset_mode": mode} | arguments
    actions = script(id_)
    envs = gym.make_vec(id_, NUMBER, vectorization_mode="async", vector_kwargs=kwargs, **ARGUMENTS)
    assert list(play(envs, actions, mode)) == list(play(sync(id_, mode), actions, mode))


def test_processes_with_nothing_but_defaults() -> None:
    envs = gym.make_vec(toys.TEA_SHOP_ID, num_envs=2, vectorization_mode="async")
    assert isinstance(envs, gym.vector.AsyncVectorEnv)
    first, infos = envs.reset(seed=0)
    assert list(infos["environment"]) == [toys.TEA_SHOP_ID] * 2
    drawn: Any = envs.call("sample_action")
    second = envs.step(drawn)[0]
    assert tuple(first) != tuple(second)
    assert all(len(text) > 5 for text in (*first, *second))
    envs.step(envs.action_space.sample())
    envs.close()


def test_sampled_actions_of_the_batched_space_are_taken() -> None:
    envs = ToolVectorEnv(toys.TEA_SHOP_ID, 3)
    envs.reset(seed=0)
    envs.action_space.seed(1)
    outcomes = envs.step(envs.action_space.sample())[4]["outcome"]
    assert set(outcomes) <= {"success", "refused"}


# --- our own ----------------------------------------------------------------------------------------------------------


def test_attributes_and_methods_of_all() -> None:
    envs = ToolVectorEnv(toys.TEA_SHOP_ID, 2, render_mode="ansi", split="train")
    envs.reset(seed=[3, 3])
    assert envs.call("sample_action")[0] == envs.call("sample_action")[1]
    assert envs.get_attr("max_steps") == (None, None)
    assert [text.splitlines()[0] for text in envs.render()] == [envs.render()[0].splitlines()[0]] * 2
    assert envs.num_envs == len(envs.envs) == 2
    assert envs.spec == gym.spec(toys.TEA_SHOP_ID)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    envs.close()
    envs.close()


def test_max_episode_steps_is_graded() -> None:
    envs = ToolVectorEnv(toys.TEA_SHOP_ID, 2, max_episode_steps=1)
    envs.reset(seed=0)
    _, _, terminated, truncated, infos = envs.step([{"name": "surprise", "arguments": {}}, {"content": "x"}])
    assert (list(terminated), list(truncated)) == ([False, True], [True, False])
    assert infos["_score"].all()


@pytest.mark.parametrize(
    ("seed", "options"),
    [
        ([1], None),
        ([1, 2, 3], None),
        (None, {"reset_mask": np.array([True])}),
        (0, {"reset_mask": np.array([[True] * 2])}),
    ],
)
def test_seeds_and_masks_are_one_for_each(seed: Any, options: Any) -> None:
    with pytest.raises(ValueError, match="need 2 entries"):
        ToolVectorEnv(toys.TEA_SHOP_ID, 2).reset(seed=seed, options=options)


def test_options_are_for_every_environment_and_left_alone() -> None:
    options = {"scenario": "both", "reset_mask": np.array([True, True])}
    infos = ToolVectorEnv(toys.TEA_SHOP_ID, 2).reset(seed=0, options=options)[1]
    assert list(infos["scenario"]) == ["both", "both"]
    assert options.keys() == {"scenario", "reset_mask"}


@pytest.mark.parametrize("number", [0, -1])
def test_there_must_be_environments(number: int) -> None:
    with pytest.raises(ValueError, match=f"positive int, got {number}"):
        ToolVectorEnv(toys.TEA_SHOP_ID, number)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_there_must_be_an_action_for_each(number: int) -> None:
    envs = ToolVectorEnv(toys.TEA_SHOP_ID, 2)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=f"step needs 2 actions, got {number}"):
        envs.step([{"content": "x"}] * number)
    assert all(env.running for env in envs.envs)


@pytest.mark.parametrize("started", [[], [False, True], [True, False]])
def test_no_environment_is_stepped_where_one_cannot_be(started: list[bool]) -> None:
    envs = ToolVectorEnv(toys.TEA_SHOP_ID, 2, autoreset_mode="Disabled")
    if started:
        envs.reset(seed=0, options={"reset_mask": np.array(started)})
    idle = [i for i, running in enumerate(started or [False, False]) if not running]
    with pytest.raises(gym.error.ResetNeeded, match=f"environments \\{idle}"[:-1]):
        envs.step([{"name": "surprise", "arguments": {}}] * 2)
    assert [env._steps for env in envs.envs] == [0, 0]


def test_without_autoreset_an_ended_environment_needs_a_reset() -> None:
    envs = ToolVectorEnv(toys.TEA_SHOP_ID, 2, autoreset_mode=AutoresetMode.DISABLED)
    envs.reset(seed=0)
    envs.step([{"content": "x"}, {"name": "surprise", "arguments": {}}])
    with pytest.raises(gym.error.ResetNeeded):
        envs.step([{"name": "surprise", "arguments": {}}] * 2)
    assert envs.envs[1]._steps == 1
    envs.reset(options={"reset_mask": np.array([True, False])})
    envs.step([{"name": "surprise", "arguments": {}}] * 2)
    assert [env._steps for env in envs.envs] == [1, 2]


def test_a_failure_of_one_leaves_the_others_in_step() -> None:
    envs = ToolVectorEnv(toys.HOSTILE_ID, 3, split="train")
    envs.reset(seed=0)
    with pytest.raises(EnvironmentFailure, match="boom"):
        envs.step([FINE, BOOM, FINE])
    assert [env._steps for env in envs.envs] == [1, 1, 1]
    assert [env.running for env in envs.envs] == [True, False, True]
    with pytest.raises(gym.error.ResetNeeded):
        envs.step([FINE, FINE, FINE])
    envs.reset(options={"reset_mask": np.array([False, True, False])})
    envs.step([FINE, FINE, FINE])
    assert [env._steps for env in envs.envs] == [2, 1, 2]


def test_failures_end_episodes_where_that_is_asked_for() -> None:
    envs = ToolVectorEnv(toys.HOSTILE_ID, 2, split="train", on_error="truncate")
    envs.reset(seed=0)
    _, rewards, terminated, truncated, infos = envs.step([FINE, BOOM])
    assert (list(rewards), list(terminated), list(truncated)) == ([0, 0], [False, False], [False, True])
    assert list(infos["_failure"]) == [False, True]
    observations, _, terminated, truncated, infos = envs.step([FINE, BOOM])
    assert not (terminated | truncated).any()
    assert observations[1] == "Try what you like."
    assert isinstance(envs.envs[1], ToolEnv)
