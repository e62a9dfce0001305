"""Recorded episodes: what was done, what came back, and what the state was."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from envscaler_gym.bundle import explain_validation
from envscaler_gym.data import Data
from envscaler_gym.errors import BundleError
from envscaler_gym.types import JSON, Outcome

__all__ = ["Trajectory", "TrajectoryStep", "append_trajectory", "read_trajectories", "write_trajectories"]


class TrajectoryStep(Data):
    """One action and what came of it.

    Attributes:
        action: The action, as it was given to ``step()``.
        observation: What came back.
        outcome: What became of the action.
        reward: What the step earned.
        state: Digest of the state after the step; ``None`` where it could not be read.
    """

    action: JSON
    observation: str
    outcome: Outcome
    reward: float
    state: str | None


class Trajectory(Data):
    """One recorded episode: all that is needed to play it again, and what it came to.

    Attributes:
        format: Version of the format.
        environment: Id of the environment.
        bundle: Digest of the bundle.
        scenario: Id of the scenario.
        difficulty: The scenario's difficulty.
        split: The scenario's split.
        mode: ``"task"`` or ``"conversation"``.
        seed: Seed of the episode's world.
        policy: Who played; empty where nobody said.
        observation: The first observation.
        start: Digest of the state at the start.
        steps: The actions, in order.
        terminated: Whether the episode was terminated.
        truncated: Whether it was truncated.
        reward: Sum of the rewards.
        score: ``info["score"]`` of the last step; ``None`` where nothing was graded.
        failure: ``info["failure"]`` of the last step; ``None`` when all went well.
        messages: The conversation with the model, where a chat model played: system prompt, task, what the model said,
            results.
    """

    format: Literal[1] = 1
    environment: str
    bundle: str
    scenario: str
    difficulty: str | None
    split: str
    mode: Literal["task", "conversation"]
    seed: str
    policy: str = ""
    observation: str
    start: str
    steps: Annotated[tuple[TrajectoryStep, ...], Field(strict=False)]
    terminated: bool
    truncated: bool
    reward: float
    score: Mapping[str, JSON] | None = None
    failure: Mapping[str, str] | None = None
    messages: Annotated[tuple[Mapping[str, JSON], ...], Field(strict=False)] = ()

    @property
    def errors(self) -> int:
        """Number of actions that were errors of the agent."""
        wrong = ("malformed_action", "unknown_tool", "invalid_arguments")
        return sum(step.outcome in wrong for step in self.steps)


def append_trajectory(path: Path, trajectory: Trajectory) -> None:
    """Add a trajectory to a JSONL file, which is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(_line(trajectory))


def write_trajectories(path: Path, trajectories: Iterable[Trajectory]) -> int:
    """Write a JSONL file with one trajectory a line, and return their number. A file that is there is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        return sum(bool(file.write(_line(trajectory))) for trajectory in trajectories)


def read_trajectories(path: Path) -> Iterator[Trajectory]:
    """Read a JSONL file of trajectories, one after the other.

    Raises:
        BundleError: A line holds no trajectory; the message names file, line and field.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield Trajectory.model_validate_json(line)
            except ValidationError as error:
                raise BundleError(f"{path}:{number}: {explain_validation(error)}") from None


def _line(trajectory: Trajectory) -> str:
    # In ASCII: actions may hold halves of surrogate pairs, which no encoding of text can hold.
    return json.dumps(trajectory.model_dump(), separators=(",", ":")) + "\n"
