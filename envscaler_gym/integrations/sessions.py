"""Episodes for clients that can only call tools: to say something is a tool, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from envscaler_gym.chat import system_prompt
from envscaler_gym.env import ToolEnv
from envscaler_gym.episode import error_text
from envscaler_gym.errors import ScenarioError, UnknownNameError, shorten
from envscaler_gym.registry import get_bundle
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
        reward: What the step earned; ``None`` where the environment failed, and where no step was taken.
    """

    text: str
    outcome: Outcome
    ended: bool
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
    episode, and :data:`SAY` in conversation mode. A failure of the environment ends the episode without a reward.

    Args:
        environments: A name or the path of a bundle's folder, or a list of these.
        wrap: Wraps the environment, for instance to record episodes.
        **options: Arguments of :class:`~envscaler_gym.env.ToolEnv`.

    Attributes:
        observation: What the agent is told at first: the task, or the user's first turn.
    """

    def __init__(
        self,
        environments: str | Sequence[str],
        *,
        wrap: Callable[[gym.Env[str, Action]], gym.Env[str, Action]] = lambda env: env,
        **options: Any,
    ) -> None:
        self._names = [environments] if isinstance(environments, str) else list(environments)
        self._below = make_environment(environments, **{"on_error": "truncate"} | options)
        self._env = wrap(self._below)
        self._filters = {name: options.get(name) for name in ("split", "difficulty")}
        self._last = _NOT_STARTED
        self.observation = ""

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The tools of the running episode, the one for saying something last."""
        return (*self._below.tools, _FINISH_SPEC if self._below.mode == "task" else _SAY_SPEC)

    @property
    def running(self) -> bool:
        """Whether an episode is under way."""
        return not self._last.ended

    @property
    def briefing(self) -> str:
        """All that an agent needs to begin: introduction, rules, and the task or the user's first turn."""
        below = self._below
        told = system_prompt(below.bundle.manifest, below.tools, schemas_in_text=False, template=_BRIEFING)
        if below.mode == "task":
            return f"{told}\n## Your task\n\n{self.observation}\n\nWhen everything is done, call {FINISH}.\n"
        return f"{told}\n## The user says\n\n{self.observation}\n\nAnswer with {SAY}.\n"

    def start(self, *, seed: int | None = None, options: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Start an episode.

        Args:
            seed: As for ``reset()``.
            options: As for ``reset()``. What is chosen must be what could also be drawn: tests stay unseen.

        Returns:
            The ``info`` of ``reset()``.

        Raises:
            ScenarioError: There is no such scenario, or split or difficulty leave it out.
            UnknownNameError: There is no such environment among these.
            ValueError: An option is unknown.
        """
        self._last = _NOT_STARTED
        chosen = dict(options or {})
        if "environment" in chosen and chosen["environment"] not in (ids := [get_bundle(n).id for n in self._names]):
            raise UnknownNameError(
                f"There is no environment {shorten(chosen['environment'])} here; there are {', '.join(ids)}."
            )
        observation, info = self._env.reset(seed=seed, options=chosen)
        for name, wanted in self._filters.items():
            if wanted is not None and info[name] != wanted:
                raise ScenarioError(
                    f"Scenario {info['scenario']!r} of {info['environment']} has {name}={info[name]!r}; "
                    f"what is played here has {name}={wanted!r}."
                )
        self.observation = observation
        self._last = Reply(observation, "message", ended=False)
        return info

    def call(self, name: str, arguments: Mapping[str, JSON]) -> Reply:
        """Call a tool. What the agent does wrong is answered, not raised."""
        if not self.running:
            text = _NOT_STARTED.text if self._last is _NOT_STARTED else error_text(_OVER)
            return Reply(text, "malformed_action", ended=True)
        if name != self.tools[-1].name:
            return self._act({"name": name, "arguments": dict(arguments)})
        message = arguments.get("message", "")
        if isinstance(message, str) and set(arguments) <= {"message"}:
            return self._act({"content": message})
        problem = f"Invalid arguments for {name!r}: got {shorten(dict(arguments))}. Expected {name}(message: string)."
        return Reply(error_text(problem), "invalid_arguments", ended=False)

    def leave(self) -> Reply:
        """End an episode that is under way, as a client does that goes away, and return the last reply."""
        while self.running:  # in conversation mode the user may have several requests left
            self._act({"content": _LEFT})
        return self._last

    def close(self) -> None:
        """Close the environment."""
        self._env.close()

    def _act(self, action: Any) -> Reply:
        observation, reward, terminated, truncated, info = self._env.step(action)
        earned = None if info["outcome"] == "failure" else float(reward)
        self._last = Reply(observation, info["outcome"], terminated or truncated, earned)
        return self._last


_NOT_STARTED = Reply(error_text("No episode was started."), "malformed_action", ended=True)
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
