"""Where values go into a call: the leaves of a tool's parameters, and the records whose keys they take."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from envscaler_gym.bundle import Bundle
from envscaler_gym.synthesis.graph.tables import Record, Tables, records_of, singular
from envscaler_gym.tools import method_nodes
from envscaler_gym.types import JSON

__all__ = ["EACH", "Slot", "named_records", "slots_of", "values_at", "without_null"]

EACH = "*"
"""Step of a path that stands for every item of an array."""


class Slot(NamedTuple):
    """One leaf of a tool's parameters.

    Attributes:
        path: Way to it from the arguments, :data:`EACH` for the items of an array.
        schema: JSON schema of the value.
        required: Whether a call has to give it.
        tables: Tables whose keys the value may be; empty for a value of its own.
    """

    path: tuple[str, ...]
    schema: Mapping[str, JSON]
    required: bool
    tables: tuple[str, ...]

    @property
    def name(self) -> str:
        """The innermost name on the way."""
        return next(part for part in reversed(self.path) if part != EACH)

    @property
    def label(self) -> str:
        """The way as text: ``"items.fine_id"``."""
        return ".".join(part for part in self.path if part != EACH)


def slots_of(bundle: Bundle, tables: Tables) -> dict[str, tuple[Slot, ...]]:
    """Return the slots of each tool, by its name.

    A slot takes the keys of a table when its name is that of the table's key, of a field that refers to the table,
    or of the table itself; or when the method's source looks it up in the attribute that holds the table.
    """
    methods = method_nodes(bundle.source, bundle.manifest.class_name)
    result = {}
    for name, tool in bundle.tools.items():
        used = _uses(methods[name], tables)
        result[name] = tuple(
            Slot(path, schema, required, _tables_of(path, tables, used))
            for path, schema, required in _leaves(tool.spec.parameters, (), True)
        )
    return result


def without_null(schema: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """Return what a schema allows beside null, its description kept."""
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    return {**schema, "anyOf": [], **options[0]} if options else schema


def values_at(arguments: JSON, path: tuple[str, ...]) -> Iterator[JSON]:
    """Yield the values that stand at a path, as many as its arrays have items; none where it does not lead."""
    if not path:
        yield arguments
    elif path[0] == EACH:
        for item in arguments if isinstance(arguments, list) else ():
            yield from values_at(item, path[1:])
    elif isinstance(arguments, dict) and path[0] in arguments:
        yield from values_at(arguments[path[0]], path[1:])


def named_records(slots: Sequence[Slot], arguments: Mapping[str, JSON], state: Mapping[str, Any]) -> tuple[Record, ...]:
    """Return the records that a call names, each once; what a state lacks counts as of the slot's first table."""
    found: dict[Record, None] = {}
    for slot in slots:
        for value in values_at(dict(arguments), slot.path) if slot.tables else ():
            if isinstance(value, str):
                tables = [table for table in slot.tables if value in records_of(state, table)]
                found[(*tables, *slot.tables)[0], value] = None
    return tuple(found)


def _leaves(
    schema: Mapping[str, JSON], path: tuple[str, ...], required: bool
) -> Iterator[tuple[tuple[str, ...], Mapping[str, JSON], bool]]:
    schema = without_null(schema)
    if schema.get("properties"):
        needed = schema.get("required", ())
        for name, inner in schema["properties"].items():
            yield from _leaves(inner, (*path, name), required and name in needed)
    elif schema.get("type") == "array" and schema.get("items"):
        items = {"description": schema.get("description", ""), **schema["items"]}
        yield from _leaves(items, (*path, EACH), required)
    elif path:
        yield path, schema, required


def _tables_of(path: tuple[str, ...], tables: Tables, used: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    name = next(part for part in reversed(path) if part != EACH)
    for variant in _variants(name):
        for table in tables.values():
            if variant in (table.key, f"{singular(table.name)}_id", f"{table.noun.replace(' ', '_')}_id"):
                return (table.name,)
        for table in tables.values():
            if variant in table.references:
                return (table.references[variant],)
    if len([part for part in path if part != EACH]) == 1 and used.get(name):
        return used[name]
    return ()


def _variants(name: str) -> Iterator[str]:
    """Yield what a parameter may be called elsewhere: ``"from_member_ids"`` gives ``"member_id"`` in the end."""
    parts = name.split("_")
    for start in range(len(parts)):
        rest = "_".join(parts[start:])
        if start == 0 or "_" in rest:  # a bare "id" says nothing
            yield rest
            if singular(rest) != rest:
                yield singular(rest)


def _uses(method: ast.FunctionDef, tables: Tables) -> dict[str, tuple[str, ...]]:
    """Return the tables that a method looks its parameters up in, by parameter."""
    aliases = {arg.arg: arg.arg for arg in (*method.args.args, *method.args.kwonlyargs)}
    found: dict[str, dict[str, None]] = {}
    for node in ast.walk(method):
        if isinstance(node, ast.For | ast.comprehension):
            target, source = node.target, node.iter
            if isinstance(target, ast.Name) and isinstance(source, ast.Name) and source.id in aliases:
                aliases[target.id] = aliases[source.id]
    for node in ast.walk(method):
        for variable, table in _look_ups(node):
            if variable in aliases and table in tables:
                found.setdefault(aliases[variable], {})[table] = None
    return {name: tuple(used) for name, used in found.items()}


def _look_ups(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield variable and attribute where a node looks the one up in the other."""
    if isinstance(node, ast.Subscript):
        pairs: list[tuple[Any, Any]] = [(node.slice, node.value)]
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        pairs = [(node.left, node.comparators[0])]
    elif isinstance(node, ast.Call):
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        pairs = [(argument, owner) for argument in node.args[:1]]
        pairs += [(one, other) for one in node.args for other in node.args]
    else:
        return
    for variable, attribute in pairs:
        owner = attribute.value if isinstance(attribute, ast.Attribute) else None
        if isinstance(variable, ast.Name) and isinstance(owner, ast.Name) and owner.id == "self":
            yield variable.id, attribute.attr
