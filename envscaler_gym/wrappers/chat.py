"""Assistant messages in, chat messages out."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from envscaler_gym.chat import SYSTEM_PROMPT, AssistantTurn, RequestedCall, parse_message, system_prompt
from envscaler_gym.chat.spaces import AssistantSpace, Conversation, ConversationSpace
from envscaler_gym.env import ToolEnv
from envscaler_gym.episode import error_text
from envscaler_gym.errors import shorten
from envscaler_gym.types import JSON, Action

__all__ = ["Chat"]

Form = Literal["openai", "text"]
_TOOL_ERRORS = ("unknown_tool", "invalid_arguments", "refused")


class Chat(gym.Wrapper[Conversation, Any, str, Action], RecordConstructorArgs):
    """Lets a chat model act: its messages are the actions, and what it is told are messages.

    **Action**: an assistant message of the OpenAI chat protocol, or the raw text of a model, in which ``<think>``
    blocks are thoughts and ``<tool_call>`` blocks are calls. Calls of one message run in order, each as a step of
    the environment; those after the episode's end are not run. A message without a call goes to the user, or ends the
    episode in task mode.

    **Observation**: the messages that are new to the model, as a tuple: at first the system prompt and the task, then
    the results of its calls or what the user says.

    **Errors of form** (JSON that cannot be read, a ``<tool_call>`` that is not closed, an empty message) are answered
    with what is wrong. Each counts as a step, so that they cannot go on for ever, and changes nothing. They are
    told apart from errors with tools: ``info["chat"]`` counts ``messages``, ``calls``, ``format_errors`` and
    ``tool_errors`` (unknown tools, arguments that do not fit, refusals) since the start of the episode.

    Args:
        env: An environment of this library, wrapped or not.
        form: ``"openai"``: calls are in ``tool_calls``, results in messages with the role ``tool``, and the caller
            hands :attr:`tools` to the model. ``"text"``: the schemas stand in the system prompt, calls are in the
            text, and results come in messages of the user, between ``<tool_response>`` tags, as Hermes and Qwen
            models know them. Calls are understood in both forms either way.
        template: Template of the system prompt; see :func:`~envscaler_gym.chat.system_prompt`.

    Raises:
        TypeError: The environment is not one of this library.
        ValueError: There is no such form, or the template is malformed.
    """

    def __init__(self, env: gym.Env[str, Action], form: Form = "openai", template: str = SYSTEM_PROMPT) -> None:
        if not isinstance(env.unwrapped, ToolEnv):
            raise TypeError(f"Chat wraps environments of envscaler_gym, got {shorten(env.unwrapped)}")
        if form not in ("openai", "text"):
            raise ValueError(f"form must be 'openai' or 'text', got {shorten(form)}")
        RecordConstructorArgs.__init__(self, form=form, template=template)
        gym.Wrapper.__init__(self, env)  # type: ignore[misc]  # mypy cannot infer what stands in the bases
        self._below: ToolEnv = env.unwrapped
        self._form, self._template = form, template
        self._conversation: list[dict[str, JSON]] = []
        self._counts: Counter[str] = Counter()
        self.observation_space = ConversationSpace()
        self.action_space = AssistantSpace(self._below.sample_action, in_text=form == "text")
        self._system_prompt()  # a malformed template is an error now, not at the first reset

    @property
    def tools(self) -> list[dict[str, JSON]]:
        """The tools in OpenAI function form, as fresh objects."""
        return [tool.to_openai() for tool in self._below.tools]

    @property
    def conversation(self) -> Conversation:
        """All messages of the episode so far, the model's too, as fresh objects."""
        return copy.deepcopy(tuple(self._conversation))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Conversation, Any]:
        """Start an episode and return the system prompt and the first message of the user."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._counts.clear()
        self._conversation = [
            {"role": "system", "content": self._system_prompt()},
            {"role": "user", "content": observation},
        ]
        return self.conversation, info | {"chat": self._figures()}

    def step(self, action: Any) -> tuple[Conversation, float, bool, bool, dict[str, Any]]:
        """Take a message of the model.

        Args:
            action: An assistant message, or text. Nothing is raised for its form.

        Returns:
            The new messages, the sum of the steps' rewards, whether the episode has ended, and the info of the last
            step with ``chat`` and, in ``outcomes``, what became of each call.
        """
        turn = parse_message(action)
        said = len(self._conversation)
        self._conversation.append(self._spoken(action, turn))
        self._counts.update(messages=1, calls=len(turn.calls), format_errors=turn.format_errors)
        total, outcomes = 0.0, []
        for call, below, problem in self._steps(turn):
            observation, reward, terminated, truncated, info = self.env.step(below)
            total += float(reward)
            outcomes.append(info["outcome"])
            self._counts.update(tool_errors=info["outcome"] in _TOOL_ERRORS)
            ended = terminated or truncated
            if call is not None or not ended:
                self._conversation.append(self._reply(call, error_text(problem) if problem else str(observation)))
            if ended:
                break
        new = copy.deepcopy(tuple(self._conversation[said + 1 :]))
        return new, total, terminated, truncated, info | {"chat": self._figures(), "outcomes": tuple(outcomes)}

    def _steps(self, turn: AssistantTurn) -> Iterator[tuple[RequestedCall | None, Any, str]]:
        """Yield the environment's actions, each with its call and what is wrong with the call's form."""
        if turn.error:
            yield None, {"malformed": turn.error}, turn.error
        elif not turn.calls:
            yield None, {"content": turn.content}, ""
        for call in turn.calls:
            yield call, {"malformed": call.error} if call.error else call.to_action(), call.error

    def _spoken(self, action: Any, turn: AssistantTurn) -> dict[str, JSON]:
        """Return the model's message as it goes into the conversation: as it was said, as far as it has a form."""
        if isinstance(action, str):
            return {"role": "assistant", "content": action}
        if self._form == "text" or not turn.calls:
            return {"role": "assistant", "content": turn.content}
        calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments or {})},
            }
            for call in turn.calls
        ]
        return {"role": "assistant", "content": turn.content, "tool_calls": calls}

    def _reply(self, call: RequestedCall | None, content: str) -> dict[str, JSON]:
        if call is None:
            return {"role": "user", "content": content}
        if self._form == "text":
            return {"role": "user", "content": f"<tool_response>\n{content}\n</tool_response>"}
        return {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": content}

    def _figures(self) -> dict[str, int]:
        return {name: self._counts[name] for name in ("messages", "calls", "format_errors", "tool_errors")}

    def _system_prompt(self) -> str:
        below = self._below
        return system_prompt(
            below.bundle.manifest, below.tools, schemas_in_text=self._form == "text", template=self._template
        )
