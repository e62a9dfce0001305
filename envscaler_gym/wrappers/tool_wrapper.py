"""What the wrappers of this package share: the environment below, and notes that forks take along."""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar, cast

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from envscaler_gym.env import StepResult, ToolEnv
from envscaler_gym.errors import shorten
from envscaler_gym.tools import Tool
from envscaler_gym.types import Action

__all__ = ["ToolWrapper", "chance"]

Observation = TypeVar("Observation")
Act = TypeVar("Act")


class ToolWrapper(gym.Wrapper[Observation, Act, str, Action], RecordConstructorArgs):
    """A wrapper around an environment of this library.

    What such a wrapper keeps of an episode is its *note*, an immutable value that lies with the environment. So
    ``env.unwrapped.snapshot()`` and ``restore()`` fork the wrappers, too, and copies carry on as the original does.

    Args:
        env: The environment, wrapped or not.
        arguments: The wrapper's other arguments, for ``env.spec``.

    Raises:
        TypeError: The environment is not one of this library.
    """

    def __init__(self, env: gym.Env[Any, Any], **arguments: Any) -> None:
        if not isinstance(env.unwrapped, ToolEnv):
            raise TypeError(f"{type(self).__name__} wraps environments of envscaler_gym, got {shorten(env.unwrapped)}")
        RecordConstructorArgs.__init__(self, **arguments)
        gym.Wrapper.__init__(self, env)
        depth, layer = 0, env
        while isinstance(layer, gym.Wrapper):
            depth, layer = depth + isinstance(layer, ToolWrapper), layer.env
        self._name = f"{type(self).__name__}.{depth}"

    @property
    def below(self) -> ToolEnv:
        """The environment at the bottom."""
        return cast("ToolEnv", self.env.unwrapped)  # as the constructor has seen

    def forward(self, action: Action) -> StepResult:
        """Take a step in the environment below."""
        observation, reward, terminated, truncated, info = cast("gym.Env[str, Action]", self.env).step(action)
        return observation, float(reward), terminated, truncated, info

    def tool_of(self, action: object) -> Tool | None:
        """Return the tool that an action calls in the running episode, if it calls one."""
        if not self.below.running or not isinstance(action, dict) or "arguments" not in action:
            return None
        name = action.get("name")
        return self.below.bundle.tools.get(name) if type(name) is str else None

    def note(self, default: Any) -> Any:
        """Return what this wrapper has written down about the episode, or the default."""
        return self.below.notes.get(self._name, default)

    def write(self, note: Any) -> None:
        """Replace the note by another immutable value."""
        self.below.notes[self._name] = note


def chance(*key: object) -> float:
    """Return a number in [0, 1) that is a function of the key, and looks random."""
    hashed = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(hashed, "little") / 2**64
