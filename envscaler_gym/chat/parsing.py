"""What a model said, as actions: OpenAI tool calls and the ``<tool_call>`` text of Hermes and Qwen models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from envscaler_gym.errors import shorten
from envscaler_gym.types import JSON, Action

__all__ = ["AssistantTurn", "RequestedCall", "parse_message"]

_THINKING = re.compile(r"<think>(.*?)(?:</think>|\Z)", re.DOTALL)
_CALL = re.compile(r"<tool_call>(.*?)(</tool_call>|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RequestedCall:
    """A tool call that a model asked for.

    Attributes:
        id: The model's name for the call, which the message with its result repeats.
        name: Name of the tool, as far as it can be told; empty otherwise.
        arguments: Arguments by parameter name; ``None`` where they cannot be read.
        error: What is wrong with the form of the call; empty when nothing is.
    """

    id: str
    name: str
    arguments: dict[str, JSON] | None
    error: str = ""

    def to_action(self) -> Action:
        """Return the action for ``step()``; arguments that cannot be read are none."""
        return {"name": self.name, "arguments": self.arguments or {}}


@dataclass(frozen=True, slots=True)
class AssistantTurn:
    """One message of a model.

    Attributes:
        content: What it says outside of calls and thoughts.
        thinking: Its thoughts, where it shows them.
        calls: The calls it asks for, in order.
        error: What is wrong with the form of the message as a whole; empty when nothing is.
    """

    content: str
    thinking: str = ""
    calls: tuple[RequestedCall, ...] = ()
    error: str = ""

    @property
    def format_errors(self) -> int:
        """Number of things in the message that have the wrong form."""
        return bool(self.error) + sum(bool(call.error) for call in self.calls)


def parse_message(message: object) -> AssistantTurn:
    """Read what a model said. Nothing that a model can say is raised; errors of form stand in the result.

    Args:
        message: An assistant message of the OpenAI chat protocol (``content``, ``tool_calls``,
            ``reasoning_content``), or the raw text of a model. In text, ``<think>`` blocks are thoughts and
            ``<tool_call>{"name": …, "arguments": …}</tool_call>`` are calls, also in a message's ``content`` where it
            has no ``tool_calls``.
    """
    if isinstance(message, str):
        return _parse_text(message, "")
    if not isinstance(message, Mapping):
        return AssistantTurn(
            "", error=f"A message is text or an object with 'content' and 'tool_calls', {_got(message)}"
        )
    content, thinking = message.get("content"), message.get("reasoning_content")
    thinking = thinking if isinstance(thinking, str) else ""
    if isinstance(content, list | tuple):  # content parts, as some providers send them
        content = "".join(part["text"] for part in content if isinstance(part, Mapping) and _is_text(part.get("text")))
    if content is not None and not isinstance(content, str):
        return AssistantTurn("", thinking, error=f"'content' is text or null, {_got(content)}")
    calls = message.get("tool_calls")
    if not calls:
        return _parse_text(content or "", thinking)
    if not isinstance(calls, list | tuple):
        return AssistantTurn(content or "", thinking, error=f"'tool_calls' is an array, {_got(calls)}")
    return AssistantTurn(content or "", thinking, tuple(_openai_call(call, i) for i, call in enumerate(calls)))


def _parse_text(text: str, thinking: str) -> AssistantTurn:
    thoughts = "\n".join(filter(None, [thinking, *(match[1].strip() for match in _THINKING.finditer(text))]))
    spoken = _THINKING.sub("", text)
    if "</think>" in spoken:  # templates that open the block for the model leave it to close it
        before, _, spoken = spoken.rpartition("</think>")
        thoughts = "\n".join(filter(None, [thoughts, before.strip()]))
    calls = tuple(_text_calls(spoken))
    content = _CALL.sub("", spoken).strip()
    if not content and not calls:
        return AssistantTurn("", thoughts, error="The message says nothing and calls no tool.")
    return AssistantTurn(content, thoughts, calls)


def _text_calls(text: str) -> Iterator[RequestedCall]:
    for number, match in enumerate(_CALL.finditer(text)):
        if not match[2]:
            yield RequestedCall(f"call_{number}", "", None, "<tool_call> is not closed with </tool_call>.")
            continue
        value, problem = _read_json(match[1])
        if problem:
            yield RequestedCall(f"call_{number}", "", None, f"What stands in <tool_call> is not JSON: {problem}")
        elif not isinstance(value, dict) or not isinstance(value.get("name"), str):
            wanted = '{"name": string, "arguments": object}'
            yield RequestedCall(f"call_{number}", "", None, f"<tool_call> holds {wanted}, {_got(value)}")
        else:
            yield _call(f"call_{number}", value["name"], value.get("arguments", {}))


def _openai_call(call: Any, number: int) -> RequestedCall:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        wanted = '{"id": string, "function": {"name": string, "arguments": JSON text}}'
        return RequestedCall(f"call_{number}", "", None, f"A tool call is {wanted}, {_got(call)}")
    id_ = call.get("id")
    return _call(id_ if isinstance(id_, str) and id_ else f"call_{number}", function["name"], function.get("arguments"))


def _call(id_: str, name: str, arguments: object) -> RequestedCall:
    if isinstance(arguments, str):
        arguments, problem = _read_json(arguments) if arguments.strip() else ({}, "")
        if problem:
            return RequestedCall(id_, name, None, f"The arguments of {name} are not JSON: {problem}")
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, Mapping) or not all(isinstance(key, str) for key in arguments):
        return RequestedCall(id_, name, None, f"The arguments of {name} are an object, {_got(arguments)}")
    return RequestedCall(id_, name, dict(arguments))


def _read_json(text: str) -> tuple[Any, str]:
    """Return what a text holds, or what is wrong with it."""
    try:
        return json.loads(text), ""
    except json.JSONDecodeError as error:
        return None, f"{error.msg} at line {error.lineno}, column {error.colno}."
    except (RecursionError, ValueError) as error:  # nested too deep, or an integer of thousands of digits
        return None, f"{error}."


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _got(value: object) -> str:
    return f"got {shorten(value)}."
