"""The values that pass between an agent and an environment. All of them are frozen.

Those that are made at every step are msgspec structs, which are made several times faster than named tuples.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypedDict

import msgspec

__all__ = [
    "JSON",
    "Action",
    "Message",
    "MessageAction",
    "Outcome",
    "ToolCall",
    "ToolCallAction",
    "ToolKind",
    "ToolResult",
    "ToolSpec",
]

JSON: TypeAlias = Any
"""A JSON value: ``None``, ``bool``, ``int``, ``float``, ``str``, or lists and string-keyed dicts of these."""

ToolKind: TypeAlias = Literal["query", "state_change"]

Outcome: TypeAlias = Literal[
    "success", "refused", "message", "malformed_action", "unknown_tool", "invalid_arguments", "failure"
]
"""What became of an action; ``info["outcome"]`` of every step.

``success`` and ``refused`` are a tool's own answers, ``message`` is a message that was delivered. The next three
are errors of the agent that left the state untouched; ``failure`` is a failure of the environment.
"""


class ToolCallAction(TypedDict):
    """An action that calls a tool, as ``step()`` takes it."""

    name: str
    arguments: dict[str, JSON]


class MessageAction(TypedDict):
    """An action that says something, as ``step()`` takes it."""

    content: str


Action: TypeAlias = ToolCallAction | MessageAction


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool name with arguments.

    Attributes:
        name: Name of the tool.
        arguments: Arguments by parameter name, JSON values.
    """

    name: str
    arguments: Mapping[str, JSON]

    def to_action(self) -> ToolCallAction:
        """Return the action for ``step()``; the arguments' outermost dict is a fresh one."""
        return {"name": self.name, "arguments": dict(self.arguments)}


@dataclass(frozen=True, slots=True)
class Message:
    """Something an agent says.

    Attributes:
        content: The text.
    """

    content: str

    def to_action(self) -> MessageAction:
        """Return the action for ``step()``."""
        return {"content": self.content}


class ToolResult(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a tool call came to.

    Attributes:
        text: The result as JSON text; no reference into the state can leave through it.
        success: Whether the tool's ``"success"`` entry was true.
    """

    text: str
    success: bool


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What an agent is told about a tool.

    Attributes:
        name: Name of the tool.
        description: The method's docstring without its ``Args`` section.
        parameters: JSON schema of the arguments (an ``object`` schema).
        kind: ``"query"`` or ``"state_change"``.
    """

    name: str
    description: str
    parameters: Mapping[str, JSON]
    kind: ToolKind

    def to_openai(self) -> dict[str, JSON]:
        """Return the tool in OpenAI function form, sharing no mutable object with the spec."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": copy.deepcopy(self.parameters),
            },
        }
