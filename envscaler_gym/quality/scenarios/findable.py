"""Whether an agent can come by the ids that a reference solution uses, without guessing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from envscaler_gym.quality.scenarios.edits import texts
from envscaler_gym.quality.scenarios.records import tables
from envscaler_gym.quality.scenarios.rehearsal import Play, Rehearsal
from envscaler_gym.sampling import ValuePool
from envscaler_gym.scenario import Scenario
from envscaler_gym.types import JSON, ToolSpec

__all__ = ["hidden_ids"]

_DEPTH = 3  # rounds of calls, each with what the ones before have shown
_CALLS = 400  # made in all, for one scenario
_PER_TOOL = 40  # made of one tool in a round
_WORD = re.compile(r"[\w.@+'-]+")


def hidden_ids(rehearsal: Rehearsal, scenario: Scenario, play: Play) -> list[tuple[int, str]]:
    """List the ids that a solution uses and that an agent has no way to know.

    An id is a text that is the key of a record when the call is made. It is known when it stands in the task, in
    what the tools' schemas allow, or in a result of an earlier call; else tools that only read are called, with the
    words of the task and of the results, for as long as they show something new.

    Args:
        rehearsal: The bundle.
        scenario: The scenario.
        play: Its reference solution, played.

    Returns:
        Number of the call from 0, and id.

    Raises:
        EnvironmentFailure: The environment failed.
    """
    said = "\n".join((scenario.task, *scenario.requests, *_allowed(rehearsal)))
    missing = []
    for number, step in enumerate(play.steps):
        keys = {key for table in tables(play.before(number)).values() for key in table}
        used = dict.fromkeys(text for text in texts(dict(step.call.arguments)) if text in keys)
        missing += [(number, key) for key in used if not _stands_in(key, said)]
        said += "\n" + step.result.text
    if not missing:
        return []
    shown = _look_around(rehearsal, scenario, {key for _, key in missing})
    return [(number, key) for number, key in missing if not _stands_in(key, shown)]


def _stands_in(word: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text, re.IGNORECASE) is not None


def _allowed(rehearsal: Rehearsal) -> Iterator[str]:
    """Yield the values that the tools' schemas list."""
    for spec in rehearsal.bundle.tools.specs:
        yield from _listed(dict(spec.parameters))


def _listed(schema: JSON) -> Iterator[str]:
    if isinstance(schema, Mapping):
        yield from map(str, schema.get("enum", [schema["const"]] if "const" in schema else []))
        schema = list(schema.values())
    if isinstance(schema, list):
        for item in schema:
            yield from _listed(item)


def _look_around(rehearsal: Rehearsal, scenario: Scenario, wanted: set[str]) -> str:
    """Return what tools that only read show of a start state, to somebody who knows the task and the date alone."""
    pool = ValuePool(rehearsal.start(scenario).initial)
    queries = [spec for spec in rehearsal.bundle.tools.specs if spec.kind == "query"]
    said = "\n".join((scenario.clock[: len("2025-09-01")], scenario.task, *scenario.requests))
    made: set[tuple[str, str]] = set()
    shown = ""
    for _ in range(_DEPTH):
        seen = _Seen.of(said + shown)
        for name, arguments in [call for spec in queries for call in _tries(spec, pool, seen)]:
            call = name, json.dumps(arguments, sort_keys=True)
            if call not in made and len(made) < _CALLS:
                made.add(call)
                shown += "\n" + rehearsal.call(name, arguments).text
        if all(_stands_in(key, shown) for key in wanted):
            break
    return shown


class _Seen(NamedTuple):
    """What an agent has read.

    Attributes:
        text: All of it, in lower case.
        words: Its words, in the order in which they came.
    """

    text: str
    words: dict[str, None]

    @classmethod
    def of(cls, text: str) -> _Seen:
        return cls(text.casefold(), dict.fromkeys(_WORD.findall(text)))


def _tries(spec: ToolSpec, pool: ValuePool, seen: _Seen) -> Iterator[tuple[str, dict[str, JSON]]]:
    """Yield calls of a tool with values that an agent has seen: one argument varies, and no other is optional."""
    required = list(spec.parameters.get("required", ()))
    schemas = spec.parameters["properties"]
    if not required:
        yield spec.name, {}
    choices = {name: _choices(schema, name, pool, seen)[:_PER_TOOL] for name, schema in schemas.items()}
    if all(choices[name] for name in required):
        fixed = {name: choices[name][0] for name in required}
        for name in required or schemas:
            yield from ((spec.name, {**fixed, name: value}) for value in choices[name])


def _choices(schema: Mapping[str, JSON], name: str, pool: ValuePool, seen: _Seen) -> list[Any]:
    options = [schema, *schema.get("anyOf", ())]
    listed = [value for option in options for value in option.get("enum", ())]
    if listed:
        return listed
    kinds = {option.get("type") for option in options}
    if "boolean" in kinds:
        return [True, False]
    candidates = pool.candidates(name)
    if kinds & {"integer", "number"}:
        return [value for value in candidates if isinstance(value, int | float) and str(value) in seen.words]
    if "string" not in kinds:
        return []
    known = [value for value in candidates if isinstance(value, str) and value.casefold() in seen.text]
    return list(dict.fromkeys((*known, *seen.words)))
