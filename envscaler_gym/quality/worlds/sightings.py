"""What is wrong with single calls: evidence in, defects out, the shortest program of each kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from envscaler_gym.errors import shorten
from envscaler_gym.isolation.evidence import Evidence
from envscaler_gym.quality.defects import (
    Defect,
    InvariantViolated,
    OddResult,
    QueryChangedState,
    RefusalChangedState,
    StateOfOtherTypes,
    ToolRaised,
)
from envscaler_gym.quality.probing import Call
from envscaler_gym.quality.state_types import StateTypes
from envscaler_gym.quality.worlds.memory import Memory, patched
from envscaler_gym.quality.worlds.programs import Program, Start
from envscaler_gym.types import ToolKind

__all__ = ["CALL_GATES", "LIVE_ARGUMENT", "LIVE_RESULT", "Seen", "Sighting", "Sightings", "new_problems", "sight"]

CALL_GATES: tuple[str, ...] = (
    "never-raises",
    "result-shape",
    "refusal-keeps-state",
    "read-keeps-state",
    "no-aliasing",
    "state-is-json",
    "state-fits-types",
    "invariants-hold",
)
"""Gates that are decided call by call."""

LIVE_RESULT, LIVE_ARGUMENT = "a result holds a part of the state itself", "the state keeps an argument itself"

_MOST = 5  # kinds of one defect that are told apart for one tool
_BRACKETS = re.compile(r"\[[^\]]*\]")
_NOT_RETURNED = {
    "WorkerTimeout": "a tool does not return",
    "WorkerCrash": "a tool ends its process",
    "WorkerOutOfMemory": "a tool takes too much memory",
    "ReplyTooLarge": "a tool returns more than an observation may hold",
}


class Sighting(NamedTuple):
    """One defect that one call shows.

    Attributes:
        gate: Gate that does not pass.
        tool: Name of the tool.
        defect: Class of the defect.
        kind: What tells it from others of its class in the same tool.
        message: What was seen.
        field: Field of the evidence that shows it.
        shown_by: How a program shows it.
        lost: Whether the call ended the world.
    """

    gate: str
    tool: str
    defect: str
    kind: str
    message: str
    field: str
    shown_by: type[Defect]
    lost: bool = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What sightings of the same defect have in common."""
        return self.gate, self.tool, self.defect, self.kind


class Seen(NamedTuple):
    """A defect with the shortest program that has shown it, and how often it was seen."""

    sighting: Sighting
    program: Program
    times: int


class Sightings:
    """The defects that were seen so far."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, str, str], Seen] = {}
        self._kinds: Counter[tuple[str, str, str]] = Counter()

    def add(self, sighting: Sighting, start: Start, calls: Sequence[Call]) -> None:
        """Take in what the last of some calls showed. Only so many kinds of a defect are told apart."""
        known = self._seen.get(sighting.key)
        if known is None:
            self._kinds[sighting.key[:3]] += 1
            if self._kinds[sighting.key[:3]] <= _MOST:
                self._seen[sighting.key] = Seen(sighting, Program(start, tuple(calls)), 1)
        elif len(calls) < len(known.program.calls):
            self._seen[sighting.key] = Seen(sighting, Program(start, tuple(calls)), known.times + 1)
        else:
            self._seen[sighting.key] = known._replace(times=known.times + 1)

    def of(self, gate: str) -> list[Seen]:
        """Return what a gate has seen, in the order of the tools' names."""
        return sorted((seen for key, seen in self._seen.items() if key[0] == gate), key=lambda seen: seen.sighting.key)


def sight(tool: str, kind: ToolKind, seen: Evidence, problems: Iterable[str]) -> Iterator[Sighting]:
    """Yield the defects that one call shows.

    Args:
        tool: Name of the tool.
        kind: What its bundle says that it does.
        seen: Evidence of the call.
        problems: Where the records that it changed do not fit their types, and did before.
    """
    if seen.raised:
        error = seen.raised.partition(":")[0]
        line = seen.raised.rpartition(" (line ")[2] if seen.raised.endswith(")") else ""
        defect = _NOT_RETURNED.get(error, "a tool raises")
        yield Sighting("never-raises", tool, defect, f"{error} {line}", seen.raised, "raised", ToolRaised, seen.lost)
    elif seen.shape:
        kind_of_shape = _pattern(seen.shape)[:60]
        yield Sighting("result-shape", tool, "an odd result", kind_of_shape, seen.shape, "shape", OddResult)
    if seen.changed and seen.success is False:
        message = f"changed {_places(seen)} and answered {shorten(seen.text, 200)}"
        defect = "a refusal changes the state"
        yield Sighting("refusal-keeps-state", tool, defect, "", message, "changed", RefusalChangedState)
    if seen.changed and kind == "query":
        message = f"is declared a query and changed {_places(seen)}"
        yield Sighting("read-keeps-state", tool, "a query changes the state", "", message, "changed", QueryChangedState)
    if seen.aliases:
        yield Sighting("no-aliasing", tool, LIVE_RESULT, "", "; ".join(seen.aliases[:2]), "aliases", Defect)
    if seen.kept:
        yield Sighting("no-aliasing", tool, LIVE_ARGUMENT, "", "; ".join(seen.kept[:2]), "kept", Defect)
    if seen.not_json:
        message, defect = "; ".join(seen.not_json[:2]), "the state holds what is not JSON"
        yield Sighting("state-is-json", tool, defect, "", message, "not_json", StateOfOtherTypes)
    for problem in problems:
        field = _pattern(_place(problem))
        yield Sighting(
            "state-fits-types", tool, "a record does not fit its type", field, problem, "patch", StateOfOtherTypes
        )
    for rule, lines in seen.violations.items():
        message = f"{rule}: {'; '.join(lines)}"
        yield Sighting(
            "invariants-hold", tool, "a call breaks an invariant", rule, message, "violations", InvariantViolated
        )


def new_problems(types: StateTypes, memory: Memory, seen: Evidence) -> list[str]:
    """Take what a call changed into memory, and return where its records do not fit their types and did before.

    Args:
        types: The declared types.
        memory: What is known of the episode.
        seen: Evidence of the call.
    """
    found = []
    for attribute, key, old, new in memory.change(seen.patch):
        problems = types.problems({attribute: new if key is None else {key: new}})
        if problems and old is not None:
            known = {_place(line) for line in types.problems({attribute: old if key is None else {key: old}})}
            problems = [line for line in problems if _place(line) not in known]
        found += problems
    return found


def _place(problem: str) -> str:
    return problem.partition(": ")[0]


def _pattern(text: str) -> str:
    """Return a text without what stands in brackets, which differs from call to call."""
    return _BRACKETS.sub("[]", text)


def _places(seen: Evidence) -> str:
    places = [f"{entry[0]}[{entry[1]!r}]" if entry[1] is not None else entry[0] for entry in patched(seen.patch)]
    return ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
