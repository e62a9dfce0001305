from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env

from envscaler_gym import ToolEnv, registry
from envscaler_gym.chat import system_prompt
from envscaler_gym.wrappers import Chat

LIBRARY = "envscaler/Library-v0"


@pytest.fixture(params=["openai", "text"])
def chat(request: pytest.FixtureRequest) -> Iterator[Any]:
    env = Chat(gym.make(LIBRARY), form=request.param)
    yield env
    env.close()


def say(chat: Any, *calls: tuple[str, dict[str, Any]]) -> Any:
    """Return a message with calls, in the form that the model of ``chat`` writes."""
    if chat._form == "text":
        return "".join(f"<tool_call>{json.dumps({'name': n, 'arguments': a})}</tool_call>" for n, a in calls)
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": f"id{i}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for i, (name, arguments) in enumerate(calls)
        ],
    }


def solution(chat: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(call.name, dict(call.arguments)) for call in chat.unwrapped.episode.scenario.solution]


def test_the_first_messages_are_who_the_agent_is_and_the_task(chat: Any) -> None:
    messages, info = chat.reset(seed=0)
    assert [message["role"] for message in messages] == ["system", "user"]
    assert messages[1]["content"] == chat.unwrapped.episode.scenario.task
    manifest = chat.unwrapped.bundle.manifest
    assert manifest.introduction in messages[0]["content"]
    assert all(rule in messages[0]["content"] for rule in manifest.rules)
    assert ("<tool_call>" in messages[0]["content"]) == (chat._form == "text")
    assert info["chat"] == {"messages": 0, "calls": 0, "format_errors": 0, "tool_errors": 0}
    assert [tool["function"]["name"] for tool in chat.tools] == [tool.name for tool in chat.unwrapped.tools]


def test_every_reference_solution_in_one_message_scores_as_in_the_plain_environment(chat: Any) -> None:
    for scenario in registry.get_bundle(LIBRARY).scenarios:
        chat.reset(seed=0, options={"scenario": scenario})
        calls = solution(chat)
        messages, reward, terminated, _, info = chat.step(say(chat, *calls))
        assert (reward, terminated) == (0.0, False)
        assert info["outcomes"] == ("success",) * len(calls)
        assert len(messages) == len(calls)
        _, reward, terminated, _, info = chat.step("All done.")
        assert (reward, terminated) == (1.0, True)


def test_results_come_back_in_order_with_the_calls_ids() -> None:
    chat = Chat(gym.make(LIBRARY))
    chat.reset(seed=0)
    calls = solution(chat)[:2]
    messages = chat.step(say(chat, *calls))[0]
    assert [message["tool_call_id"] for message in messages] == ["id0", "id1"]
    assert all(message["role"] == "tool" for message in messages)
    plain = ToolEnv(LIBRARY)
    plain.reset(seed=0)
    wanted = [plain.step({"name": name, "arguments": arguments})[0] for name, arguments in calls]
    assert [message["content"] for message in messages] == wanted
    said = chat.conversation
    assert [message["role"] for message in said] == ["system", "user", "assistant", "tool", "tool"]
    assert [call["id"] for call in said[2]["tool_calls"]] == ["id0", "id1"]


def test_errors_of_form_are_counted_apart_from_errors_with_tools(chat: Any) -> None:
    chat.reset(seed=0)
    before = chat.unwrapped.episode.world.state()
    messages, _, _, _, info = chat.step("<tool_call>not JSON</tool_call>")
    assert "not JSON" in messages[0]["content"]
    assert info["outcome"] == "malformed_action"
    chat.step(say(chat, ("no_such_tool", {})))
    info = chat.step("")[4]
    assert info["chat"] == {"messages": 3, "calls": 2, "format_errors": 2, "tool_errors": 1}
    assert chat.unwrapped.episode.world.state() == before


def test_errors_of_form_cannot_go_on_for_ever(chat: Any) -> None:
    _, info = chat.reset(seed=0)
    limit = info["max_steps"]
    for step in range(limit):
        truncated = chat.step("<tool_call>")[3]
        assert truncated == (step == limit - 1)


def test_calls_after_the_end_are_not_run(chat: Any) -> None:
    chat.unwrapped.max_steps = 2
    chat.reset(seed=0)
    messages, _, _, truncated, info = chat.step(say(chat, *[("list_members", {})] * 5))
    assert truncated
    assert len(info["outcomes"]) == len(messages) == 2
    assert info["chat"]["calls"] == 5


def test_in_a_conversation_the_user_answers(chat: Any) -> None:
    env = Chat(gym.make(LIBRARY, mode="conversation"), form=chat._form)
    env.reset(seed=0)
    while True:
        messages, _, terminated, _, _ = env.step("Certainly. What else?")
        if terminated:
            break
        assert [message["role"] for message in messages] == ["user"]
    assert messages == ()


def test_messages_share_nothing_with_the_conversation(chat: Any) -> None:
    messages, _ = chat.reset(seed=0)
    messages[0]["content"] = "changed"
    chat.conversation[1]["content"] = "changed"
    assert "changed" not in {message["content"] for message in chat.conversation}


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
@pytest.mark.parametrize("form", ["openai", "text"])
def test_it_is_a_gymnasium_environment(form: str) -> None:
    env = gym.make(LIBRARY, disable_env_checker=True)
    chat = Chat(env, form=form)  # type: ignore[arg-type]
    check_env(chat, skip_render_check=True)
    chat.reset(seed=0)
    assert chat.step(chat.action_space.sample())[4]["outcome"] in ("success", "refused")


def test_templates_may_be_replaced() -> None:
    bundle = registry.get_bundle(LIBRARY)
    tools = bundle.tools.specs
    text = system_prompt(bundle.manifest, tools, schemas_in_text=False, template="$summary It costs $$5.$tools")
    assert text == f"{bundle.manifest.summary} It costs $5.\n"
    with pytest.raises(ValueError, match=r"holds \$tool; it may hold \$summary, \$introduction, \$rules, \$tools"):
        system_prompt(bundle.manifest, tools, schemas_in_text=True, template="$tool")
    with pytest.raises(ValueError, match=r"write \$\$ for a dollar sign"):
        Chat(gym.make(LIBRARY), template="5 $")


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="form must be 'openai' or 'text', got 'xml'"):
        Chat(gym.make(LIBRARY), form="xml")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Chat wraps environments of envscaler_gym"):
        Chat(gym.make("CartPole-v1"))
