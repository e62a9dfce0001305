"""What the stages that make scenarios hand on to each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from envscaler_gym.checks import Check
from envscaler_gym.data import Data
from envscaler_gym.manifest import ToolDependencies
from envscaler_gym.scenario import Difficulty, Scenario, SolutionCall, Split, StartState
from envscaler_gym.synthesis.artefacts import Artefact

__all__ = [
    "DraftedChecks",
    "GeneratedScenarios",
    "GrownScenarios",
    "ProvenScenario",
    "Rejection",
    "SettledState",
    "SolvedTask",
    "Task",
    "TaskList",
    "WrittenState",
]


class Rejection(Data):
    """Something that was made and is not shipped.

    Attributes:
        kind: What it is; ``"scenario"`` where it was finished, and the last gates found something in it.
        subject: Its id.
        reason: Why it is not shipped, in words.
    """

    kind: Literal["start state", "task", "grown scenario", "scenario"]
    subject: str
    reason: str


class WrittenState(Data):
    """A start state as a model wrote it.

    Attributes:
        start: The state; ``None`` where none held up.
        clock: Time at which it is set, ISO 8601, UTC.
        mended: How often it was sent back.
        reason: Why there is none; empty where there is one.
    """

    start: StartState | None
    clock: str
    mended: int = 0
    reason: str = ""


class SettledState(NamedTuple):
    """A start state with what its scenarios share.

    Attributes:
        start: The state.
        clock: Time at which it is set, ISO 8601, UTC.
        split: Split of its scenarios.
        made_by: Digest of the artefact that it comes from, or of the bundle.
    """

    start: StartState
    clock: str
    split: Split
    made_by: str


class Task(Data):
    """What somebody asks for, before anything is known of how it is done.

    Attributes:
        id: Lower-case words joined by hyphens.
        persona: Who asks.
        difficulty: How hard it is meant to be.
        task: The whole request.
        requests: The same in the turns of a conversation.
        facts: What the person could tell if asked back, by keyword.
        known_ids: Ids of records that the person has in hand.
    """

    id: str
    persona: str
    difficulty: Difficulty
    task: str
    requests: Annotated[tuple[str, ...], Field(strict=False)]
    facts: Mapping[str, str]
    known_ids: Annotated[tuple[str, ...], Field(strict=False)]


class TaskList(Data):
    """The tasks of one start state.

    Attributes:
        tasks: Those that can be tried.
        rejected: The others.
    """

    tasks: Annotated[tuple[Task, ...], Field(strict=False)]
    rejected: Annotated[tuple[Rejection, ...], Field(strict=False)] = ()


class DraftedChecks(Data):
    """The checks of a task, written without knowing a solution.

    Attributes:
        checks: The checks; none where they could not be had.
        reason: Why there are none.
    """

    checks: Annotated[tuple[Check, ...], Field(strict=False)]
    reason: str = ""


class SolvedTask(Data):
    """What became of the tries to solve a task.

    Attributes:
        solution: Calls that pass every check; none where no try did.
        tries: How many tries it took.
        reason: Why there is none.
    """

    solution: Annotated[tuple[SolutionCall, ...], Field(strict=False)]
    tries: int
    reason: str = ""


class ProvenScenario(Data):
    """A scenario that has passed its gates, or why it has not.

    Attributes:
        scenario: The scenario; ``None`` where it did not pass.
        mended: How often its checks were sent back.
        reason: Why there is none.
    """

    scenario: Scenario | None
    mended: int = 0
    reason: str = ""


class GrownScenarios(Data):
    """Scenarios grown from the tool graph.

    Attributes:
        graph: How the tools depend on each other.
        start_states: Start states of the scenarios.
        scenarios: The scenarios.
        facts: Texts that any wording of a scenario's task has to hold, by scenario.
        rejected: Candidates that were not taken.
    """

    graph: ToolDependencies
    start_states: Annotated[tuple[StartState, ...], Field(strict=False)]
    scenarios: Annotated[tuple[Scenario, ...], Field(strict=False)]
    facts: Mapping[str, Annotated[tuple[str, ...], Field(strict=False)]] = {}
    rejected: Annotated[tuple[Rejection, ...], Field(strict=False)] = ()


class GeneratedScenarios(NamedTuple):
    """All scenarios of an environment, new ones and those that it had.

    Attributes:
        start_states: Start states that they use, by id.
        scenarios: Scenarios by id.
        graph: How the tools depend on each other; ``None`` where nothing could be learnt.
        rejected: What was made and is not shipped.
        artefacts: What the stages made on the way.
    """

    start_states: Mapping[str, StartState]
    scenarios: Mapping[str, Scenario]
    graph: ToolDependencies | None
    rejected: tuple[Rejection, ...]
    artefacts: tuple[Artefact, ...]
