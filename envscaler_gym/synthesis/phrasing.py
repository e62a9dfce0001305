"""The phrasing stage: how people speak of an environment's records and ask for its operations.

Grown tasks are put together from these phrases (:mod:`~envscaler_gym.synthesis.growth.templates` has their grammar).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field

from envscaler_gym.data import Data
from envscaler_gym.errors import BundleError, UnusableAnswer, did_you_mean
from envscaler_gym.syntax import parse_expression
from envscaler_gym.synthesis.artefacts import Made
from envscaler_gym.synthesis.growth.templates import render
from envscaler_gym.synthesis.skeleton import Operation, Parameter, Skeleton
from envscaler_gym.synthesis.workshop import Desk, Workshop
from envscaler_gym.types import JSON

__all__ = ["Phrasing", "RecordPhrase", "ToolPhrases", "phrasing_problems", "write_phrases"]

_FIELD = re.compile(r"\{([^{}]*)\}")


class RecordPhrase(Data):
    """How people name the records of one entity.

    Attributes:
        entity: Name of the entity.
        phrase: The name, with fields in braces.
    """

    entity: str
    phrase: str = Field(min_length=1)


class ToolPhrases(Data):
    """How people ask for one operation.

    Attributes:
        tool: Name of the operation.
        phrases: Clauses in the imperative, with parameters in braces.
    """

    tool: str
    phrases: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class Phrasing(Data):
    """How people speak of an environment, as a model answers.

    Attributes:
        records: A phrase for each entity.
        tools: Phrases for each state-changing operation.
    """

    records: Annotated[tuple[RecordPhrase, ...], Field(strict=False)] = ()
    tools: Annotated[tuple[ToolPhrases, ...], Field(strict=False)] = ()


async def write_phrases(workshop: Workshop, slug: str, skeleton: Made[Skeleton]) -> Made[Phrasing]:
    """Have the phrases of an environment written; none where no usable ones can be had, and names stand in for them.

    Args:
        workshop: The workshop.
        slug: Name of the environment within the run.
        skeleton: The environment.

    Raises:
        RunStopped: The model cannot be asked now.
    """
    plan = skeleton.value

    async def work(desk: Desk) -> Phrasing:
        try:
            return await desk.ask(
                "write_phrases",
                Phrasing,
                accept=lambda given: "\n".join(f"- {problem}" for problem in phrasing_problems(plan, given)),
                introduction=plan.introduction,
                entities=[entity.model_dump(mode="json") for entity in plan.entities],
                operations=[operation.model_dump(mode="json") for operation in _changing(plan)],
            )
        except UnusableAnswer:
            return Phrasing()

    return await workshop.make("phrasing", slug, Phrasing, work, parents=[skeleton.digest])


def phrasing_problems(skeleton: Skeleton, given: Phrasing) -> list[str]:
    """List what is wrong with phrases, a line each; none where they can be used."""
    entities = [entity.name for entity in skeleton.entities]
    tools = [operation.name for operation in _changing(skeleton)]
    problems = _match("entity", entities, [one.entity for one in given.records])
    problems += _match("state-changing operation", tools, [one.tool for one in given.tools])
    for record in given.records:
        if record.entity in entities:
            problems += _record_problems(skeleton, record)
    for tool in given.tools:
        if tool.tool in tools:
            problems += _tool_problems(skeleton.operation(tool.tool), tool.phrases)
    return problems


def _changing(skeleton: Skeleton) -> list[Operation]:
    return [operation for operation in skeleton.operations if operation.kind == "state_change"]


def _match(what: str, known: list[str], given: list[str]) -> list[str]:
    unknown = [f"there is no {what} {name!r}.{did_you_mean(name, known)}" for name in given if name not in known]
    wrong = [f"{what} {name!r} stands there {given.count(name)} times, not once" for name in known]
    return unknown + [line for name, line in zip(known, wrong, strict=True) if given.count(name) != 1]


def _record_problems(skeleton: Skeleton, record: RecordPhrase) -> Iterator[str]:
    where = f"entity {record.entity!r}: phrase {record.phrase!r}"
    paths = _FIELD.findall(record.phrase)
    if not paths:
        yield f"{where}: names no field, so all records would be called the same"
    for path in paths:
        name: str | None = record.entity
        for step in path.split("."):
            if name is None:
                yield f"{where}: {path!r} goes on behind a field that refers to no entity"
                break
            attributes = {attribute.name: attribute for attribute in skeleton.entity(name).attributes}
            if step not in attributes:
                yield f"{where}: {name} have no field {step!r}.{did_you_mean(step, attributes)}"
                break
            name = attributes[step].references or None


def _tool_problems(operation: Operation, phrases: tuple[str, ...]) -> Iterator[str]:
    where = f"operation {operation.name!r}"
    try:
        for arguments in _calls(operation):
            if not any(render(phrase, arguments, lambda _, value: f"{value}") for phrase in phrases):
                given = ", ".join(f"{name}={value!r}" for name, value in arguments.items()) or "no arguments"
                yield f"{where}: no phrase fits a call with {given}"
    except BundleError as error:
        yield f"{where}: {error}"
    known = {parameter.name for parameter in operation.parameters}
    for phrase in phrases:
        places = set(re.findall(r"\{(\w+)", re.sub(r"\[[^\[\]]*\]", "", phrase)))
        for name in sorted(places - known):
            yield f"{where}: phrase {phrase!r}: there is no parameter {name!r}.{did_you_mean(name, known)}"


def _calls(operation: Operation) -> Iterator[Mapping[str, JSON]]:
    """Yield the arguments of calls that phrases have to fit: each optional one alone and all together, each choice."""
    values = {parameter.name: _values(parameter) for parameter in operation.parameters}
    required = {
        parameter.name: values[parameter.name][0] for parameter in operation.parameters if not parameter.default
    }
    optional = [parameter.name for parameter in operation.parameters if parameter.default]
    yield required
    for name in optional:
        yield required | {name: values[name][0]}
    if len(optional) > 1:
        yield required | {name: values[name][0] for name in optional}
    for name, choices in values.items():
        yield from (required | {name: choice} for choice in choices[1:])


def _values(parameter: Parameter) -> list[JSON]:
    """Return the values that make a difference to phrases: all of a closed set, otherwise one."""
    kind = parameter.type.removeprefix("Optional[")
    if kind.startswith("Literal["):
        choices = ast.literal_eval(parse_expression(f"[{kind[len('Literal[') :].rstrip(']')}]"))
        return list(choices)
    if kind.startswith("bool"):
        return [True, False]
    if kind.startswith("List["):
        return [[]]
    return [{}] if kind.startswith("Dict[") else ["…"]
