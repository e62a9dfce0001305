"""The one method that a language model has, and what goes in and comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Protocol

from pydantic import Field

from envscaler_gym.data import Data
from envscaler_gym.state import digest
from envscaler_gym.types import JSON

__all__ = [
    "ChatMessage",
    "Completion",
    "CompletionRequest",
    "FailureKind",
    "FinishReason",
    "FunctionCall",
    "LanguageModel",
]

FinishReason = Literal["stop", "length", "tool_calls", "refusal"]

FailureKind = Literal[
    "rate_limited",
    "server_error",
    "timeout",
    "connection",
    "rejected",
    "malformed",
    "wrong_schema",
    "truncated",
    "refusal",
]
"""What can go wrong with a call.

The first five are the provider's: there was no answer. ``rejected`` is a request that the provider does not take (a
wrong key, an unknown model) and that is not tried again. The other four are answers that are not what was asked: no
JSON, JSON that does not fit, an answer cut off at its longest, and none given on purpose.
"""


class FunctionCall(Data):
    """A call of a function that a model asked for.

    Attributes:
        id: The model's name for the call, which the message with its result repeats.
        name: Name of the function.
        arguments: Arguments as the model wrote them, meant to be JSON.
    """

    id: str
    name: str
    arguments: str


class ChatMessage(Data):
    """A message of a conversation, in the roles of the OpenAI chat protocol.

    Attributes:
        role: Who speaks.
        content: What is said.
        tool_calls: Calls that the assistant asks for.
        tool_call_id: Call whose result this is, for the role ``"tool"``.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: Annotated[tuple[FunctionCall, ...], Field(strict=False)] = ()
    tool_call_id: str | None = None


class CompletionRequest(Data):
    """What a model is asked for. Two requests with the same digest are one and the same.

    Attributes:
        model: Name of the model, as litellm takes it.
        messages: The conversation so far.
        response_schema: JSON schema that the answer is to fit; ``None`` for free text.
        tools: Functions that the model may call, as OpenAI function schemas.
        temperature: Of the sampling; ``None`` for the provider's default.
        max_tokens: Longest answer in tokens; ``None`` for the provider's default.
        attempt: Number that tells apart requests that are otherwise equal, such as the tries of one solver.
        purpose: What the request is for (a stage's name); no part of the digest.
    """

    model: str
    messages: Annotated[tuple[ChatMessage, ...], Field(strict=False, min_length=1)]
    response_schema: Mapping[str, JSON] | None = None
    tools: Annotated[tuple[Mapping[str, JSON], ...], Field(strict=False)] = ()
    temperature: float | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    attempt: int = Field(default=0, ge=0)
    purpose: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 over everything but the purpose."""
        return digest(self.model_dump(mode="json", exclude={"purpose"}))


class Completion(Data):
    """What a model answered.

    Attributes:
        text: The answer's text.
        tool_calls: Calls that it asks for.
        finish_reason: Why it ended.
        model: The model that answered, as the provider names it.
        prompt_tokens: Tokens of the request.
        completion_tokens: Tokens of the answer.
        cost_usd: Price in US dollars; ``None`` where it is not known.
        failures: How often the provider failed before it gave this answer, by kind of failure.
    """

    text: str = ""
    tool_calls: Annotated[tuple[FunctionCall, ...], Field(strict=False)] = ()
    finish_reason: FinishReason = "stop"
    model: str = ""
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    cost_usd: float | None = Field(default=None, ge=0)
    failures: Mapping[FailureKind, int] = {}


class LanguageModel(Protocol):
    """Anything that completes conversations."""

    async def complete(self, request: CompletionRequest) -> Completion:
        """Answer a request.

        Raises:
            RunStopped: There is no answer; its subclasses say why. A refusal, too, is an answer.
        """
        ...
