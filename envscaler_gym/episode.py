"""One run of a scenario in a world: actions go in, texts come out, and a score at the end.

This is the loop without Gymnasium, so that adapters to other protocols share it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec

from envscaler_gym.ambient import Ambient
from envscaler_gym.checks import CheckRunner, Score, run_checks
from envscaler_gym.errors import GradingFailure, ScenarioError, did_you_mean, shorten
from envscaler_gym.scenario import Scenario, StartState
from envscaler_gym.state import to_json
from envscaler_gym.tools import InvalidArguments, Tool, Toolset
from envscaler_gym.types import JSON, Outcome, ToolResult
from envscaler_gym.users import User
from envscaler_gym.world import World, WorldSnapshot

__all__ = ["ENDED", "Episode", "EpisodeSnapshot", "Turn", "error_text"]

ENDED = "The episode has ended."
"""Last observation of an episode that ends with a message."""


class Turn(msgspec.Struct, frozen=True):
    """What an action came to.

    Attributes:
        observation: What the agent is told.
        outcome: What became of the action.
        ended: Whether the episode ended with it.
    """

    observation: str
    outcome: Outcome
    ended: bool = False


class EpisodeSnapshot(NamedTuple):
    """All that an episode is at one moment. Opaque, picklable, and never modified once taken."""

    world: WorldSnapshot
    initial_state: Mapping[str, Any]
    conversation: tuple[str, ...]
    changes: int


class Episode:
    """One run of a scenario.

    Args:
        scenario: What is to be done, and how it is graded.
        start_state: Where it starts.
        tools: What may be called.
        world: Where it happens; the episode loads the start state into it.
        user: Who the agent talks to; ``None`` in task mode.
        seed: Seed of ids and randomness.
        run_checks: Runs the checks when the episode is graded.

    Attributes:
        scenario: What is to be done.
        tools: What may be called.
        world: Where it happens.
        initial_state: The world's state at the start; not to be modified.
        changes: Number of calls that succeeded in changing the state.

    Raises:
        EnvironmentFailure: The world cannot be built.
    """

    __slots__ = (
        "_ambient",
        "_conversation",
        "_run_checks",
        "_user",
        "changes",
        "initial_state",
        "scenario",
        "tools",
        "world",
    )

    def __init__(
        self,
        scenario: Scenario,
        start_state: StartState,
        tools: Toolset,
        world: World,
        user: User | None,
        seed: str,
        run_checks: CheckRunner = run_checks,
    ) -> None:
        self.changes = 0
        self.scenario = scenario
        self.tools = tools
        self.world = world
        self._user = user
        self._run_checks = run_checks
        self._conversation: tuple[str, ...] = ()
        self._ambient = Ambient(scenario.clock, seed)
        self.initial_state = world.load(start_state.state, self._ambient)

    def begin(self) -> str:
        """Return the first observation: the task, or the user's first turn."""
        if self._user is None:
            return self.scenario.task
        first = self._user.reply(self.scenario, ()) or ""
        self._conversation = (first,)
        return first

    def act(self, action: object) -> Turn:
        """Take an action.

        Args:
            action: ``{"name": str, "arguments": dict}`` or ``{"content": str}``. Anything else is answered, not raised.

        Raises:
            EnvironmentFailure: Generated code failed.
        """
        if type(action) is dict and len(action) == 2:
            try:  # the usual way, kept short: a call that fits
                tool: Any = self.tools.get(action["name"])
                arguments = tool.check(action["arguments"])
            except Exception:  # noqa: S110 - any other action; what is wrong with it is said below
                pass
            else:
                return self._turn(tool, self.world.call(tool.name, arguments))
        prepared = self._prepare(action)
        if not isinstance(prepared, tuple):
            return prepared
        odd_tool, odd_arguments = prepared  # named by a subclass of str that cannot be looked up
        return self._turn(odd_tool, self.world.call(odd_tool.name, odd_arguments))

    def submit(self, action: object) -> Callable[[], Turn]:
        """Begin an action, and return the function that waits for what :meth:`act` would return or raise."""
        prepared = self._prepare(action)
        if not isinstance(prepared, tuple):
            return lambda: prepared
        tool, arguments = prepared
        wait = self.world.submit(tool.name, arguments)
        return lambda: self._turn(tool, wait())

    def _prepare(self, action: object) -> Turn | tuple[Tool, dict[str, JSON]]:
        """Return a tool with checked arguments, or the turn of an action that calls none."""
        if type(action) is not dict:
            return _malformed(action)
        if len(action) != 2 or "name" not in action or "arguments" not in action:
            content = action.get("content")
            return self._say(content) if len(action) == 1 and isinstance(content, str) else _malformed(action)
        name = action["name"]
        if type(name) is not str:
            name = str.__str__(name) if isinstance(name, str) else None  # a subclass may not be hashable
        tool = self.tools.get(name)
        if tool is None:
            known = ", ".join(self.tools)
            problem = f"Unknown tool {shorten(action['name'])}.{did_you_mean(name, self.tools)} The tools are: {known}."
            return Turn(error_text(problem), "unknown_tool")
        try:
            return tool, tool.validate(action["arguments"])
        except InvalidArguments as error:
            return Turn(error_text(str(error)), "invalid_arguments")

    def _turn(self, tool: Tool, result: ToolResult) -> Turn:
        if not result.success:
            return Turn(result.text, "refused")
        if tool.kind == "state_change":
            self.changes += 1
        return Turn(result.text, "success")

    def _say(self, content: str) -> Turn:
        if self._user is None:
            return Turn(ENDED, "message", ended=True)
        conversation = (*self._conversation, content)
        reply = self._user.reply(self.scenario, conversation)
        self._conversation = conversation if reply is None else (*conversation, reply)
        return Turn(ENDED, "message", ended=True) if reply is None else Turn(reply, "message")

    def grade(self, *, delta: bool = False, enforce_guards: bool = False) -> Score:
        """Run the checks over the state as it is now.

        Args:
            delta: Count only checks that are false at the start.
            enforce_guards: A violated guard makes the reward 0.

        Raises:
            ScenarioError: The scenario has no checks.
            GradingFailure: Under ``delta``, none counts.
            EnvironmentFailure: The state cannot be read, or a check in a worker did not answer at all.
        """
        scenario = self.scenario
        if scenario.checks is None:
            raise ScenarioError(f"Scenario {scenario.id!r} has no checks and cannot be graded; use reward='none'.")
        results = self._run_checks(
            (*scenario.checks, *scenario.guards), self.initial_state, self.world.state(), self._ambient
        )
        checks, guards = results[: len(scenario.checks)], results[len(scenario.checks) :]
        if delta:
            start = self._run_checks(scenario.checks, self.initial_state, self.initial_state, self._ambient)
            checks = tuple(
                replace(after, counted=not before.passed) for before, after in zip(start, checks, strict=True)
            )
        counted = [result for result in checks if result.counted]
        if not counted:
            raise GradingFailure(
                f"Every check of scenario {scenario.id!r} is true at the start; reward='delta' has nothing to count."
            )
        spoiled = enforce_guards and not all(guard.passed for guard in guards)
        reward = 0.0 if spoiled else round(sum(result.passed for result in counted) / len(counted), 4)
        return Score(reward, checks, guards)

    def snapshot(self) -> EpisodeSnapshot:
        """Return what :meth:`restore` needs to come back here."""
        return EpisodeSnapshot(self.world.snapshot(), self.initial_state, self._conversation, self.changes)

    def restore(self, snapshot: EpisodeSnapshot) -> None:
        """Go back to a snapshot of an episode of the same scenario."""
        self.world.restore(snapshot.world)
        self.initial_state = snapshot.initial_state
        self._conversation = snapshot.conversation
        self.changes = snapshot.changes


def error_text(problem: str) -> str:
    """Return an error of the agent as an observation, in the shape of a tool's refusal."""
    return to_json({"success": False, "error": problem})


def _malformed(action: object) -> Turn:
    got = f"the keys {shorten(list(action))}" if isinstance(action, dict) else shorten(action)
    problem = (
        f"Malformed action: got {got}. "
        'An action is {"name": str, "arguments": object} to call a tool, or {"content": str} to say something.'
    )
    return Turn(error_text(problem), "malformed_action")
