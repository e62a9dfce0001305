"""Spaces of chat messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import gymnasium as gym

from envscaler_gym.types import JSON, Action

__all__ = ["AssistantSpace", "Conversation", "ConversationSpace"]

Conversation: TypeAlias = tuple[dict[str, JSON], ...]
"""Messages of the OpenAI chat protocol, in order."""

_ROLES = ("system", "user", "assistant", "tool")


class ConversationSpace(gym.Space[Conversation]):
    """Every tuple of chat messages with a role and text.

    Args:
        seed: Seed of the space.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """False: conversations have no fixed shape."""
        return False

    def contains(self, x: Any) -> bool:
        """Return whether ``x`` is a tuple of chat messages."""
        return isinstance(x, tuple) and all(
            isinstance(message, dict) and message.get("role") in _ROLES and isinstance(message.get("content"), str)
            for message in x
        )

    def sample(self, mask: None = None, probability: None = None) -> Conversation:  # noqa: ARG002 - Gymnasium's signature
        """Draw a message of a user, with a number in it."""
        return ({"role": "user", "content": f"Message {self.np_random.integers(1000)}."},)

    def __eq__(self, other: object) -> bool:
        """Compare by type."""
        return isinstance(other, ConversationSpace)

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(ConversationSpace)


class AssistantSpace(gym.Space[Any]):
    """Whatever a model can say: an assistant message of the chat protocol, or text.

    Args:
        draw: Function that draws an action for the environment below.
        in_text: Whether ``sample()`` writes calls into text.
        seed: Seed of the space.
    """

    def __init__(self, draw: Callable[[], Action], *, in_text: bool, seed: int | None = None) -> None:
        self._draw = draw
        self._in_text = in_text
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """False: messages have no fixed shape."""
        return False

    def contains(self, x: Any) -> bool:
        """Return whether ``x`` is text or an object."""
        return isinstance(x, str | dict)

    def sample(self, mask: None = None, probability: None = None) -> Any:  # noqa: ARG002 - Gymnasium's signature
        """Draw a message with one call that fits its tool's schema."""
        action: Any = self._draw()
        if self._in_text:
            return f"<tool_call>\n{json.dumps(action)}\n</tool_call>"
        function = {"name": action["name"], "arguments": json.dumps(action["arguments"])}
        call = {"id": "call_0", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
