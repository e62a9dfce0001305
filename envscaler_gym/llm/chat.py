"""Requests and completions in the form of the OpenAI chat protocol, which servers and batch files share."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from envscaler_gym.llm.model import ChatMessage, Completion, CompletionRequest, FinishReason, FunctionCall
from envscaler_gym.types import JSON

__all__ = ["from_chat", "to_chat"]

_FINISHED: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "refusal",
    "refusal": "refusal",
}
"""Reasons other than having said everything, as providers name them."""

_FENCED = """

Answer with one JSON object in a block that begins with ```json and ends with ```, and write nothing after it. \
It must fit this JSON schema:

{}"""


def to_chat(request: CompletionRequest, *, structured: bool = True) -> dict[str, JSON]:
    """Return the body of a request to ``/v1/chat/completions``.

    Args:
        request: The request.
        structured: Send the schema of the answer as ``response_format``, for servers that hold a model to it. Otherwise
            the last message asks for fenced JSON and shows the schema.
    """
    messages = [_message(message) for message in request.messages]
    body: dict[str, JSON] = {"model": request.model, "messages": messages}
    schema = request.response_schema
    if schema is not None and structured:
        answer = {"name": "answer", "schema": copy.deepcopy(schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": answer}
    elif schema is not None:
        messages[-1]["content"] += _FENCED.format(json.dumps(schema, ensure_ascii=False))
    if request.tools:
        body["tools"] = [copy.deepcopy(tool) for tool in request.tools]
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    return body


def _message(message: ChatMessage) -> dict[str, JSON]:
    made: dict[str, JSON] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        made["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        made["tool_call_id"] = message.tool_call_id
    return made


class _Lenient(BaseModel):
    """What we read of a provider's answer; it may hold more."""

    model_config = ConfigDict(extra="ignore")


class _Function(_Lenient):
    name: str
    arguments: str | dict[str, Any] | None = None


class _ToolCall(_Lenient):
    id: str | None = None
    function: _Function


class _Part(_Lenient):
    type: str = "text"
    text: str | None = None


class _Refusal(_Lenient):
    refusal: str | None = None


class _Message(_Refusal):
    content: str | list[_Part] | None = None
    tool_calls: list[_ToolCall] | None = None
    provider_specific_fields: _Refusal | None = None  # where litellm puts what it has no place for


class _Choice(_Lenient):
    message: _Message
    finish_reason: str | None = None


class _Tokens(_Lenient):
    prompt_tokens: int | None = Field(default=None, ge=0)
    completion_tokens: int | None = Field(default=None, ge=0)


class _Body(_Lenient):
    model: str | None = None
    choices: list[_Choice] = Field(min_length=1)
    usage: _Tokens | None = None


def from_chat(body: Mapping[str, JSON]) -> Completion:
    """Return the completion that a server's answer holds: its first choice.

    Raises:
        ValueError: It is no chat completion; the message says where.
    """
    read = _Body.model_validate(body)
    choice, usage = read.choices[0], read.usage or _Tokens()
    message = choice.message
    refusal = message.refusal or (message.provider_specific_fields or _Refusal()).refusal
    calls = tuple(_call(index, call) for index, call in enumerate(message.tool_calls or ()))
    finished = _FINISHED.get(choice.finish_reason or "", "stop")
    if refusal:
        finished = "refusal"
    elif calls and finished == "stop":
        finished = "tool_calls"
    elif not calls and finished == "tool_calls":
        finished = "stop"
    return Completion(
        text=_clean(refusal or _text(message.content)),
        tool_calls=calls,
        finish_reason=finished,
        model=read.model or "",
        prompt_tokens=usage.prompt_tokens or 0,
        completion_tokens=usage.completion_tokens or 0,
    )


def _text(content: str | list[_Part] | None) -> str:
    if isinstance(content, list):
        return "".join(part.text or "" for part in content)
    return content or ""


def _call(index: int, call: _ToolCall) -> FunctionCall:
    arguments = call.function.arguments
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments or {}, ensure_ascii=False)
    return FunctionCall(id=call.id or f"call_{index}", name=_clean(call.function.name), arguments=_clean(arguments))


def _clean(text: str) -> str:
    """Replace halves of characters, which an answer that was cut off may end in and no file can hold."""
    return text.encode("utf-8", "replace").decode()
