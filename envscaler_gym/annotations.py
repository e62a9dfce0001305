"""Annotations of generated code, as types that arguments can be validated against.

Source is read, never executed: an annotation is an expression in a syntax tree, and it is resolved to a type by the
names that generated code uses. Arguments come from JSON, so types that JSON lacks are mapped to what JSON sends:
tuples and sets to lists, dates and bytes to strings. A name that means nothing here is ``Any``.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union

import typing_extensions
from pydantic import ConfigDict, Field, PlainValidator

from envscaler_gym.errors import BundleError
from envscaler_gym.syntax import parse_expression
from envscaler_gym.types import JSON

__all__ = ["MAX_DEPTH", "MAX_INTEGER", "MAX_ITEMS", "MAX_STRING", "JSONValue", "TypeResolver", "typed_dict"]

MAX_STRING = 100_000
"""Longest string that an argument may hold, in characters."""

MAX_TYPES = 4_000
"""Number of types that the annotations of one module may expand to; records of records grow with every level."""

MAX_DEPTH = 32
"""Deepest nesting that an argument may have."""

MAX_ITEMS = 100_000
"""Most values that an argument of no particular type may hold, counting all levels."""

MAX_INTEGER = 10**100
"""Largest magnitude of an integer; Python refuses to print much larger ones."""

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, str_max_length=MAX_STRING)
"""What every validator of arguments is built with."""


def _json_value(value: object) -> JSON:
    """Return a copy of a JSON value, in which subclasses of ``str``, ``list`` and ``dict`` have become plain.

    Raises:
        ValueError: It is not JSON, holds a number that JSON lacks, or is too long or too deep.
    """
    return _copy(value, MAX_DEPTH, [MAX_ITEMS])


def _copy(value: object, depth: int, left: list[int]) -> JSON:
    left[0] -= 1
    if left[0] < 0:
        raise ValueError(f"holds more than {MAX_ITEMS} values")
    if value is None or type(value) is bool:
        return value
    if type(value) is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise ValueError(_INTEGER_TOO_LARGE)
        return value
    if isinstance(value, str):
        return _text(value)
    if type(value) is float:
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a JSON number")
        return value
    if depth == 0:
        raise ValueError(f"nested more than {MAX_DEPTH} deep")
    if isinstance(value, list):
        return [_copy(item, depth - 1, left) for item in list.__iter__(value)]
    if isinstance(value, dict):
        return {_key(key): _copy(item, depth - 1, left) for key, item in dict.items(value)}
    raise ValueError(f"a {type(value).__name__} is not JSON")


def _text(value: str) -> str:
    text = str.__str__(value)  # without what a subclass makes of it
    if len(text) > MAX_STRING:
        raise ValueError(f"a string of {len(text)} characters, at most {MAX_STRING} are allowed")
    text.encode()  # raises UnicodeEncodeError, a ValueError, for lone surrogates
    return text


def _key(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"keys must be strings, got a {type(value).__name__}")  # noqa: TRY004 - pydantic wants it
    return _text(value)


_INTEGER_TOO_LARGE = f"integers have at most {len(str(MAX_INTEGER)) - 1} digits"

JSONValue = Annotated[Any, PlainValidator(_json_value, json_schema_input_type=Any)]
"""Any JSON value, copied as it is validated."""

_SIMPLE: dict[str, Any] = {
    "str": str,
    "int": Annotated[int, Field(ge=-MAX_INTEGER, le=MAX_INTEGER)],
    "float": float,
    "bool": bool,
    "None": None,
    "dict": dict[str, JSONValue],
    "list": list[JSONValue],
    "date": str,
    "datetime": str,
    "time": str,
    "bytes": str,
    "UUID": str,
    "Decimal": float,
    "Number": float,
}
_LISTS = {"list", "tuple", "set", "frozenset", "sequence", "iterable", "collection", "mutablesequence", "deque"}
_DICTS = {"dict", "mapping", "mutablemapping", "defaultdict", "ordereddict", "counter"}


def typed_dict(name: str, fields: Mapping[str, Any], *, open_ended: bool = False) -> Any:
    """Build a TypedDict that pydantic validates strictly.

    Args:
        name: Its name.
        fields: Type of each field, marked ``Required`` or ``NotRequired``.
        open_ended: Whether other fields are allowed.
    """
    # pydantic takes typing_extensions' TypedDict on every Python.
    make: Any = typing_extensions.TypedDict
    made = make(name, dict(fields))
    made.__pydantic_config__ = {**STRICT, "extra": "allow"} if open_ended else STRICT
    return made


class TypeResolver:
    """Resolves the annotations of one module.

    Args:
        module: Syntax tree of the module.
    """

    def __init__(self, module: ast.Module) -> None:
        self._classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
        self._aliases = _aliases(module)
        self._resolving: set[str] = set()
        self._left = MAX_TYPES

    def resolve(self, node: ast.expr | None) -> Any:
        """Return the type that an annotation stands for; ``JSONValue`` when there is none or it is unknown.

        Raises:
            BundleError: The annotations of the module expand to more than :data:`MAX_TYPES` types.
        """
        self._count()
        if node is None:
            return JSONValue
        if isinstance(node, ast.Constant):
            return self._constant(node.value)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._name(node.id if isinstance(node, ast.Name) else node.attr)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return Union[self.resolve(node.left), self.resolve(node.right)]  # noqa: UP007 - built at run time
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        return JSONValue

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise BundleError(
                f"environment.py: its annotations expand to more than {MAX_TYPES} types; use fewer records of records"
            )

    def _constant(self, value: object) -> Any:
        if value is None:
            return None
        if isinstance(value, str):
            try:
                return self.resolve(parse_expression(value.strip()))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return JSONValue
        return JSONValue

    def _name(self, name: str) -> Any:
        if name in self._classes or name in self._aliases:
            if name in self._resolving:  # a type that contains itself
                return JSONValue
            self._resolving.add(name)
            try:
                if name in self._aliases:
                    return self.resolve(self._aliases[name])
                return self._typed_dict(self._classes[name])
            finally:
                self._resolving.discard(name)
        if name in _SIMPLE:
            return _SIMPLE[name]
        if name.lower() in _LISTS:
            return list[JSONValue]
        if name.lower() in _DICTS:
            return dict[str, JSONValue]
        return JSONValue

    def _subscript(self, node: ast.Subscript) -> Any:
        base = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if not items:
            return self._name(base)
        if base == "Optional":
            return Union[self.resolve(items[0]), None]  # noqa: UP007
        if base == "Union":
            return Union[tuple(self.resolve(item) for item in items)]  # noqa: UP007
        if base == "Literal":
            values = [_literal(item) for item in items]
            return Literal[tuple(values)] if all(_is_scalar(value) for value in values) else JSONValue
        if base in ("Annotated", "Required", "NotRequired", "ReadOnly", "Final"):
            return self.resolve(items[0])
        if base.lower() == "tuple" and not (len(items) == 2 and _is_ellipsis(items[1])):
            return list[Union[tuple(self.resolve(item) for item in items)]]  # type: ignore[misc]  # noqa: UP007
        if base.lower() in _LISTS:
            return list[self.resolve(items[0])]  # type: ignore[misc]  # built at run time
        if base.lower() in _DICTS:
            return dict[str, self.resolve(items[-1]) if len(items) == 2 else JSONValue]  # type: ignore[misc]
        return self._name(base)

    def _typed_dict(self, node: ast.ClassDef) -> Any:
        """Build the TypedDict that a class statement describes; another kind of class is ``JSONValue``."""
        fields = self._fields(node, (node.name,))
        if fields is None:
            return JSONValue
        # pydantic takes typing_extensions' TypedDict on every Python.
        return typed_dict(node.name, fields)

    def _fields(self, node: ast.ClassDef, below: tuple[str, ...]) -> dict[str, Any] | None:
        self._count()
        fields: dict[str, Any] = {}
        is_typed_dict = False
        for base in node.bases:
            name = base.id if isinstance(base, ast.Name) else getattr(base, "attr", "")
            if name == "TypedDict":
                is_typed_dict = True
            elif name in self._classes and name not in below:
                inherited = self._fields(self._classes[name], (*below, name))
                if inherited is not None:
                    is_typed_dict = True
                    fields |= inherited
        if not is_typed_dict:
            return None
        total = not any(
            k.arg == "total" and isinstance(k.value, ast.Constant) and k.value.value is False for k in node.keywords
        )
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                required = _required(statement.annotation, total)
                marker = typing_extensions.Required if required else typing_extensions.NotRequired
                fields[statement.target.id] = marker[self.resolve(statement.annotation)]
        return fields


def _aliases(module: ast.Module) -> Mapping[str, ast.expr]:
    aliases: dict[str, ast.expr] = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            if isinstance(node.value, ast.Name | ast.Attribute | ast.Subscript | ast.BinOp):
                aliases[node.targets[0].id] = node.value
        elif (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.value is not None
            and ast.unparse(node.annotation).endswith("TypeAlias")
        ):
            aliases[node.target.id] = node.value
    return aliases


def _required(annotation: ast.expr, total: bool) -> bool:
    if isinstance(annotation, ast.Subscript):
        base = annotation.value
        name = base.id if isinstance(base, ast.Name) else getattr(base, "attr", "")
        if name in ("Required", "NotRequired"):
            return name == "Required"
    return total


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return ...


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int)


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis
