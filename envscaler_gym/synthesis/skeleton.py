"""Skeletons: what is known of an environment before its code, and what must hold of one."""

from __future__ import annotations

import ast
import keyword
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field

from envscaler_gym.data import Data
from envscaler_gym.errors import did_you_mean, shorten
from envscaler_gym.syntax import parse_expression
from envscaler_gym.types import ToolKind

__all__ = ["Attribute", "Comparison", "EntityPlan", "Operation", "Parameter", "Rule", "Skeleton", "problems"]

Comparison = Literal["exact", "exempt", "free_text"]
"""How a check compares an attribute: literally, not at all (generated ids, time stamps), or as a person's own words."""

TYPE_NAMES = frozenset({"Any", "Dict", "List", "Literal", "Optional", "bool", "float", "int", "str"})
"""Names that a type may be made of."""

_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_CAMEL = re.compile(r"([A-Z][a-z0-9]*)+")


class Attribute(Data):
    """A field of a kind of records.

    Attributes:
        name: Name in snake case.
        type: Python type of :data:`TYPE_NAMES`, such as ``str``, ``Optional[str]`` or ``Literal["open", "closed"]``.
        description: What it stands for, with its unit or format.
        references: Entity whose keys it holds; empty where it holds none.
        comparison: How a check compares it.
    """

    name: str
    type: str
    description: str
    references: str
    comparison: Comparison


class EntityPlan(Data):
    """A kind of records.

    Attributes:
        name: State attribute that holds the records by key, a plural in snake case.
        record: Name of the record's TypedDict, in camel case.
        key: Attribute that repeats a record's key.
        description: What a record stands for.
        attributes: Its fields, the key first.
    """

    name: str
    record: str
    key: str
    description: str
    attributes: Annotated[tuple[Attribute, ...], Field(strict=False, min_length=2)]


class Rule(Data):
    """Something that the environment sees to.

    Attributes:
        text: The rule, one sentence.
        kind: ``"state"``: whether it holds can be seen in any one state; ``"operation"``: it says when an operation is
            refused or what it does.
    """

    text: str
    kind: Literal["state", "operation"]


class Parameter(Data):
    """A parameter of an operation.

    Attributes:
        name: Name in snake case.
        type: As for :class:`Attribute`.
        description: What it stands for, as the agent reads it.
        default: Python literal; empty for a parameter that must be given.
    """

    name: str
    type: str
    description: str
    default: str


class Operation(Data):
    """A tool of the environment.

    Attributes:
        name: Name in snake case.
        kind: ``"query"`` or ``"state_change"``.
        description: What it does, as the agent reads it.
        parameters: Its parameters, those without a default first.
        returns: What ``data`` or ``message`` of a successful result holds.
        preconditions: What must hold, or the call is refused.
        postconditions: What holds after a call that was not refused.
        reads: Entities that it reads.
        writes: Entities that it writes.
    """

    name: str
    kind: ToolKind
    description: str
    parameters: Annotated[tuple[Parameter, ...], Field(strict=False)]
    returns: str
    preconditions: Annotated[tuple[str, ...], Field(strict=False)]
    postconditions: Annotated[tuple[str, ...], Field(strict=False)]
    reads: Annotated[tuple[str, ...], Field(strict=False)]
    writes: Annotated[tuple[str, ...], Field(strict=False)]


class Skeleton(Data):
    """What is known of an environment before its code.

    Attributes:
        class_name: Name of the class, in camel case.
        summary: One phrase.
        introduction: One paragraph for the agent.
        entities: Kinds of records.
        rules: What the environment sees to.
        operations: Its tools.
    """

    class_name: str
    summary: str
    introduction: str
    entities: Annotated[tuple[EntityPlan, ...], Field(strict=False, min_length=1)]
    rules: Annotated[tuple[Rule, ...], Field(strict=False, min_length=1)]
    operations: Annotated[tuple[Operation, ...], Field(strict=False, min_length=2)]

    def entity(self, name: str) -> EntityPlan:
        """Return an entity by name.

        Raises:
            KeyError: There is none of that name.
        """
        return {entity.name: entity for entity in self.entities}[name]

    def operation(self, name: str) -> Operation:
        """Return an operation by name.

        Raises:
            KeyError: There is none of that name.
        """
        return {operation.name: operation for operation in self.operations}[name]


def problems(skeleton: Skeleton) -> list[str]:
    """List what does not fit together in a skeleton, a line each; none where everything does."""
    return [
        *_name_problem("class_name", skeleton.class_name, _CAMEL),
        *_repeated("entity", (entity.name for entity in skeleton.entities)),
        *_repeated("record", [*(entity.record for entity in skeleton.entities), skeleton.class_name]),
        *_repeated("operation", (operation.name for operation in skeleton.operations)),
        *_repeated("rule", (rule.text for rule in skeleton.rules)),
        *(line for entity in skeleton.entities for line in _entity_problems(entity, skeleton)),
        *(line for operation in skeleton.operations for line in _operation_problems(operation, skeleton)),
        *_unused(skeleton),
    ]


