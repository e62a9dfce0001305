"""What generated code does wrong is a typed exception or a dropped episode, never the agent's failure."""

from __future__ import annotations

import json
from typing import Any

import gymnasium as gym
import pytest

from envscaler_gym import EnvironmentFailure, LoadFailure, ReplyTooLarge, ToolEnv, ToolFailure
from envscaler_gym.errors import StateTooLarge
from tests import toys

BYE: Any = {"content": "bye"}


def hostile(**arguments: Any) -> ToolEnv:
    env = ToolEnv(toys.HOSTILE_ID, split="train", **arguments)
    env.reset(seed=0)
    return env


def call(name: str, **arguments: Any) -> Any:
    return {"name": name, "arguments": arguments}


RAISING = {
    "boom": r"Hostile\.boom\(\{\}\) raised ValueError: boom",
    "unspeakable": "raised BadStr: <whose str raised RuntimeError>",
    "leave": "raised SystemExit: 3",
    "endless": "raised RecursionError",
    "long_error": "raised ValueError: xxx",
}


@pytest.mark.parametrize("tool", RAISING)
def test_a_tool_that_raises_is_a_failure(tool: str) -> None:
    env = hostile()
    with pytest.raises(ToolFailure, match=RAISING[tool]) as caught:
        env.step(call(tool))
    assert len(str(caught.value)) < 5000
    with pytest.raises(gym.error.ResetNeeded):
        env.step(BYE)
    assert env.score is None


@pytest.mark.parametrize("tool", [*RAISING, "huge"])
def test_the_episode_is_dropped_where_that_is_asked_for(tool: str) -> None:
    env = hostile(on_error="truncate")
    assert env.step(call("put", key="done"))[4] == {"outcome": "success"}
    observation, reward, terminated, truncated, info = env.step(call(tool))
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info.keys() == {"outcome", "failure"}
    assert info["outcome"] == "failure"
    assert info["failure"]["type"] == ("ReplyTooLarge" if tool == "huge" else "ToolFailure")
    assert json.loads(observation)["success"] is False
    assert observation in env.observation_space
    json.dumps(info)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(BYE)
    # The next episode is clean.
    env.reset()
    assert env.episode.world.state() == {"items": {}}
    assert env.step(call("fine"))[0] == '{"success":true,"data":0}'
    assert env.step(BYE)[1:4] == (0.0, True, False)


def test_a_huge_reply_is_a_failure() -> None:
    env = hostile()
    with pytest.raises(ReplyTooLarge, match=r"returned 20000[0-9]+ characters, at most 1048576 bytes"):
        env.step(call("huge"))


def test_the_longest_reply_can_be_chosen() -> None:
    env = hostile(limits={"reply_bytes": 3_000_000})
    observation = env.step(call("huge"))[0]
    assert len(observation) > 2_000_000
    assert env.observation_space.max_bytes > 3_000_000  # type: ignore[attr-defined]  # a TextSpace
    assert observation in env.observation_space
    env = hostile(limits={"reply_bytes": 5})
    with pytest.raises(ReplyTooLarge):
        env.step(call("fine"))


def test_a_class_that_cannot_be_built_is_a_failure() -> None:
    env = ToolEnv(toys.HOSTILE_ID)
    with pytest.raises(
        LoadFailure, match="Hostile could not be built from the start state: RuntimeError: boom at load"
    ):
        env.reset(seed=0, options={"scenario": "unloadable"})
    with pytest.raises(gym.error.ResetNeeded):
        env.step(BYE)
    env.reset(options={"scenario": "calm"})
    assert env.step(call("fine"))[4] == {"outcome": "success"}


def test_a_class_that_cannot_be_built_drops_the_episode_at_its_first_step() -> None:
    env = ToolEnv(toys.HOSTILE_ID, on_error="truncate", render_mode="ansi")
    observation, info = env.reset(seed=0, options={"scenario": "unloadable"})
    assert (observation, info["scenario"]) == ("Nothing can be done.", "unloadable")
    assert env.action_space.sample() in env.action_space
    with pytest.raises(LoadFailure):
        env.snapshot()
    _, reward, terminated, truncated, info = env.step(call("fine"))
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["failure"]["type"] == "LoadFailure"
    assert "boom at load" in info["failure"]["message"]
    with pytest.raises(gym.error.ResetNeeded):
        env.step(BYE)
    env.reset(options={"scenario": "calm"})
    assert env.step(call("fine"))[4] == {"outcome": "success"}


@pytest.mark.parametrize("tool", ["lock_up", "dig"])
def test_a_state_that_cannot_be_read_is_a_failure(tool: str) -> None:
    env = hostile()
    env.step(call(tool))
    with pytest.raises(EnvironmentFailure):
        env.step(BYE)
    env = hostile(on_error="truncate")
    env.step(call(tool))
    assert env.step(BYE)[4]["failure"]["type"] in ("StateTooLarge", "ToolFailure")
    env = hostile()
    env.step(call(tool))
    with pytest.raises(StateTooLarge):
        env.snapshot()


@pytest.mark.parametrize(
    ("tool", "reply"),
    [
        ("a_set", '{"success":true,"data":["a","b","c","long word"]}'),
        ("dates", '{"success":true,"data":["2024-02-29","2024-02-29T12:00:00","1j"]}'),
        ("surrogate", r'{"success":true,"data":"\ud800"}'),
        ("nothing", "null"),
        ("odd_success", '{"success":1}'),
        ("live", "{}"),
    ],
)
def test_replies_that_are_no_json_become_json(tool: str, reply: str) -> None:
    observation, *_, info = hostile().step(call(tool))
    assert observation == reply
    assert info["outcome"] == ("success" if '"success":true' in reply else "refused")


@pytest.mark.parametrize("tool", ["cyclic", "friends", "deep", "huge_number", "an_object"])
def test_replies_without_an_end_are_cut_short(tool: str) -> None:
    env = hostile(on_error="truncate")
    observation, *_, info = env.step(call(tool))
    assert info["outcome"] in ("success", "failure")
    assert observation in env.observation_space
    assert json.loads(observation)["success"] is (info["outcome"] == "success")
    assert " at 0x" not in observation


def test_no_reply_is_a_live_reference() -> None:
    env = hostile()
    env.step(call("put", key="a", value=[1]))
    before = env.step(call("live"))[0]
    json.loads(before)["a"].append(2)
    assert env.step(call("live"))[0] == before == '{"a":[1]}'


def test_class_attributes_are_no_state() -> None:
    assert hostile().episode.world.state() == {"items": {}}
