"""Tools: what an agent may call, derived from a class's source without running it, and the check of its arguments.

A :class:`Toolset` is made from the source of a synthesized class and the allow-list of its bundle. It knows
each tool's :class:`~envscaler_gym.types.ToolSpec` and validates arguments with compiled validators before anything is
dispatched.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any, Optional

import docstring_parser
import typing_extensions
from pydantic import ConfigDict, TypeAdapter, ValidationError

from envscaler_gym.annotations import JSONValue, TypeResolver, typed_dict
from envscaler_gym.errors import BundleError, did_you_mean, shorten
from envscaler_gym.syntax import parse
from envscaler_gym.types import JSON, ToolKind, ToolSpec

__all__ = ["InvalidArguments", "Tool", "Toolset", "method_nodes", "parse_module", "public_methods", "type_name"]

_REQUIRED = object()
_UNPRINTABLE = object()
_ARGS_SECTION = re.compile(r"^(?:Args|Arguments|Parameters|Params):[ \t]*\n(?:[ \t]+\S.*\n?|[ \t]*\n)*", re.MULTILINE)
_MAX_REPORTED = 5
_OTHERS = TypeAdapter(dict[str, JSONValue], config=ConfigDict(strict=True, defer_build=True))


class InvalidArguments(Exception):
    """Arguments do not fit a tool's schema. Never leaves the library: the agent is told in an observation."""


class Tool:
    """One tool: its specification and the compiled check of its arguments.

    Attributes:
        name: Name of the tool.
        kind: ``"query"`` or ``"state_change"``.
    """

    def __init__(self, function: ast.FunctionDef, resolver: TypeResolver, kind: ToolKind) -> None:
        self.name = function.name
        self.kind: ToolKind = kind
        self._parameters, self._open = _parameters(function, resolver)
        self._receiver = "" if _is_static(function) else "".join(arg.arg for arg in function.args.args[:1])
        self._docstring = ast.get_docstring(function) or ""

    @cached_property
    def _adapter(self) -> TypeAdapter[dict[str, JSON]]:
        fields = {
            name: (typing_extensions.Required if default is _REQUIRED else typing_extensions.NotRequired)[kind]
            for name, (kind, default) in self._parameters.items()
        }
        return TypeAdapter(typed_dict(self.name, fields, open_ended=self._open))

    @cached_property
    def spec(self) -> ToolSpec:
        """What an agent is told about the tool."""
        schema = _inline(self._adapter.json_schema(), {})
        descriptions = {
            param.arg_name.split(" ")[0]: " ".join((param.description or "").split())
            for param in _parse_docstring(self._docstring).params
        }
        for name, prop in schema.get("properties", {}).items():
            if descriptions.get(name):
                prop["description"] = descriptions[name]
            default = self._parameters[name][1]
            if default is not _REQUIRED and default is not _UNPRINTABLE:
                prop["default"] = default
        schema = {"type": "object", "properties": schema.get("properties", {}), **schema}
        description = _ARGS_SECTION.sub("", self._docstring + "\n").strip()
        return ToolSpec(self.name, re.sub(r"\n{3,}", "\n\n", description), schema, self.kind)

    @cached_property
    def _validate(self) -> Any:
        return self._adapter.validator.validate_python

    @cached_property
    def check(self) -> Callable[[object], dict[str, JSON]]:
        """What :meth:`validate` does for arguments that fit, in the shortest way; raises anything for others."""
        return self.validate if self._open else self._validate

    def validate(self, arguments: object) -> dict[str, JSON]:
        """Return a checked copy of the arguments.

        Raises:
            InvalidArguments: They do not fit; the message is written for the agent.
        """
        try:
            checked: dict[str, JSON] = self._validate(arguments)
            if self._open:
                checked |= _OTHERS.validate_python({k: v for k, v in checked.items() if k not in self._parameters})
        except ValidationError as error:
            raise InvalidArguments(self._explain(error)) from None
        except RecursionError:
            raise InvalidArguments(f"The arguments of {self.name!r} are nested too deep.") from None
        if self._open and self._receiver in checked:
            raise InvalidArguments(f"{self.name!r} takes no argument {self._receiver!r}. Expected {self.signature}.")
        return checked

    def validate_argument(self, name: str, value: JSON) -> None:
        """Check one argument by itself, whatever the others will be.

        Raises:
            InvalidArguments: It does not fit.
        """
        try:
            self._validate({name: value})
        except ValidationError as error:
            problems = [p for p in error.errors(include_url=False, include_context=False) if p["loc"][:1] == (name,)]
            if problems:
                raise InvalidArguments("; ".join(map(self._explain_one, problems[:_MAX_REPORTED]))) from None
        except RecursionError:
            raise InvalidArguments(f"The argument {name!r} is nested too deep.") from None

    def _explain(self, error: ValidationError) -> str:
        problems = error.errors(include_url=False, include_context=False)
        lines = [self._explain_one(problem) for problem in problems[:_MAX_REPORTED]]
        if len(problems) > _MAX_REPORTED:
            lines.append(f"and {len(problems) - _MAX_REPORTED} more")
        return f"Invalid arguments for {self.name!r}: {'; '.join(lines)}. Expected {self.signature}."

    def _explain_one(self, problem: Any) -> str:
        path = ".".join(shorten(part).strip("'\"") for part in problem["loc"])
        if problem["type"] == "missing":
            return f"required argument {path!r} is missing"
        if problem["type"] in ("extra_forbidden", "invalid_key"):
            known = self._parameters if len(problem["loc"]) == 1 else ()
            return f"unknown argument {path!r}.{did_you_mean(problem['loc'][-1], known)}".rstrip(".")
        message = problem["msg"][0].lower() + problem["msg"][1:]
        if problem["type"] in ("less_than_equal", "greater_than_equal"):
            message = "the integer is too large"
        return f"{f'argument {path!r}: ' if path else ''}{message}, got {shorten(problem['input'])}"

    @cached_property
    def signature(self) -> str:
        """The tool as a call with its parameters' JSON types, ``?`` behind those that may be left out."""
        required = self.spec.parameters.get("required", [])
        properties = self.spec.parameters["properties"]
        inside = (f"{name}{'' if name in required else '?'}: {type_name(prop)}" for name, prop in properties.items())
        return f"{self.name}({', '.join(inside)})"


