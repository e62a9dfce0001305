"""The readable transcript behind ``render_mode="ansi"`` and ``"human"``."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

from envscaler_gym.checks import CheckResult, Score
from envscaler_gym.errors import shorten
from envscaler_gym.scenario import Scenario
from envscaler_gym.state import Change, diff, to_json

__all__ = ["Transcript", "action_text", "changes_text", "opening", "score_text", "turn"]

_WIDTH = 110
_RESULT_LIMIT = 600
_MAX_CHANGES = 12
_UNREAD = ("malformed_action", "unknown_tool", "invalid_arguments")
"""Outcomes of actions that may hold anything, even what cannot be written as JSON."""


class Transcript:
    """The transcript of the running episode, made only where an environment renders.

    Args:
        live: Whether each block is written to standard output as it is added.

    Attributes:
        blocks: The blocks so far.
    """

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._seen: Any = None
        self._steps = 0
        self.blocks: list[str] = []

    def begin(self, environment: str, scenario: Scenario, observation: str, state: Any) -> None:
        """Start over with an episode; ``state`` is not modified and is compared with the state after the first step."""
        self.blocks.clear()
        self.resume(state, 0)
        self._add(opening(environment, scenario, observation))

    def resume(self, state: Any, steps: int) -> None:
        """Go on from a state that ``steps`` actions led to."""
        self._seen, self._steps = state, steps

    def add_turn(self, action: object, observation: str, outcome: str, state: Any) -> None:
        """Add a step that led to ``state``; ``None`` where the state is not known."""
        self._steps += 1
        changes = [] if state is None else diff(self._seen, state)
        self._add(turn(self._steps, action, observation, outcome, changes))
        self._seen = state

    def add_score(self, score: Score) -> None:
        """Add the block that closes a graded episode."""
        self._add(score_text(score))

    def __str__(self) -> str:
        """Return the whole transcript."""
        return "\n".join(self.blocks)

    def _add(self, block: str) -> None:
        self.blocks.append(block)
        if self._live:
            sys.stdout.write(block + "\n")
            sys.stdout.flush()


def opening(environment: str, scenario: Scenario, text: str) -> str:
    """Return the first block of a transcript: where, what for, and what the agent was told.

    Args:
        environment: Id of the environment.
        scenario: The scenario.
        text: The first observation.
    """
    details = ", ".join(filter(None, (scenario.difficulty, scenario.split, scenario.clock.replace("T", " "))))
    return f"=== {environment}  {scenario.id} ({details})\n{_indent(text)}\n"


def turn(number: int, action: object, observation: str, outcome: str, changes: Iterable[Change]) -> str:
    """Return the block of one step.

    Args:
        number: Number of the step, from 1.
        action: The action as it was given.
        observation: What came back.
        outcome: The step's outcome.
        changes: Differences in the state.
    """
    lines = [f"[{number}] {shorten(action, 200) if outcome in _UNREAD else action_text(action)}"]
    if observation:
        mark = {"success": "->", "message": "<-"}.get(outcome, f"-> {outcome}:")
        lines.append(textwrap.indent(f"{mark} {_clip(observation)}", "    "))
    lines += [f"    {line}" for line in changes_text(changes)]
    return "\n".join(lines) + "\n"


def changes_text(changes: Iterable[Change]) -> list[str]:
    """Return a line for each change, the rest counted where there are many."""
    lines = [_clip(str(change), 160) for change in changes]
    if len(lines) > _MAX_CHANGES:
        return [*lines[:_MAX_CHANGES], f"... and {len(lines) - _MAX_CHANGES} more changes"]
    return lines


def score_text(score: Score) -> str:
    """Return the block that closes a graded episode."""
    lines = [f"=== score {score.reward:g}  ({score.passed} of {len(score.checks)} checks passed)"]
    lines += [_result_text(result, "x") for result in score.checks]
    lines += [_result_text(result, "!") + "  (guard)" for result in score.guards if not result.passed]
    return "\n".join(lines) + "\n"


def _result_text(result: CheckResult, failed: str) -> str:
    error = f"  [{result.error}]" if result.error else ""
    counted = "" if result.counted else "  (true from the start: not counted)"
    return f"  {'+' if result.passed else failed} {_clip(result.text, 200)}{error}{counted}"


def action_text(action: object) -> str:
    """Return an action in one line: a call as ``name(argument=value, ...)``, a message after ``says:``."""
    if isinstance(action, dict) and isinstance(action.get("content"), str):
        return f"says: {_clip(str.__str__(action['content']))}"
    if isinstance(action, dict) and isinstance(action.get("name"), str) and isinstance(action.get("arguments"), dict):
        inside = ", ".join(f"{key}={_value_text(value)}" for key, value in action["arguments"].items())
        return f"{_clip(action['name'], 80)}({_clip(inside)})"
    return shorten(action, 200)


def _value_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else to_json(value)


def _clip(text: str, limit: int = _RESULT_LIMIT) -> str:
    text = text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
    return text.encode("utf-8", "backslashreplace").decode()


def _indent(text: str) -> str:
    paragraphs = _clip(text, 20_000).splitlines() or [""]
    return "\n".join(textwrap.fill(p, _WIDTH, initial_indent="  ", subsequent_indent="  ") for p in paragraphs)
