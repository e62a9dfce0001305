from __future__ import annotations

import json
from typing import Any

import pytest

from envscaler_gym import ToolEnv, registry
from envscaler_gym.formats import select, sft_messages, sft_rows
from envscaler_gym.rollout import make_policy, run_episode
from envscaler_gym.trajectories import Trajectory
from envscaler_gym.wrappers import Chat, RecordTrajectory

LIBRARY = "envscaler/Library-v0"


def play(*actions: Any, **options: Any) -> Trajectory:
    env = RecordTrajectory(ToolEnv(LIBRARY, **options))
    env.reset(seed=0)
    for action in actions:
        env.step(action)
    assert env.trajectory is not None
    return env.trajectory


def reference(seed: int = 0) -> Trajectory:
    env = RecordTrajectory(ToolEnv(LIBRARY))
    run_episode(env, make_policy("reference"), seed=seed)
    assert env.trajectory is not None
    return env.trajectory


def actions_in(messages: list[dict[str, Any]]) -> list[Any]:
    """Return what a reader of the messages would do."""
    found: list[Any] = []
    for message in messages:
        if message["role"] == "assistant":
            calls = [call["function"] for call in message.get("tool_calls") or []]
            found += [{"name": call["name"], "arguments": json.loads(call["arguments"])} for call in calls]
            found += [] if calls else [{"content": message["content"]}]
    return found


def test_a_row_holds_the_whole_episode() -> None:
    trajectory = reference()
    (row,) = sft_rows([trajectory])
    assert actions_in(row["messages"]) == [step.action for step in trajectory.steps]
    results = [message["content"] for message in row["messages"] if message["role"] == "tool"]
    assert results == [step.observation for step in trajectory.steps[:-1]]
    assert [tool["function"]["name"] for tool in row["tools"]] == list(registry.get_bundle(LIBRARY).tools)
    assert (row["environment"], row["scenario"], row["reward"]) == (LIBRARY, trajectory.scenario, 1.0)


def test_one_row_for_each_turn_of_the_model() -> None:
    trajectory = reference()
    rows = list(sft_rows([trajectory], "turn"))
    assert len(rows) == len(trajectory.steps)
    assert [actions_in(row["completion"]) for row in rows] == [[step.action] for step in trajectory.steps]
    assert [actions_in(row["prompt"]) for row in rows] == [
        [step.action for step in trajectory.steps[:number]] for number in range(len(rows))
    ]
    rows[0]["prompt"].clear()
    assert rows[1]["prompt"]


def test_the_published_form() -> None:
    trajectory = reference()
    (row,) = sft_rows([trajectory], "envscaler")
    assert row["traj_type"] == "non_conversation"
    assert row["task_info"]["task"] == trajectory.observation
    assert row["messages"][-1] == {"role": "user", "content": "Task finished"}
    assert {tuple(sorted(m)) for m in row["messages"] if m["role"] == "assistant"} == {
        ("content", "reasoning_content", "role", "tool_calls")
    }
    assert next(m["content"] is None for m in row["messages"] if m["role"] == "assistant")
    assert json.loads(row["user_messages"]) == [trajectory.observation]
    assert row["steps"] == len(trajectory.steps)


def test_conversations() -> None:
    env = RecordTrajectory(ToolEnv(LIBRARY, mode="conversation"))
    env.reset(seed=0)
    ended = False
    while not ended:
        ended = env.step({"content": "Certainly."})[2]
    assert env.trajectory is not None
    (row,) = sft_rows([env.trajectory], "envscaler")
    roles = [message["role"] for message in row["messages"]]
    assert roles == ["system", *["user", "assistant"] * len(env.trajectory.steps), "user"]
    assert row["messages"][-1]["content"] == "###STOP###"
    assert row["traj_type"] == "conversation"


def test_what_a_model_really_said_is_kept() -> None:
    recorder = RecordTrajectory(ToolEnv(LIBRARY))
    chat = Chat(recorder, form="text")
    chat.reset(seed=0)
    chat.step('<think>Look.</think><tool_call>{"name": "list_members", "arguments": {}}</tool_call>')
    chat.step("Done.")
    assert recorder.trajectory is not None
    trajectory = recorder.trajectory.model_copy(update={"messages": chat.conversation})
    (row,) = sft_rows([trajectory])
    assert tuple(row["messages"]) == chat.conversation
    (published,) = sft_rows([trajectory], "envscaler")
    said = next(message for message in published["messages"] if message["role"] == "assistant")
    assert said["reasoning_content"] == "Look."
    assert said["tool_calls"][0]["function"]["name"] == "list_members"


def test_actions_without_a_form_are_told_as_they_were() -> None:
    trajectory = play({"colour": "red"}, {"content": "Done."})
    messages = sft_messages(trajectory, registry.get_bundle(LIBRARY))
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user", "assistant"]
    assert messages[2]["content"] == '{"colour": "red"}'
    assert messages[3]["content"] == trajectory.steps[0].observation


def test_selection() -> None:
    good, bad = reference(), play({"name": "no_such_tool", "arguments": {}}, {"content": "Done."})
    failed = good.model_copy(update={"failure": {"type": "ToolFailure", "message": "boom"}})
    everything = [good, bad, failed]
    assert list(select(everything)) == [good, bad]
    assert list(select(everything, min_reward=1.0)) == [good]
    assert list(select(everything, max_steps=2)) == [bad]
    assert list(select(everything, max_errors=0)) == [good]


def test_an_unknown_form() -> None:
    with pytest.raises(ValueError, match="form must be one of 'trajectory', 'turn', 'envscaler'; got 'alpaca'"):
        list(sft_rows([reference()], "alpaca"))  # type: ignore[arg-type]