class Toolset(Mapping[str, Tool]):
    """The tools of one synthesized class, by name, in the order of the allow-list. Immutable and shared.

    Args:
        source: Source of the module that holds the class. It is parsed, never run.
        class_name: Name of the class.
        allowed: Name and kind of each tool that may be called.

    Raises:
        BundleError: The source cannot be parsed, lacks the class or a tool, or a tool cannot be called by name.
    """

    def __init__(self, source: str, class_name: str, allowed: tuple[tuple[str, ToolKind], ...]) -> None:
        self._origin = (source, class_name, allowed)
        module = parse_module(source)
        methods = _methods(module, class_name)
        resolver = TypeResolver(module)
        self._tools: dict[str, Tool] = {}
        for name, kind in allowed:
            if name not in methods or name.startswith("_"):
                raise BundleError(
                    f"class {class_name!r} has no public method {name!r}, which the bundle lists as a tool."
                    f"{did_you_mean(name, methods)}"
                )
            if name in self._tools:
                raise BundleError(f"the bundle lists the tool {name!r} twice")
            self._tools[name] = Tool(methods[name], resolver, kind)
        self.get = self._tools.get  # type: ignore[method-assign]  # the hot path: a plain dict look-up

    @classmethod
    def of(cls, source: str, class_name: str, allowed: tuple[tuple[str, ToolKind], ...]) -> Toolset:
        """Return the toolset of a class, made once per process."""
        return _cached_toolset(source, class_name, allowed)

    def __getitem__(self, name: str) -> Tool:
        return self._tools[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Toolset) and self._origin == other._origin

    def __hash__(self) -> int:
        return hash(self._origin)

    def __deepcopy__(self, memo: dict[int, Any]) -> Toolset:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Toolset.of, self._origin

    @cached_property
    def specs(self) -> tuple[ToolSpec, ...]:
        """The specification of every tool."""
        return tuple(tool.spec for tool in self.values())


@lru_cache(maxsize=256)
def _cached_toolset(source: str, class_name: str, allowed: tuple[tuple[str, ToolKind], ...]) -> Toolset:
    return Toolset(source, class_name, allowed)


def public_methods(source: str, class_name: str) -> list[str]:
    """List the public methods of a class in the order of its source: what a bundle's allow-list is made from.

    Raises:
        BundleError: The source cannot be parsed or lacks the class.
    """
    return [name for name in method_nodes(source, class_name) if not name.startswith("_")]


def method_nodes(source: str, class_name: str) -> dict[str, ast.FunctionDef]:
    """Return the syntax trees of a class's methods, those of its bases in the module included, by name.

    Raises:
        BundleError: The source cannot be parsed or lacks the class.
    """
    return _methods(parse_module(source), class_name)


