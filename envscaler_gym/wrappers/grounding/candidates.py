"""Calls that a text suggests, given the values of a state."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any, NamedTuple

import numpy as np

from envscaler_gym.sampling import ValuePool, sample_arguments
from envscaler_gym.state import canonical_json
from envscaler_gym.types import JSON, ToolCallAction, ToolKind, ToolSpec
from envscaler_gym.wrappers.grounding.mentions import Mentions
from envscaler_gym.wrappers.grounding.words import Words
from envscaler_gym.wrappers.tool_wrapper import chance

__all__ = ["Candidate", "Grounding", "candidate_of", "generate"]

_VALUES = 6  # of a parameter that are tried
_PAIRED = 3  # of a list's items that are put together in twos
_COMBINATIONS = 256  # of arguments that are looked at, for each tool
_MENTIONED = 0.5  # from which an optional parameter is given
_NUMBER = 0.8  # score of a number that the text has, or a record that is named beside it
_CENTS = 0.7  # score of its hundredfold
_CONFLICT = 0.5  # factor where two required arguments name records that do not belong together
_SPECIFIED = 0.2  # of the score that is for giving the optional arguments that the text mentions
_NAMED = 0.5  # what the words of a tool's name add
_RANK = 0.97  # factor for each better call of the same tool
_DRAWS = 4  # of arguments for a tool that nothing suggests any for


@dataclass(frozen=True, slots=True)
class Candidate:
    """A call that an agent may choose.

    Attributes:
        name: Name of the tool.
        arguments: Its arguments, as JSON with sorted keys.
        kind: ``"query"`` or ``"state_change"``.
        score: How much the text is about the arguments, from 0 to 1.
        named: How much the text uses the words of the tool's name, from 0 to 1.
    """

    name: str
    arguments: str
    kind: ToolKind
    score: float
    named: float

    @property
    def key(self) -> str:
        """The call as text, which is different for different calls."""
        return f"{self.name} {self.arguments}"

    def to_action(self) -> ToolCallAction:
        """Return the action, as a fresh object."""
        return {"name": self.name, "arguments": json.loads(self.arguments)}


class _Choice(NamedTuple):
    """A value that a parameter may have, and how much the text is about it."""

    score: float
    value: JSON


_Given = tuple[str, _Choice] | None
"""An argument; ``None`` where an optional one is left out."""


class Grounding:
    """What a text and a state suggest for the parameters of tools.

    Args:
        words: The text.
        state: The state; not modified.
    """

    def __init__(self, words: Words, state: Mapping[str, Any]) -> None:
        self.words = words
        self.mentions = Mentions(words, state)
        self.pool = ValuePool(state)
        self._mentioned: dict[str, frozenset[str]] = {}

    def choices(self, name: str, schema: Mapping[str, JSON]) -> list[_Choice]:
        """Return the values of a parameter that are worth a try, best first.

        Args:
            name: The parameter's name.
            schema: Its JSON schema.
        """
        found = {json.dumps(choice.value): choice for choice in sorted(self._values(name, schema), key=_by_score)}
        return sorted(found.values(), key=_by_score, reverse=True)[:_VALUES]

    def mentioned(self, tool: ToolSpec) -> frozenset[str]:
        """Return the optional parameters of a tool that the text mentions a value of."""
        if tool.name not in self._mentioned:
            required = tool.parameters.get("required", ())
            self._mentioned[tool.name] = frozenset(
                name
                for name, schema in tool.parameters["properties"].items()
                if name not in required and any(choice.score >= _MENTIONED for choice in self.choices(name, schema))
            )
        return self._mentioned[tool.name]

    def _values(self, name: str, schema: Mapping[str, JSON]) -> Iterator[_Choice]:
        if "const" in schema:
            yield _Choice(self.words.share(str(schema["const"])), schema["const"])
        elif "enum" in schema:
            for value in schema["enum"]:
                yield _Choice(self.words.share(str(value)), value)
        elif "anyOf" in schema:
            for option in schema["anyOf"]:
                yield from self._values(name, option)
        else:
            yield from self._typed(name, schema)

    def _typed(self, name: str, schema: Mapping[str, JSON]) -> Iterator[_Choice]:
        match schema.get("type"):
            case "boolean":
                named = self.words.share(name)
                yield from (_Choice(named, True), _Choice(0.0, False))
            case "integer" | "number":
                yield from (_Choice(_NUMBER, number) for number in self.words.numbers)
                yield from (_Choice(_CENTS, number) for number in self.words.cents)
            case "string":
                yield from self._strings(name)
            case "array":
                items = self.choices(name, schema.get("items", {}))
                yield from (_Choice(item.score, [item.value]) for item in items)
                top = items[:_PAIRED]
                for i, first in enumerate(top):
                    for second in top[i + 1 :]:
                        yield _Choice((first.score + second.score) / 2, [first.value, second.value])
            case "object":
                yield from self._objects(schema)

    def _strings(self, name: str) -> Iterator[_Choice]:
        values = [value for value in self.pool.candidates(name) if isinstance(value, str)]
        known = False
        for value in values:
            score = self.mentions.of(value)
            known = known or score is not None
            yield _Choice(self.words.share(value) if score is None else score, value)
        if not known:  # the parameter names no records, so the text's own words will do
            yield from (_Choice(self.words.phrase_score(phrase), phrase) for phrase in self.words.phrases)

    def _objects(self, schema: Mapping[str, JSON]) -> Iterator[_Choice]:
        """Yield objects that take what they can from one record, and the rest from the text."""
        properties: Mapping[str, Any] = schema.get("properties", {})
        required = [name for name in properties if name in schema.get("required", ())]
        own = [self.choices(name, properties[name])[:_PAIRED] for name in required]
        for record in self.mentions.ranked():
            fields = {name: record.fields[name] for name in required if name in record.fields}
            if record.key not in fields.values():
                continue
            score = self.mentions.of(record.key) or 0.0
            taken = [
                [_Choice(score, fields[name])] if name in fields else choices
                for name, choices in zip(required, own, strict=True)
            ]
            for combination in product(*taken):
                yield _Choice(score, dict(zip(required, (choice.value for choice in combination), strict=True)))


def generate(tools: Sequence[ToolSpec], grounding: Grounding, *, per_tool: int, seed: int) -> list[Candidate]:
    """Return the calls that a text suggests, best first.

    Args:
        tools: The tools to call.
        grounding: The text, and the state whose values are used.
        per_tool: Most calls of one tool.
        seed: Seed of the order of calls that are equally good, and of draws for tools that nothing suggests a call of.
    """
    found: list[tuple[float, Candidate]] = []
    for tool in tools:
        calls = {candidate.key: candidate for candidate in _calls(tool, grounding, per_tool)}
        if not calls:
            rng = np.random.default_rng((seed, len(found)))
            drawn = (sample_arguments(tool.parameters, grounding.pool, rng) for _ in range(_DRAWS))
            calls = {c.key: c for c in (candidate_of(tool, arguments, grounding) for arguments in drawn)}
        best = sorted(calls.values(), key=lambda c: (-c.score, chance(seed, c.key)))
        found += [(_worth(candidate, rank), candidate) for rank, candidate in enumerate(best)]
    found.sort(key=lambda pair: (-pair[0], chance(seed, pair[1].key)))
    return [candidate for _, candidate in found]


def _worth(candidate: Candidate, rank: int) -> float:
    """Return what calls of all tools are ordered by; a tool's later ones give way to other tools' first ones."""
    return (candidate.score + _NAMED * candidate.named) * _RANK**rank


def _by_score(choice: _Choice) -> float:
    return choice.score


def _calls(tool: ToolSpec, grounding: Grounding, most: int) -> list[Candidate]:
    """Return the best calls with every required argument, and optional ones that the text mentions."""
    required = tool.parameters.get("required", ())
    given: list[list[_Given]] = []
    for name, schema in tool.parameters["properties"].items():
        choices = grounding.choices(name, schema)
        if name in required:
            given.append([(name, choice) for choice in choices])
        else:
            mentioned = [(name, choice) for choice in choices if choice.score >= _MENTIONED]
            given.append([*mentioned, None])
    combinations = [[*filter(None, combination)] for combination in islice(product(*given), _COMBINATIONS)]
    combinations.sort(key=lambda pairs: -math.fsum(choice.score for _, choice in pairs))
    return [
        candidate_of(tool, {name: choice.value for name, choice in pairs}, grounding) for pairs in combinations[:most]
    ]


def candidate_of(tool: ToolSpec, arguments: Mapping[str, JSON], grounding: Grounding) -> Candidate:
    """Return a call as a candidate.

    Args:
        tool: The tool.
        arguments: Its arguments.
        grounding: What the call's score depends on.
    """
    values = list(_leaves(arguments))
    records = [record for _, value in values if (record := grounding.mentions.record(value))]
    numbers = {*grounding.words.numbers, *(n for r in records for n in r.fields.values() if type(n) is int)}
    optional = grounding.mentioned(tool)
    specified = sum(name in arguments for name in optional) / len(optional) if optional else 1.0
    scores = [_leaf_score(value, numbers, grounding) for _, value in values]
    score = sum(scores) / len(scores) if scores else _MENTIONED
    needed = {name: value for name, value in arguments.items() if name in tool.parameters.get("required", ())}
    keys = {name: value for name, value in _leaves(needed) if grounding.mentions.of(value) is not None}
    for value in keys.values():
        record = grounding.mentions.record(value)
        fields = record.fields if record else {}
        if any(fields.get(name) not in (None, other, value) for name, other in keys.items()):
            score *= _CONFLICT
    score = (1 - _SPECIFIED) * score + _SPECIFIED * specified
    named = grounding.words.share(tool.name)
    return Candidate(tool.name, canonical_json(arguments).decode(), tool.kind, round(score, 4), round(named, 4))


def _leaf_score(value: JSON, numbers: set[int], grounding: Grounding) -> float:
    if isinstance(value, bool):
        return _MENTIONED
    if isinstance(value, int | float):
        return _NUMBER if value in numbers else _CENTS if value in grounding.words.cents else 0.0
    known = grounding.mentions.of(value)
    if known is not None:
        return known
    return grounding.words.phrase_score(str(value)) or grounding.words.share(str(value))


def _leaves(arguments: Mapping[str, JSON]) -> Iterator[tuple[str, JSON]]:
    """Yield the scalar values of arguments, however deep, with the names that they stand under."""
    for name, value in arguments.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from _leaves(item)
            elif not isinstance(item, list) and item is not None:
                yield name, item
