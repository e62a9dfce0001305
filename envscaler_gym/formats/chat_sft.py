"""Trajectories as chat data for supervised fine-tuning.

Three forms: one row a trajectory (``messages`` and ``tools``, which TRL's SFTTrainer reads), one row a turn of the
model (``prompt``, ``completion`` and ``tools``, which it reads too), and the published EnvScaler form (arXiv
2601.05808, published code).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias, get_args

from envscaler_gym.bundle import Bundle
from envscaler_gym.chat import parse_message, system_prompt
from envscaler_gym.errors import shorten
from envscaler_gym.registry import get_bundle
from envscaler_gym.trajectories import Trajectory
from envscaler_gym.types import JSON

__all__ = ["SFTForm", "select", "sft_messages", "sft_rows"]

SFTForm: TypeAlias = Literal["trajectory", "turn", "envscaler"]

_Row: TypeAlias = dict[str, JSON]
_END_OF_TASK, _END_OF_CONVERSATION = "Task finished", "###STOP###"


def select(
    trajectories: Iterable[Trajectory],
    *,
    min_reward: float = 0.0,
    max_steps: int | None = None,
    max_errors: int | None = None,
) -> Iterator[Trajectory]:
    """Yield the trajectories that are good enough to learn from.

    Episodes in which the environment failed are never among them.

    Args:
        trajectories: Where to choose from.
        min_reward: Least reward.
        max_steps: Most steps; ``None`` for any number.
        max_errors: Most actions of the wrong form, of no known tool or with wrong arguments; ``None`` for any number.
    """
    for trajectory in trajectories:
        if (
            trajectory.failure is None
            and trajectory.reward >= min_reward
            and (max_steps is None or len(trajectory.steps) <= max_steps)
            and (max_errors is None or trajectory.errors <= max_errors)
        ):
            yield trajectory


def sft_rows(
    trajectories: Iterable[Trajectory],
    form: SFTForm = "trajectory",
    *,
    bundle_of: Callable[[str], Bundle] = get_bundle,
) -> Iterator[_Row]:
    """Yield rows of training data, in the order of the trajectories.

    Args:
        trajectories: The episodes.
        form: ``"trajectory"``, ``"turn"`` or ``"envscaler"``.
        bundle_of: Returns a bundle by the environment's id.

    Raises:
        ValueError: There is no such form.
        UnknownNameError: An environment is not known.
    """
    if form not in get_args(SFTForm):
        raise ValueError(f"form must be one of {', '.join(map(repr, get_args(SFTForm)))}; got {shorten(form)}")
    for trajectory in trajectories:
        bundle = bundle_of(trajectory.environment)
        messages = sft_messages(trajectory, bundle)
        tools = [tool.to_openai() for tool in bundle.tools.specs]
        if form == "envscaler":
            yield _published(trajectory, bundle, messages, tools)
            continue
        facts = {
            "environment": trajectory.environment,
            "scenario": trajectory.scenario,
            "difficulty": trajectory.difficulty,
            "reward": trajectory.reward,
        }
        if form == "trajectory":
            yield {"messages": messages, "tools": tools} | facts
            continue
        for number, message in enumerate(messages):
            if message["role"] == "assistant":
                yield copy.deepcopy({"prompt": messages[:number], "completion": [message], "tools": tools}) | facts


def sft_messages(trajectory: Trajectory, bundle: Bundle) -> list[_Row]:
    """Return a trajectory as chat messages: system prompt, task, the model's turns with what came of them.

    What a chat model really said is used where it was recorded; otherwise each call is a turn of its own. Arguments
    are JSON text, as in the OpenAI protocol, because a table's column cannot hold objects with other keys in each row.
    """
    if trajectory.messages:
        return [dict(copy.deepcopy(message)) for message in trajectory.messages]
    tools = bundle.tools.specs
    messages: list[_Row] = [
        {"role": "system", "content": system_prompt(bundle.manifest, tools, schemas_in_text=False)},
        {"role": "user", "content": trajectory.observation},
    ]
    for number, step in enumerate(trajectory.steps):
        said = parse_message(_as_message(step.action, f"call_{number}"))
        if not said.calls:
            messages.append({"role": "assistant", "content": said.content})
            if number < len(trajectory.steps) - 1:  # the user answers, or says what was wrong with it
                messages.append({"role": "user", "content": step.observation})
            continue
        (call,) = said.calls
        function = {"name": call.name, "arguments": json.dumps(call.arguments or {}, ensure_ascii=False)}
        messages.append(
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": call.id, "type": "function", "function": function}],
            }
        )
        messages.append({"role": "tool", "tool_call_id": call.id, "name": call.name, "content": step.observation})
    return messages


def _as_message(action: JSON, call_id: str) -> object:
    if isinstance(action, dict) and isinstance(action.get("name"), str):
        return {"tool_calls": [{"id": call_id, "function": action}]}
    if isinstance(action, dict) and isinstance(action.get("content"), str):
        return {"content": action["content"]}
    return {"content": json.dumps(action, ensure_ascii=False)}


def _published(trajectory: Trajectory, bundle: Bundle, messages: list[_Row], tools: list[_Row]) -> _Row:
    conversation = trajectory.mode == "conversation"
    written = [_published_message(message) for message in messages]
    written.append({"role": "user", "content": _END_OF_CONVERSATION if conversation else _END_OF_TASK})
    env_id = bundle.manifest.provenance.env_id or bundle.id
    said_by_user = [message["content"] for message in messages if message["role"] == "user"]
    return {
        "traj_type": "conversation" if conversation else "non_conversation",
        "task_info": {
            "env_id": env_id,
            "task_id": trajectory.scenario,
            "task": bundle.scenario(trajectory.scenario).task,
        },
        "tools": tools,
        "messages": written,
        "user_messages": json.dumps(said_by_user, ensure_ascii=False),
        "steps": len(trajectory.steps),
    }


def _published_message(message: Mapping[str, Any]) -> _Row:
    if message["role"] == "tool":
        return {"role": "tool", "content": message["content"]}
    if message["role"] != "assistant":
        return {"role": message["role"], "content": message["content"]}
    said = parse_message(message)
    calls = [
        {"function": {"name": call.name, "arguments": json.dumps(call.arguments or {}, ensure_ascii=False)}}
        for call in said.calls
    ]
    content = None if calls else said.content
    return {"role": "assistant", "reasoning_content": said.thinking, "content": content, "tool_calls": calls}