def parse_module(source: str) -> ast.Module:
    """Parse the source of generated code, without the warnings that it causes.

    Raises:
        BundleError: It cannot be parsed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SyntaxWarning: invalid escapes in generated code
            return parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        raise BundleError(f"environment.py{f':{line}' if line else ''}: cannot be parsed: {error}") from None


def _methods(module: ast.Module, class_name: str) -> dict[str, ast.FunctionDef]:
    """Return the functions of a class and of the bases that the module defines, nearest definition first."""
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    if class_name not in classes:
        known = [name for name, node in classes.items() if not any("TypedDict" in ast.unparse(b) for b in node.bases)]
        raise BundleError(f"the source defines no class {class_name!r}; its classes are {known}")
    methods: dict[str, ast.FunctionDef | None] = {}
    pending, seen = [class_name], set()
    while pending:
        name = pending.pop(0)
        if name in seen or name not in classes:
            continue
        seen.add(name)
        own: dict[str, ast.FunctionDef | None] = {}  # None: something that is no tool hides what a base defines
        for node in classes[name].body:
            if isinstance(node, ast.FunctionDef):
                own[node.name] = None if _is_property(node) else node
            elif isinstance(node, ast.AsyncFunctionDef):
                own[node.name] = None
        methods = own | methods if name != class_name else own
        pending += [base.id for base in classes[name].bases if isinstance(base, ast.Name)]
    return {name: node for name, node in methods.items() if node is not None}


def _is_property(node: ast.FunctionDef) -> bool:
    names = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    return not names.isdisjoint({"property", "cached_property", "setter", "getter", "deleter"})


def _is_static(node: ast.FunctionDef) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)


def _parameters(function: ast.FunctionDef, resolver: TypeResolver) -> tuple[dict[str, tuple[Any, Any]], bool]:
    """Return type and default of each parameter, and whether the function takes any others (``**kwargs``)."""
    spec = function.args
    static = _is_static(function)
    positional = spec.posonlyargs + spec.args
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(spec.defaults)) + list(spec.defaults)
    if len(spec.posonlyargs) > (0 if static else 1):
        raise BundleError(
            f"environment.py:{function.lineno}: tool {function.name!r} has positional-only parameters; "
            "tools are called by name, so remove the '/'"
        )
    pairs = list(zip(positional, defaults, strict=True))[0 if static else 1 :]
    pairs += list(zip(spec.kwonlyargs, spec.kw_defaults, strict=True))
    parameters: dict[str, tuple[Any, Any]] = {}
    for arg, default_node in pairs:
        kind = resolver.resolve(arg.annotation)
        default: Any = _REQUIRED
        if default_node is not None:
            default = _default(default_node)
            if default is None:  # ``x: str = None`` means Optional[str]
                kind = kind if kind is JSONValue else Optional[kind]  # noqa: UP045 - built at run time
        parameters[arg.arg] = (kind, default)
    return parameters, spec.kwarg is not None


def _default(node: ast.expr) -> Any:
    """Return a default as JSON; ``_UNPRINTABLE`` where it is computed, or JSON has nothing like it."""
    try:
        return json.loads(json.dumps(ast.literal_eval(node), allow_nan=False))
    except (ValueError, TypeError):
        return _UNPRINTABLE


def _parse_docstring(text: str) -> docstring_parser.Docstring:
    try:
        return docstring_parser.parse(inspect.cleandoc(text), style=docstring_parser.DocstringStyle.GOOGLE)
    except docstring_parser.ParseError:  # generated docstrings are free-form; a tool without hints is still a tool
        return docstring_parser.Docstring()


def _inline(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a schema without titles, limits and references: what an agent needs to see."""
    if isinstance(schema, list):
        return [_inline(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    definitions = {**definitions, **schema.get("$defs", {})}
    if "$ref" in schema:
        return _inline(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    result = {}
    for key, value in schema.items():
        if key in ("title", "$defs", "maxLength", "minimum", "maximum", "propertyNames"):
            continue
        if key == "properties":
            result[key] = {name: _inline(prop, definitions) for name, prop in value.items()}
        else:
            result[key] = _inline(value, definitions)
    return result


def type_name(schema: Mapping[str, Any]) -> str:
    """Return the type that a JSON schema describes, in words: ``"array of string"``."""
    if "enum" in schema:
        return " | ".join(repr(value) for value in schema["enum"])
    if "const" in schema:
        return repr(schema["const"])
    if "anyOf" in schema:
        return " | ".join(type_name(option) for option in schema["anyOf"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"array of {type_name(schema.get('items', {}))}"
    return kind
