"""The solver: an agent that tries a task in the real world, and whose success becomes the reference solution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import Check
from envscaler_gym.data import Data
from envscaler_gym.errors import EnvironmentFailure, UnusableAnswer, shorten
from envscaler_gym.llm.model import ChatMessage, CompletionRequest
from envscaler_gym.llm.structured import complete_as
from envscaler_gym.scenario import Scenario, SolutionCall
from envscaler_gym.synthesis.scenarios.artefacts import SettledState, SolvedTask, Task
from envscaler_gym.synthesis.scenarios.context import tools_text
from envscaler_gym.synthesis.scenarios.replaying import Replay, replay
from envscaler_gym.synthesis.scenarios.solutions import needed_calls, successful_calls
from envscaler_gym.synthesis.scenarios.written import scenario_of
from envscaler_gym.synthesis.workshop import Desk

__all__ = ["SolverTurn", "solve"]

_LONGEST = 6000  # characters of a result that the solver is shown
_MOST_CALLS = 150  # in one try


class SolverTurn(Data):
    """What the solver does next, as a model answers.

    Attributes:
        thought: What it knows and what comes next.
        calls: Calls to make now, one after the other.
        done: Whether everything that was asked for is done.
    """

    thought: str = ""
    calls: Annotated[tuple[SolutionCall, ...], Field(strict=False)] = ()
    done: bool = False


async def solve(desk: Desk, bundle: Bundle, settled: SettledState, task: Task, checks: Sequence[Check]) -> SolvedTask:
    """Try a task until every check passes, at most as often as the settings say.

    Args:
        desk: Where the model is asked.
        bundle: The environment.
        settled: The start state.
        task: The task.
        checks: Its checks, which the solver does not see.

    Raises:
        RunStopped: The model cannot be asked now.
    """
    scenario = scenario_of(settled, task, checks)
    reasons = []
    for attempt in range(desk.settings.solver_tries):
        try:
            calls = await _try(desk, bundle, settled, scenario, attempt)
            reached = await desk.compute(replay, bundle, settled.start, scenario, calls)
            if reached.solved:
                solution = await desk.compute(_cleaned, bundle, settled, scenario, calls, reached)
                if solution:
                    return SolvedTask(solution=solution, tries=attempt + 1)
                reasons.append("passes only because of calls that were refused")
            else:
                reasons.append(_missed(reached))
        except UnusableAnswer as error:
            reasons.append(str(error))
        except EnvironmentFailure as error:
            reasons.append(f"the environment failed: {error}")
    return SolvedTask(
        solution=(),
        tries=len(reasons),
        reason="; ".join(f"try {number}: {reason}" for number, reason in enumerate(reasons, 1)),
    )


async def _try(
    desk: Desk, bundle: Bundle, settled: SettledState, scenario: Scenario, attempt: int
) -> tuple[SolutionCall, ...]:
    request = desk.request(
        "solver",
        attempt=attempt,
        introduction=bundle.manifest.introduction,
        tools=tools_text(bundle, arguments=True),
        clock=scenario.clock,
        task=scenario.task,
    )
    calls: tuple[SolutionCall, ...] = ()
    for _ in range(desk.settings.solver_turns):
        turn = await complete_as(desk.model, request, SolverTurn)
        calls += turn.calls
        if turn.done or not turn.calls or len(calls) > _MOST_CALLS:
            break
        reached = await desk.compute(replay, bundle, settled.start, scenario, calls)
        request = _continued(request, turn, reached)
    return calls[:_MOST_CALLS]


def _continued(request: CompletionRequest, turn: SolverTurn, reached: Replay) -> CompletionRequest:
    """Return the request for the next turn: the conversation so far with the results of this one."""
    results = [
        f"{number}. {call.name}: {_cut(result.observation)}"
        for number, (call, result) in enumerate(zip(turn.calls, reached.turns[-len(turn.calls) :], strict=True), 1)
    ]
    said = ChatMessage(role="assistant", content=turn.model_dump_json())
    shown = ChatMessage(role="user", content="Results:\n\n" + "\n".join(results))
    return request.model_copy(update={"messages": (*request.messages, said, shown)})


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters in all)"


def _cleaned(
    bundle: Bundle, settled: SettledState, scenario: Scenario, calls: Sequence[SolutionCall], reached: Replay
) -> tuple[SolutionCall, ...]:
    """Return the shortest of what was done that still solves the task; nothing where only all of it does."""
    succeeded, turns = successful_calls(calls, reached.turns)
    needed = needed_calls(bundle.tools, scenario.task, succeeded, turns)
    for candidate in (needed, succeeded):
        again = replay(bundle, settled.start, scenario, candidate)
        if again.solved and all(turn.outcome == "success" for turn in again.turns):
            return candidate
    return ()


def _missed(reached: Replay) -> str:
    results = reached.score.checks if reached.score is not None else ()
    failed = [
        result.text + (f" (raised {shorten(result.error, 200)})" if result.error else "")
        for result in results
        if not result.passed
    ]
    return f"{len(results) - len(failed)} of {len(results)} checks passed; not: {' '.join(failed)}"
