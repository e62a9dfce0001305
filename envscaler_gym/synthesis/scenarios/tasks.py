"""Tasks: written by a model that sees the start state, for a solver that does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from envscaler_gym.bundle import Bundle
from envscaler_gym.data import Data
from envscaler_gym.errors import UnusableAnswer
from envscaler_gym.scenario import Difficulty
from envscaler_gym.synthesis.diversity import similarity_matrix
from envscaler_gym.synthesis.scenarios.artefacts import Rejection, SettledState, Task, TaskList
from envscaler_gym.synthesis.scenarios.context import rules_text, state_text, tools_text, types_text
from envscaler_gym.synthesis.workshop import Desk

__all__ = ["SAME", "TaskDrafts", "internal_ids", "task_problems", "write_tasks"]

SAME = 0.85
"""Similarity from which on two tasks of one environment count as the same."""

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_INTERNAL = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w:.-]{3,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBER = re.compile(r"(?<![\w-])\d+(?:[.,:/-]\d+)*(?!\w|-[A-Z]\b)")
_LENGTHS = (30, 3000)  # characters


class TaskDrafts(Data):
    """Tasks, as a model answers.

    Attributes:
        tasks: The tasks, in the order in which they were asked for.
    """

    tasks: Annotated[tuple[Task, ...], Field(strict=False)]


async def write_tasks(
    desk: Desk, bundle: Bundle, settled: SettledState, difficulties: Sequence[Difficulty]
) -> TaskList:
    """Have tasks written, and mended where something is wrong with them.

    Args:
        desk: Where the model is asked.
        bundle: The environment, with the scenarios that it has already.
        settled: The start state.
        difficulties: How hard each task is to be.

    Raises:
        RunStopped: The model cannot be asked now.
    """
    known = [scenario.task for scenario in bundle.scenarios.values() if scenario.start_state == settled.start.id]
    shown: dict[str, Any] = {
        "introduction": bundle.manifest.introduction,
        "tools": tools_text(bundle),
        "clock": settled.clock,
        "state": state_text(settled.start.state),
    }
    try:
        drafts = await desk.ask(
            "tasks",
            TaskDrafts,
            accept=partial(_count_problem, wanted=len(difficulties)),
            rules=rules_text(bundle),
            types=types_text(bundle),
            count=str(len(difficulties)),
            difficulties=", ".join(difficulties),
            avoid="".join(f"There is already: {text}\n" for text in known),
            **shown,
        )
    except UnusableAnswer as error:
        return TaskList(tasks=(), rejected=(Rejection(kind="task", subject=settled.start.id, reason=str(error)),))
    return await _mended(desk, bundle, settled, list(drafts.tasks), known, shown)


async def _mended(
    desk: Desk,
    bundle: Bundle,
    settled: SettledState,
    tasks: list[Task],
    known: Sequence[str],
    shown: Mapping[str, Any],
) -> TaskList:
    """Send back the tasks that something is wrong with, and return those that nothing is wrong with in the end."""
    for mended in range(desk.settings.mendings + 1):
        problems = await desk.compute(_problems, bundle, settled, tasks, known)
        if not problems or mended == desk.settings.mendings:
            break
        try:
            again = await desk.ask(
                "tasks_repair",
                TaskDrafts,
                accept=partial(_count_problem, wanted=len(problems)),
                tasks=[tasks[index] for index in problems],
                problems={tasks[index].id: found for index, found in problems.items()},
                **shown,
            )
        except UnusableAnswer:
            break
        for index, task in zip(problems, again.tasks, strict=True):
            tasks[index] = task
    return TaskList(
        tasks=tuple(task for index, task in enumerate(tasks) if index not in problems),
        rejected=tuple(
            Rejection(kind="task", subject=tasks[index].id, reason="; ".join(found))
            for index, found in problems.items()
        ),
    )


def _count_problem(given: TaskDrafts, wanted: int) -> str:
    return "" if len(given.tasks) == wanted else f"{wanted} tasks were asked for, {len(given.tasks)} came."


def _problems(
    bundle: Bundle, settled: SettledState, tasks: Sequence[Task], known: Sequence[str]
) -> dict[int, list[str]]:
    """Return what is wrong with each task, by its place; tasks that nothing is wrong with are left out."""
    texts = [*known, *(task.task for task in tasks)]
    alike = similarity_matrix(texts)
    found: dict[int, list[str]] = {}
    for index, task in enumerate(tasks):
        place = len(known) + index
        twin = next((other for other in range(place) if alike[place][other] >= SAME), None)
        problems = [
            *task_problems(bundle, settled.start.state, task),
            *([f"says nearly the same as: {texts[twin]}"] if twin is not None else []),
            *(["another task has the same id"] if task.id in {other.id for other in tasks[:index]} else []),
        ]
        if problems:
            found[index] = problems
    return found


def task_problems(bundle: Bundle, state: Mapping[str, Any], task: Task) -> list[str]:
    """List what is wrong with a task that can be seen without trying it; nothing where it can be tried."""
    return list(_task_problems(bundle, state, task))


def _task_problems(bundle: Bundle, state: Mapping[str, Any], task: Task) -> Iterator[str]:
    if not _SLUG.fullmatch(task.id):
        yield f"the id {task.id!r} must be lower-case words joined by hyphens"
    if not _LENGTHS[0] <= len(task.task) <= _LENGTHS[1]:
        yield f"the task has {len(task.task)} characters; {_LENGTHS[0]} to {_LENGTHS[1]} are allowed"
    said = " ".join([task.task, *task.requests, *task.facts.values()])
    ids = internal_ids(state)
    for key in sorted(ids - set(task.known_ids)):
        if _holds(said, key):
            yield f"names the record {key!r} by its id, which nobody knows; say what a person knows of it"
    for key in task.known_ids:
        if not _holds(task.task, key):
            yield f"known_ids lists {key!r}, which does not stand in the task"
    for name in bundle.tools:
        if "_" in name and _holds(said, name):
            yield f"names the tool {name!r}; say what is wanted, not how it is done"
    together = " ".join(task.requests)
    missing = [number for number in dict.fromkeys(_NUMBER.findall(task.task)) if not _holds(together, number)]
    if task.requests and missing:
        yield f"requests leave out {', '.join(missing)}, which the task says"


def internal_ids(state: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys of records that look made by a program: letters with digits, or UUIDs."""
    return frozenset(
        key
        for table in state.values()
        if isinstance(table, Mapping)
        for key, record in table.items()
        if isinstance(record, Mapping) and _INTERNAL.fullmatch(key)
    )


def _holds(text: str, part: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(part)}(?![\w-])", text) is not None