def _entity_problems(entity: EntityPlan, skeleton: Skeleton) -> Iterator[str]:
    where = f"entity {entity.name!r}"
    yield from _name_problem(f"{where}: name", entity.name, _SNAKE)
    yield from _name_problem(f"{where}: record", entity.record, _CAMEL)
    yield from _repeated(f"{where}: attribute", (attribute.name for attribute in entity.attributes))
    names = [attribute.name for attribute in entity.attributes]
    if entity.key not in names:
        yield f"{where}: key {entity.key!r} is not one of its attributes {names}"
    known = [other.name for other in skeleton.entities]
    for attribute in entity.attributes:
        place = f"{where}: attribute {attribute.name!r}"
        yield from _name_problem(place, attribute.name, _SNAKE)
        yield from _type_problem(place, attribute.type)
        if attribute.name == entity.key and attribute.type != "str":
            yield f"{place}: is the key and must have the type str, got {attribute.type}"
        if attribute.references and attribute.references not in known:
            near = did_you_mean(attribute.references, known)
            yield f"{place}: references {attribute.references!r}, which is no entity.{near} Entities: {known}"


def _operation_problems(operation: Operation, skeleton: Skeleton) -> Iterator[str]:
    where = f"operation {operation.name!r}"
    yield from _name_problem(where, operation.name, _SNAKE)
    yield from _repeated(f"{where}: parameter", (parameter.name for parameter in operation.parameters))
    known = [entity.name for entity in skeleton.entities]
    if operation.name in known:
        yield f"{where}: is also the name of an entity; a method and an attribute cannot share one"
    for name in (*operation.reads, *operation.writes):
        if name not in known:
            yield f"{where}: reads or writes {name!r}, which is no entity.{did_you_mean(name, known)} Entities: {known}"
    if operation.kind == "query" and operation.writes:
        yield f"{where}: is a query and writes {list(operation.writes)}"
    if operation.kind == "state_change" and not operation.writes:
        yield f"{where}: is a state change and writes nothing"
    if operation.kind == "state_change" and not operation.preconditions:
        yield f"{where}: is a state change without preconditions; say when it is refused"
    optional = False
    for parameter in operation.parameters:
        place = f"{where}: parameter {parameter.name!r}"
        yield from _name_problem(place, parameter.name, _SNAKE)
        yield from _type_problem(place, parameter.type)
        if optional and not parameter.default:
            yield f"{place}: has no default and comes after one that has"
        optional = optional or bool(parameter.default)
        if parameter.default and not _is_literal(parameter.default):
            yield f"{place}: default {shorten(parameter.default)} is not a Python literal"


def _unused(skeleton: Skeleton) -> Iterator[str]:
    read = {name for operation in skeleton.operations for name in operation.reads}
    for entity in skeleton.entities:
        if entity.name not in read:
            yield f"entity {entity.name!r}: no operation reads it, so that an agent cannot know of it"
    if not any(operation.kind == "state_change" for operation in skeleton.operations):
        yield "no operation changes the state"
    if not any(rule.kind == "state" for rule in skeleton.rules):
        yield "no rule is of the kind 'state'"


def _repeated(what: str, names: Iterable[str]) -> list[str]:
    return [f"{what} {shorten(name)} occurs {times} times" for name, times in Counter(names).items() if times > 1]


def _name_problem(where: str, name: str, form: re.Pattern[str]) -> list[str]:
    if form.fullmatch(name) and not keyword.iskeyword(name):
        return []
    wanted = "camel case (BookCopy)" if form is _CAMEL else "snake case (book_copies) and no word of Python"
    return [f"{where}: {shorten(name)} must be {wanted}"]


def _type_problem(where: str, text: str) -> list[str]:
    try:
        tree = parse_expression(text)
    except (SyntaxError, ValueError):
        return [f"{where}: {shorten(text)} is not a Python type"]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in TYPE_NAMES:
            return [f"{where}: type {shorten(text)} uses {node.id}; types are made of {', '.join(sorted(TYPE_NAMES))}"]
        if not isinstance(
            node, ast.Expression | ast.Name | ast.Subscript | ast.Tuple | ast.Constant | ast.expr_context
        ):
            return [f"{where}: {shorten(text)} is not a type made of {', '.join(sorted(TYPE_NAMES))}"]
    return []


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(parse_expression(text))
    except (SyntaxError, ValueError):
        return False
    return True
