"""What a chain has to stand before it becomes a scenario: replays, left-out calls, and states that are nearly right.

The checks are the library's own work, written from data alone, so they run in this process for any bundle.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from envscaler_gym.ambient import Ambient
from envscaler_gym.checks import Check, run_checks
from envscaler_gym.scenario import SolutionCall
from envscaler_gym.state import copy_state
from envscaler_gym.synthesis.graph.changes import changes_between, record_of
from envscaler_gym.synthesis.graph.lab import Lab
from envscaler_gym.synthesis.graph.tables import Record, Tables, records_of
from envscaler_gym.synthesis.growth.look_ups import shows

__all__ = ["Play", "Rejected", "later", "passed_all", "play", "refute", "unshown"]

_LATER = datetime.timedelta(seconds=97)
_MUTANTS = 24


class Rejected(Exception):
    """A candidate that does not become a scenario; the message says why, and begins with the kind of reason."""


class Play(NamedTuple):
    """What calls came to.

    Attributes:
        replies: What each call returned.
        refused: The first call that was refused, if one was.
        final: The state after the last.
    """

    replies: tuple[str, ...]
    refused: SolutionCall | None
    final: Mapping[str, Any]


def play(lab: Lab, start: Mapping[str, Any], clock: str, seed: str, calls: Sequence[SolutionCall]) -> Play:
    """Make calls from a start state on, whether or not some are refused."""
    lab.load(start, clock, seed)
    replies, refused = [], None
    for call in calls:
        reply = lab.call(call.name, call.arguments)
        replies.append(reply.text)
        if not reply.success and refused is None:
            refused = call
    return Play(tuple(replies), refused, lab.state())


def later(clock: str) -> str:
    """Return a time of the same day at which the same calls do the same."""
    moment = datetime.datetime.fromisoformat(clock)
    moved = moment + _LATER if (moment + _LATER).date() == moment.date() else moment - _LATER
    return moved.isoformat()


def unshown(uses: Sequence[Sequence[Record]], replies: Sequence[str]) -> Record | None:
    """Return the first record whose key a call names before any result has shown it, if there is one."""
    for place, records in enumerate(uses):
        for record in records:
            if not any(shows(reply, record[1]) for reply in replies[:place]):
                return record
    return None


def passed_all(checks: Sequence[Check], start: Mapping[str, Any], final: Mapping[str, Any], clock: str) -> bool:
    """Return whether every check holds."""
    return all(result.passed for result in run_checks(checks, start, final, Ambient(clock, "grade")))


def refute(
    checks: Sequence[Check],
    guards: Sequence[Check],
    start: Mapping[str, Any],
    outcome: Play,
    clock: str,
    tables: Tables,
) -> None:
    """Try to show that checks and guards do not do what they are for.

    Raises:
        Rejected: One is wrong about the start state, the final state or a state that is nearly the final one.
    """
    ambient = Ambient(clock, "grade")
    for result in run_checks(checks, start, start, ambient):
        if result.passed or result.error:
            raise Rejected(f"check at the start: {result.text} {result.error or 'is true already'}")
    for result in run_checks([*checks, *guards], start, outcome.final, ambient):
        if not result.passed:
            raise Rejected(f"check at the end: {result.text} {result.error or 'is not true'}")
    if not passed_all(guards, start, start, clock):
        raise Rejected("guard at the start: not true")
    for path, mutant in _mutants(start, outcome.final, tables):
        results = run_checks(checks, start, mutant, ambient)
        if any(result.error for result in results):
            raise Rejected(f"check on a mutant: raised at {'.'.join(map(str, path))}")
        if all(result.passed for result in results):
            raise Rejected(f"mutant survives: {'.'.join(map(str, path))}")


def _mutants(
    start: Mapping[str, Any], final: Mapping[str, Any], tables: Tables
) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Yield states that lack one record or removal of the final state, or have it at a neighbour."""
    changes = [change for change in changes_between(start, final, tables) if len(change.path) == 2]
    for change in changes[:_MUTANTS]:
        table, key = record_of(change)
        mutant = copy_state(dict(final))
        if change.kind == "added":
            del mutant[table][key]
        elif change.kind == "removed":
            mutant[table][key] = copy_state(change.before)
        yield change.path, mutant
        neighbours = [other for other in records_of(start, table) if other in records_of(final, table)]
        if change.kind == "removed" and neighbours:
            del mutant[table][neighbours[0]]
            yield change.path, mutant
