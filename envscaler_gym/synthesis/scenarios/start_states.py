"""Start states: written by a model, put through every rule, and mended where they do not hold up."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from envscaler_gym.bundle import Bundle
from envscaler_gym.data import Data
from envscaler_gym.errors import UnusableAnswer
from envscaler_gym.quality.probing import make_prober
from envscaler_gym.scenario import StartState
from envscaler_gym.state import copy_state
from envscaler_gym.synthesis.scenarios.artefacts import WrittenState
from envscaler_gym.synthesis.scenarios.context import entities_text, rules_text, state_text, types_text
from envscaler_gym.synthesis.scenarios.state_problems import state_problems
from envscaler_gym.synthesis.workshop import Desk
from envscaler_gym.types import JSON

__all__ = ["SETTINGS", "StateChanges", "StateDraft", "changed", "write_start_state"]

SETTINGS = (
    "an ordinary week in a mid-sized place in Ireland; everything runs, and much of it is half done",
    "the busiest day of the year in a Japanese city; full, late, and close to several limits",
    "the week after a mishap, in Brazil; cancelled, damaged, disputed and put right again",
    "a small place in Kenya that opened three months ago; few records, closely tied to each other",
    "a quarter's end in Canada; accounts to be settled, things that expire, old records beside new ones",
    "a family business in Italy with regular customers of many years, namesakes among them",
    "a place in India that two others were merged into; overlapping records of different age",
    "a quiet season in Norway; stock-taking, plans for later, a few open questions from before",
)
"""What start states are about, one after the other, so that no two of an environment are alike."""

_RECORDS_PER_ENTITY = (3, 7)  # least, and about right


def _plain_time(value: str) -> str:
    if datetime.datetime.fromisoformat(value).tzinfo is not None:
        raise ValueError("must be without an offset, such as 2025-03-10T09:30:00")
    return value


class StateDraft(Data):
    """A start state, as a model answers.

    Attributes:
        id: Lower-case words joined by hyphens.
        clock: The moment at which the state is set, ISO 8601, UTC, without an offset.
        state: Value of each attribute of the class.
    """

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)
    clock: Annotated[str, AfterValidator(_plain_time)]
    state: Mapping[str, JSON]


class StateChange(Data):
    """A value that is to stand at a place.

    Attributes:
        path: Keys from the top; an index of a list is a text of digits.
        value: The value.
    """

    path: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    value: JSON


class StateChanges(Data):
    """What puts a state right, as a model answers.

    Attributes:
        set: Values that are to stand at their places.
        remove: Paths of what is taken out, afterwards.
    """

    set: Annotated[tuple[StateChange, ...], Field(strict=False)]
    remove: Annotated[tuple[Annotated[tuple[str, ...], Field(strict=False, min_length=1)], ...], Field(strict=False)]


async def write_start_state(desk: Desk, bundle: Bundle, number: int) -> WrittenState:
    """Have a start state written.

    Args:
        desk: Where the model is asked.
        bundle: The environment, without scenarios.
        number: Number of the state, from 0, which decides what it is about.

    Raises:
        RunStopped: The model cannot be asked now.
        IsolationUnavailable: The code is to run in a worker, and this machine cannot lock one down.
    """
    least, typical = (count * max(len(bundle.manifest.entities), 2) for count in _RECORDS_PER_ENTITY)
    shown: dict[str, Any] = {"types": types_text(bundle), "invariants": bundle.invariants_source or "# none"}
    try:
        draft = await desk.ask(
            "start_state",
            StateDraft,
            introduction=bundle.manifest.introduction,
            entities=entities_text(bundle),
            rules=rules_text(bundle),
            setting=SETTINGS[number % len(SETTINGS)],
            least=str(least),
            typical=str(typical),
            attempt=number // len(SETTINGS),
            **shown,
        )
        state = copy_state(dict(draft.state))
        for mended in range(desk.settings.mendings + 1):
            problems = await desk.compute(_problems, bundle, state, draft.clock, least)
            if not problems:
                return WrittenState(start=StartState(id=draft.id, state=state), clock=draft.clock, mended=mended)
            if mended < desk.settings.mendings:
                state = await _mend(desk, state, problems, shown)
    except UnusableAnswer as error:
        return WrittenState(start=None, clock="", reason=str(error))
    return WrittenState(start=None, clock=draft.clock, mended=mended, reason=f"{draft.id}: {'; '.join(problems)}")


async def _mend(desk: Desk, state: dict[str, Any], problems: Sequence[str], shown: Mapping[str, Any]) -> dict[str, Any]:
    def accept(changes: StateChanges) -> str:
        try:
            changed(state, changes)
        except ValueError as error:
            return str(error)
        return ""

    changes = await desk.ask(
        "start_state_repair",
        StateChanges,
        accept=accept,
        state=state_text(state),
        problems="\n".join(f"* {problem}" for problem in problems),
        **shown,
    )
    return changed(state, changes)


def changed(state: Mapping[str, Any], changes: StateChanges) -> dict[str, Any]:
    """Return a copy of a state with changes made.

    Raises:
        ValueError: A path leads nowhere.
    """
    result: dict[str, Any] = copy_state(dict(state))
    for change in changes.set:
        holder, key = _place(result, change.path)
        if isinstance(holder, list) and key == len(holder):
            holder.append(change.value)
        else:
            holder[key] = copy_state(change.value)
    for path in changes.remove:
        holder, key = _place(result, path)
        if key not in (range(len(holder)) if isinstance(holder, list) else holder):
            raise ValueError(f"there is nothing to remove at {list(path)}")
        del holder[key]
    return result


def _place(state: Any, path: Sequence[str]) -> tuple[Any, Any]:
    """Return what holds the last part of a path, and that part as a key or index of it."""
    holder: Any = state
    for depth, part in enumerate(path):
        if isinstance(holder, list) and part.isdecimal() and int(part) <= len(holder):
            key: Any = int(part)
        elif isinstance(holder, dict):
            key = part
        else:
            raise ValueError(f"the path {list(path)} leads nowhere from {list(path[:depth])}")
        if depth == len(path) - 1:
            return holder, key
        try:
            holder = holder[key]
        except LookupError:
            raise ValueError(
                f"the path {list(path)} leads nowhere: nothing stands at {list(path[: depth + 1])}"
            ) from None
    raise ValueError("a path has at least one part")


def _problems(bundle: Bundle, state: Mapping[str, Any], clock: str, least: int) -> list[str]:
    with make_prober(bundle) as prober:
        return state_problems(bundle, prober, state, clock, least)
