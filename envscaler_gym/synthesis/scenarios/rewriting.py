"""The requests of grown scenarios, said again by a model as a person would, with every value still in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from envscaler_gym.bundle import Bundle
from envscaler_gym.data import Data
from envscaler_gym.errors import UnusableAnswer
from envscaler_gym.scenario import Scenario, StartState
from envscaler_gym.synthesis.scenarios.tasks import internal_ids
from envscaler_gym.synthesis.scenarios.values import scalars, stands_in
from envscaler_gym.synthesis.workshop import Desk

__all__ = ["PERSONAS", "Rewording", "reworded", "rewording_problems", "values_said"]

PERSONAS = (
    "a colleague at the next desk, friendly and brief",
    "a customer who writes in full sentences and is a little formal",
    "somebody in a hurry, on the phone",
    "a manager who works through a list",
    "a regular who tells a bit too much",
    "somebody who does this for the first time and is polite about it",
)
"""Who makes the requests, one after the other."""

_NUMBER = re.compile(r"(?<![\w-])\d+(?:[.,:/-]\d+)*(?!\w|-[A-Z]\b)")
_DATE_WORD = re.compile(
    r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)\b"
)
_QUOTED = re.compile(r'"([^"]+)"')
_MARKER = re.compile(r"^\d+\. ", re.MULTILINE)
_SHORT = 3  # characters below which a value may stand anywhere by chance
_LONGEST = 3  # times the length of what it replaces


class Rewording(Data):
    """A request said again, as a model answers.

    Attributes:
        task: The whole request.
        requests: The same in the turns of a conversation.
        objection: Why nobody would ask for this; empty where somebody could.
    """

    task: str = Field(min_length=1)
    requests: Annotated[tuple[str, ...], Field(strict=False)]
    objection: str = ""


async def reworded(
    desk: Desk, bundle: Bundle, start: StartState, scenario: Scenario, facts: Sequence[str], number: int
) -> Rewording:
    """Have a scenario's requests said again, or objected to; they stay as they are where no answer keeps every value.

    Args:
        desk: Where the model is asked.
        bundle: The environment.
        start: The scenario's start state.
        scenario: The scenario.
        facts: Texts that any wording of it has to hold.
        number: Number of the scenario, which decides who asks.

    Raises:
        RunStopped: The model cannot be asked now.
    """
    values = values_said(start, scenario, facts)
    try:
        return await desk.ask(
            "rewriting",
            Rewording,
            accept=lambda given: "\n".join(rewording_problems(start, scenario, values, given)),
            introduction=bundle.manifest.introduction,
            persona=PERSONAS[number % len(PERSONAS)],
            task=scenario.task,
            requests=list(scenario.requests or (scenario.task,)),
            values=list(values),
        )
    except UnusableAnswer:
        return Rewording(task=scenario.task, requests=scenario.requests)


def values_said(start: StartState, scenario: Scenario, facts: Sequence[str] = ()) -> tuple[str, ...]:
    """Return what must still stand in a task after it was said again.

    These are its numbers and the words of dates, and what it says of the solution's arguments and of the start state's
    texts, besides the facts that are given. Of a fact that names a record, such as ``the loan for the tool "tile saw"
    (status open)``, only what is quoted: the rest may be said otherwise. The numbers of a list's lines say nothing, and
    what is part of something longer is left out.
    """
    task = _MARKER.sub("", scenario.task)
    known = {value for call in scenario.solution for value in scalars(call.arguments)}
    known |= {value for value in scalars(start.state) if isinstance(value, str)}
    said = {str(value) for value in known if len(str(value)) >= _SHORT and stands_in(value, task)}
    said |= {part for fact in facts for part in _QUOTED.findall(fact) or [fact] if not part.startswith("the ")}
    said |= {*_NUMBER.findall(task), *_DATE_WORD.findall(task)}
    longest: list[str] = []
    for value in sorted(said, key=lambda value: (-len(value), value)):
        if not any(stands_in(value, longer) for longer in longest):
            longest.append(value)
    return tuple(sorted(longest))


def rewording_problems(start: StartState, scenario: Scenario, values: Sequence[str], given: Rewording) -> list[str]:
    """List what is wrong with a request that was said again; nothing where it can be used.

    Args:
        start: The scenario's start state.
        scenario: The scenario as it was.
        values: What must still stand in it.
        given: What it was made into.
    """
    if given.objection.strip():
        return []
    problems = []
    together = " ".join(given.requests)
    for what, text in (("task", given.task), ("requests", together)):
        missing = [value for value in values if not stands_in(value, text)]
        if missing:
            problems.append(f"{what}: lost {', '.join(map(repr, missing))}")
    if len(given.requests) != len(scenario.requests or (scenario.task,)):
        problems.append(
            f"requests: there were {len(scenario.requests or (scenario.task,))} parts, now {len(given.requests)}"
        )
    before = " ".join([scenario.task, *scenario.requests])
    revealed = sorted(
        key
        for key in internal_ids(start.state)
        if stands_in(key, f"{given.task} {together}") and not stands_in(key, before)
    )
    if revealed:
        problems.append(f"names {', '.join(revealed)}, which the request did not")
    added = [number for number in _NUMBER.findall(given.task) if not stands_in(number, scenario.task)]
    if added:
        problems.append(f"task: adds {', '.join(added)}, which the request did not say")
    if len(given.task) > _LONGEST * len(scenario.task):
        problems.append(f"task: is more than {_LONGEST} times as long as before")
    return problems
