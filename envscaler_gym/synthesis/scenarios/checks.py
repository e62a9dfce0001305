"""Checks: a checklist and a function for each of its questions, written without knowing a solution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import Check
from envscaler_gym.data import Data
from envscaler_gym.errors import EnvironmentFailure, UnusableAnswer, shorten
from envscaler_gym.synthesis.scenarios.artefacts import DraftedChecks, SettledState, Task
from envscaler_gym.synthesis.scenarios.check_sources import source_problems
from envscaler_gym.synthesis.scenarios.context import leeway_text, rules_text, state_text
from envscaler_gym.synthesis.scenarios.replaying import replay
from envscaler_gym.synthesis.scenarios.written import scenario_of
from envscaler_gym.synthesis.workshop import Desk

__all__ = ["CheckDrafts", "check_problems", "write_checks"]

_MOST = 20


class CheckDrafts(Data):
    """Checks, as a model answers.

    Attributes:
        checklist: The questions.
        checks: The same questions with their functions.
    """

    checklist: Annotated[tuple[str, ...], Field(strict=False, min_length=1, max_length=_MOST)]
    checks: Annotated[tuple[Check, ...], Field(strict=False, min_length=1, max_length=_MOST)]


async def write_checks(
    desk: Desk, bundle: Bundle, settled: SettledState, task: Task, leeway: str = ""
) -> DraftedChecks:
    """Have the checks of a task written.

    Args:
        desk: Where the model is asked.
        bundle: The environment.
        settled: The start state.
        task: The task.
        leeway: Which fields are not compared literally, in words.

    Raises:
        RunStopped: The model cannot be asked now.
    """

    async def accept(given: CheckDrafts) -> str:
        if list(given.checklist) != [check.text for check in given.checks]:
            return "checks must have the questions of the checklist, word for word and in the same order"
        return "\n".join(await desk.compute(check_problems, bundle, settled, task, given.checks))

    try:
        drafts = await desk.ask(
            "checks",
            CheckDrafts,
            accept=accept,
            introduction=bundle.manifest.introduction,
            rules=rules_text(bundle),
            source=bundle.source,
            clock=settled.clock,
            state=state_text(settled.start.state),
            task=task.task,
            leeway=leeway or leeway_text({}),
        )
    except UnusableAnswer as error:
        return DraftedChecks(checks=(), reason=str(error))
    return DraftedChecks(checks=drafts.checks)


def check_problems(bundle: Bundle, settled: SettledState, task: Task, checks: Sequence[Check]) -> list[str]:
    """List what is wrong with checks before anything is done: their sources, and what they say of the start state."""
    found = [f"{check.text} {problem}" for check in checks for problem in source_problems(check.source)]
    if found:
        return found
    texts = [check.text for check in checks]
    found = [f"the question stands twice: {text}" for text in dict.fromkeys(texts) if texts.count(text) > 1]
    return found or list(_at_start(bundle, settled, task, checks))


def _at_start(bundle: Bundle, settled: SettledState, task: Task, checks: Sequence[Check]) -> Iterator[str]:
    try:
        score = replay(bundle, settled.start, scenario_of(settled, task, checks), ()).score
    except EnvironmentFailure as error:
        yield f"the checks could not be run on the start state: {error}"
        return
    for result in score.checks if score is not None else ():
        if result.error is not None:
            yield f"{result.text} It raises on the start state: {shorten(result.error, 300)}"
        elif result.passed:
            yield f"{result.text} It is already true at the start, so it proves nothing."
