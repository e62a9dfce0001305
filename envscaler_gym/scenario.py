"""Scenarios: a start state, a task, its checks and a solution that is known to work."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from envscaler_gym.checks import Check
from envscaler_gym.data import Data
from envscaler_gym.types import JSON

__all__ = ["DIFFICULTIES", "SPLITS", "Difficulty", "Scenario", "SolutionCall", "Split", "StartState"]

Difficulty = Literal["easy", "medium", "hard", "expert"]
Split = Literal["train", "test"]
DIFFICULTIES: tuple[Difficulty, ...] = ("easy", "medium", "hard", "expert")
SPLITS: tuple[Split, ...] = ("train", "test")

MAX_WORDS = 100_000
"""Longest task or request, in characters: an observation must hold it."""

DEFAULT_CLOCK = "2025-09-01T09:00:00"


def _iso_datetime(value: str) -> str:
    datetime.datetime.fromisoformat(value)
    return value


class StartState(Data):
    """A state that episodes start from; several scenarios may share one.

    Attributes:
        id: Name within the bundle.
        state: Value of each attribute of the synthesized class. Never handed out without copying.
    """

    kind: Literal["start_state"] = "start_state"
    id: str = Field(min_length=1)
    state: Mapping[str, Any]


class SolutionCall(Data):
    """One call of a reference solution.

    Attributes:
        name: Name of the tool.
        arguments: Arguments by parameter name.
    """

    name: str
    arguments: Mapping[str, JSON]


class Scenario(Data):
    """One task in one start state.

    Attributes:
        id: Name within the bundle.
        start_state: Id of the start state.
        task: What the agent is asked to do.
        requests: The same in the pieces in which a user says it in conversation mode; empty: all at once.
        facts: What the user knows and says when asked: sentences by the words that a question about them holds, such as
            ``{"card number": "My card has the number 4417."}``.
        checks: Questions about the final state; ``None`` when the scenario cannot be graded.
        guards: Checks that are true at the start and are to stay true.
        solution: Calls that solve the task; empty when none is known.
        difficulty: How hard the task is, where it was measured.
        split: ``"train"`` or ``"test"``.
        clock: Time at the start, ISO 8601, UTC.
        max_steps: Actions after which the episode is truncated.
    """

    kind: Literal["scenario"] = "scenario"
    id: str = Field(min_length=1)
    start_state: str
    task: str = Field(min_length=1, max_length=MAX_WORDS)
    requests: Annotated[tuple[Annotated[str, Field(max_length=MAX_WORDS)], ...], Field(strict=False)] = ()
    facts: Mapping[str, str] = {}
    checks: Annotated[tuple[Check, ...], Field(strict=False, min_length=1)] | None = None
    guards: Annotated[tuple[Check, ...], Field(strict=False)] = ()
    solution: Annotated[tuple[SolutionCall, ...], Field(strict=False)] = ()
    difficulty: Difficulty | None = None
    split: Split = "train"
    clock: Annotated[str, AfterValidator(_iso_datetime)] = DEFAULT_CLOCK
    max_steps: int = Field(default=30, ge=1)
