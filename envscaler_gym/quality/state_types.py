"""The types that a synthesized class declares for its state, read from its source without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import typing_extensions
from pydantic import TypeAdapter, ValidationError

from envscaler_gym.annotations import JSONValue, TypeResolver, typed_dict
from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import shorten
from envscaler_gym.tools import parse_module
from envscaler_gym.types import JSON

__all__ = ["StateTypes"]

_MOST = 20
"""Problems that are described of one state."""


class StateTypes:
    """The declared types of a state's attributes.

    They stand where the class annotates its attributes: as ``name: type`` in its body, or as ``self.name: type`` in a
    method. A value in the body is the class's own, not the state's. An attribute without an annotation may hold any
    JSON.

    Args:
        source: Source of the module that holds the class.
        class_name: Name of the class.
    """

    def __init__(self, source: str, class_name: str) -> None:
        module = parse_module(source)
        resolver = TypeResolver(module)
        fields = {
            # None is required: the constructor makes what a start state lacks.
            name: typing_extensions.NotRequired[JSONValue if annotation is None else resolver.resolve(annotation)]
            for name, annotation in _attributes(module, class_name).items()
        }
        self._adapter: TypeAdapter[dict[str, JSON]] = TypeAdapter(typed_dict("State", fields, open_ended=True))

    @staticmethod
    def of(bundle: Bundle) -> StateTypes:
        """Return the types of a bundle's state, made once per process."""
        return _types(bundle.source, bundle.manifest.class_name)

    @cached_property
    def schema(self) -> Mapping[str, JSON]:
        """JSON schema of the whole state, without references: ``properties`` has every attribute.

        A record's schema stands in the ``additionalProperties`` of the attribute that holds the records by key. What
        the source leaves open is ``{}``. No attribute is ``required``, since the constructor makes those that a start
        state lacks; fields of records are, as their types say.
        """
        schema = _inline(self._adapter.json_schema(), {})
        return {"type": "object", "properties": schema.get("properties", {})}

    def problems(self, state: Mapping[str, Any]) -> list[str]:
        """List where a state does not fit, as ``"rooms['101'].floor: input should be a valid integer, got '1'"``.

        Args:
            state: A state, or some records of one.

        Returns:
            At most 20 lines, without duplicates; none where the state fits.
        """
        try:
            self._adapter.validator.validate_python(dict(state))
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False)
            return list(dict.fromkeys(map(_describe, found)))[:_MOST]
        except RecursionError:
            return ["the state nests too deep"]
        return []


@lru_cache(maxsize=64)
def _types(source: str, class_name: str) -> StateTypes:
    return StateTypes(source, class_name)


def _attributes(module: ast.Module, class_name: str) -> dict[str, ast.expr | None]:
    """Return the annotation of each attribute that instances have, ``None`` where there is none, bases first."""
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    found: dict[str, ast.expr | None] = {}
    for node in _chain(classes, class_name, ()):
        for name, annotation in _annotated(node):
            found[name] = annotation or found.get(name)
    return found


def _chain(classes: Mapping[str, ast.ClassDef], name: str, below: tuple[str, ...]) -> Iterator[ast.ClassDef]:
    if name in classes and name not in below:
        for base in reversed(classes[name].bases):
            if isinstance(base, ast.Name):
                yield from _chain(classes, base.id, (*below, name))
        yield classes[name]


def _annotated(cls: ast.ClassDef) -> Iterator[tuple[str, ast.expr | None]]:
    for node in cls.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if node.value is None and "ClassVar" not in ast.unparse(node.annotation):
                yield node.target.id, node.annotation
        elif isinstance(node, ast.FunctionDef):
            yield from _assigned(node)


def _assigned(method: ast.FunctionDef) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield the attributes that a method annotates, and those that a constructor assigns."""
    receiver = "".join(arg.arg for arg in method.args.args[:1])
    for node in ast.walk(method):
        targets: Sequence[ast.expr]
        annotation: ast.expr | None
        if isinstance(node, ast.AnnAssign):
            targets, annotation = [node.target], node.annotation
        elif isinstance(node, ast.Assign) and method.name == "__init__":
            targets, annotation = node.targets, None
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == receiver:
                yield target.attr, annotation


def _describe(problem: Any) -> str:
    place = "".join(
        f"[{shorten(part)}]" if depth == 1 or isinstance(part, int) else f".{part}"
        for depth, part in enumerate(problem["loc"])
    )
    message = problem["msg"][0].lower() + problem["msg"][1:]
    got = "" if problem["type"] == "missing" else f", got {shorten(problem['input'])}"
    return f"{place.removeprefix('.')}: {message}{got}"


def _inline(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a schema with what its references stand for, and without titles and the limits of arguments."""
    if isinstance(schema, list):
        return [_inline(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    definitions = {**definitions, **schema.get("$defs", {})}
    if "$ref" in schema:
        return _inline(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    dropped = ("title", "$defs", "maxLength", "minimum", "maximum", "propertyNames")
    return {
        key: {name: _inline(item, definitions) for name, item in value.items()}
        if key == "properties"
        else _inline(value, definitions)
        for key, value in schema.items()
        if key not in dropped
    }
