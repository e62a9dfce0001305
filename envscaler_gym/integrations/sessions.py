"""Episodes for clients that can only call tools: to say something is a tool, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from envscaler_gym.chat import system_prompt
from envscaler_gym.draw import eligible
from envscaler_gym.env import ToolEnv
from envscaler_gym.episode import error_text
from envscaler_gym.errors import ScenarioError, shorten
from envscaler_gym.suite import SuiteEnv
from envscaler_gym.types import JSON, Action, Outcome, ToolSpec

__all__ = ["FINISH", "SAY", "Reply", "ToolSession", "make_environment"]

FINISH = "episode-finish"
"""Tool that ends an episode, in task mode. With its hyphen, it is the name of no environment's tool."""
SAY = "episode-say"
"""Tool that says something to the user, in conversation mode."""

_OVER = "The episode has ended: nothing can be called any more."
_LEFT = "The session was closed."
_BRIEFING = """\
$introduction

## Rules of this system

$rules
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call came to.

    Attributes:
        text: What the agent is told.
        outcome: What became of the call.
        ended: Whether the episode is over.
        reward: The reward, where the episode is over and nothing failed.
    """

    text: str
    outcome: Outcome
    ended: bool = False
    reward: float | None = None

    @property
    def error(self) -> bool:
        """Whether the call did not do what was asked."""
        return self.outcome not in ("success", "message")


def make_environment(environments: str | Sequence[str], **options: Any) -> ToolEnv:
    """Return the environment of one name, or the suite of several.

    Args:
        environments: A name or the path of a bundle's folder, or a list of these.
        **options: Arguments of :class:`~envscaler_gym.env.ToolEnv`.
    """
    if isinstance(environments, str):
        return ToolEnv(environments, **options)
    return ToolEnv(environments[0], **options) if len(environments) == 1 else SuiteEnv(environments, **options)


class ToolSession:
    """Episodes in one environment, one after the other, for a client that calls tools and nothing else.

    Besides the environment's tools there is one that says something: :data:`FINISH` in task mode, where that ends the
    episode, and :data:`SAY` in conversation mode.

    Args:
        env: An environment of this library, wrapped or not; with ``on_error="truncate"``, its failures are replies.
    """

    def __init__(self, env: gym.Env[str, Action]) -> None:
        if not isinstance(env.unwrapped, ToolEnv):
            raise TypeError(f"ToolSession plays environments of envscaler_gym, got {shorten(env.unwrapped)}")
        self.env = env
        self._below: ToolEnv = env.unwrapped
        self._started = False
        self._last = Reply(error_text("No episode was started."), "malformed_action", ended=True)
        self.observation = ""

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The tools of the running episode, the one for saying something last."""
        speak = _FINISH_SPEC if self._below.mode == "task" else _SAY_SPEC
        return (*self._below.tools, speak)

    @property
    def running(self) -> bool:
        """Whether an episode is under way."""
        return self._started and not self._last.ended

    @property
    def reward(self) -> float | None:
        """The reward of the episode that has ended, if nothing failed in it."""
        return self._last.reward

    @property
    def briefing(self) -> str:
        """All that an agent is told at first: introduction, rules, and the task or the user's first turn."""
        below = self._below
        told = system_prompt(below.bundle.manifest, below.tools, schemas_in_text=False, template=_BRIEFING)
        if below.mode == "task":
            return f"{told}\n## Your task\n\n{self.observation}\n\nWhen everything is done, call {FINISH}.\n"
        return f"{told}\n## The user says\n\n{self.observation}\n\nAnswer with {SAY}.\n"

    def start(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Start an episode; :attr:`observation` is what the agent is told.

        Args:
            seed: As for ``reset()``.
            options: As for ``reset()``. A scenario must be one that the environment could draw itself.

        Returns:
            The ``info`` of ``reset()``.

        Raises:
            ScenarioError: There is no such scenario, or the environment's filters leave it out.
            EnvironmentFailure: The class could not be built, and ``on_error`` is ``"raise"``.
        """
        self._started = False
        self.observation, info = self.env.reset(seed=seed, options=dict(options or {}))
        if options and "scenario" in options:
            self._require_eligible(info["scenario"])
        self._last = Reply(self.observation, "message")
        self._started = True
        return info

    def _require_eligible(self, scenario: str) -> None:
        """Refuse what was asked for by its id where split and difficulty leave it out: tests stay unseen."""
        below = self._below
        split, difficulty = below.filters
        if all(scenario != one.id for one in eligible(below.bundle, split, difficulty, graded=False)):
            raise ScenarioError(
                f"Scenario {scenario!r} of {below.bundle.id} is not among those with split={split!r} and "
                f"difficulty={difficulty!r}."
            )

    def call(self, name: str, arguments: Mapping[str, JSON]) -> Reply:
        """Call a tool. What the agent does wrong is answered, not raised.

        Raises:
            EnvironmentFailure: The environment failed, and its ``on_error`` is ``"raise"``.
        """
        if not self.running:
            return Reply(error_text(_OVER) if self._started else self._last.text, "malformed_action", ended=True)
        action: Any = {"name": name, "arguments": dict(arguments)}
        if name == self.tools[-1].name:
            message = arguments.get("message", "")
            if not isinstance(message, str) or not set(arguments) <= {"message"}:
                problem = f"Invalid arguments for {name!r}: got {shorten(dict(arguments))}. Expected {{message: string}}."
                return Reply(error_text(problem), "invalid_arguments")
            action = {"content": message}
        self._last = self._act(action)
        return self._last

    def leave(self) -> Reply:
        """End the episode that is under way, if any, as a client does that goes away; it is graded as it stands."""
        if self.running:
            self._last = self._act({"content": _LEFT})
            if not self._last.ended:  # a user has more to say, and nobody is listening
                self._last = Reply(_LEFT, "message", ended=True, reward=self._below.grade().reward)
        return self._last

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def _act(self, action: Any) -> Reply:
        observation, reward, terminated, truncated, info = self.env.step(action)
        ended = terminated or truncated
        graded = ended and info["outcome"] != "failure"
        return Reply(observation, info["outcome"], ended, float(reward) if graded else None)


_MESSAGE = {"type": "string", "description": "What you say.", "default": ""}
_FINISH_SPEC = ToolSpec(
    FINISH,
    "Say that the task is done. The episode ends with it and is graded; nothing can be called afterwards.",
    {"type": "object", "properties": {"message": _MESSAGE}, "additionalProperties": False},
    "state_change",
)
_SAY_SPEC = ToolSpec(
    SAY,
    "Say something to the user, and hear what they answer. The user ends the episode.",
    {"type": "object", "properties": {"message": _MESSAGE}, "additionalProperties": False},
    "state_change",
)
