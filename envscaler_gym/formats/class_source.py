"""What the published metadata repeats of a class's source, derived from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from envscaler_gym.tools import parse_module
from envscaler_gym.types import JSON

__all__ = ["class_definition", "field_names", "function_details"]


def class_definition(source: str, class_name: str) -> str:
    """Return a module without the methods of a class, except its ``__init__``.

    Args:
        source: Source of the module.
        class_name: Name of the class.
    """
    lines = _lines(source)
    cls = _class(source, class_name)
    drop: set[int] = set()
    after_method = 0
    for node in cls.body:
        end = node.end_lineno or node.lineno
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name != "__init__":
            # Comments between two methods go too; those below ``__init__`` and attributes are about the state.
            drop.update(range(after_method or _first_line(node), end))
            after_method = end
        else:
            after_method = 0
    # A body that is methods only becomes ``pass``, so that what is left can still be parsed.
    emptied = all(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in cls.body)
    if emptied and not any(getattr(node, "name", "") == "__init__" for node in cls.body):
        at = _first_line(cls.body[0])
        lines[at] = " " * cls.body[0].col_offset + "pass"
        drop.discard(at)
    return "\n".join(line for number, line in enumerate(lines) if number not in drop).rstrip() + "\n"


def function_details(source: str, node: ast.FunctionDef) -> dict[str, JSON]:
    """Return a method as ``env_func_details`` describes it: signature, docstring and source.

    Args:
        source: Source of the module.
        node: The method's syntax tree.
    """
    return {
        "signature": {
            "parameters": [
                {"name": arg.arg, "type": _unparse(arg.annotation) or "Any", "default": _unparse(default), "kind": kind}
                for arg, default, kind in _parameters(node)
            ],
            "return": _unparse(node.returns) or "Any",
        },
        "doc": ast.get_docstring(node) or "",
        "source_code": "\n".join(_lines(source)[_first_line(node) : node.end_lineno]),
    }


def field_names(source: str, record: str | None) -> list[str]:
    """List the fields of a TypedDict that the module defines; empty where it defines none of that name."""
    return [
        statement.target.id
        for cls in parse_module(source).body
        if isinstance(cls, ast.ClassDef) and cls.name == record
        for statement in cls.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    ]


def _parameters(node: ast.FunctionDef) -> Iterator[tuple[ast.arg, ast.expr | None, str]]:
    spec = node.args
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
    defaults: list[ast.expr | None] = [None] * (len(spec.args) - len(spec.defaults)) + list(spec.defaults)
    for arg, default in list(zip(spec.args, defaults, strict=True))[0 if static else 1 :]:
        yield arg, default, "positional-or-keyword"
    if spec.vararg:
        yield spec.vararg, None, "var-positional"
    for arg, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        yield arg, default, "keyword-only"
    if spec.kwarg:
        yield spec.kwarg, None, "var-keyword"


def _class(source: str, class_name: str) -> ast.ClassDef:
    classes: list[Any] = [node for node in parse_module(source).body if isinstance(node, ast.ClassDef)]
    return next(node for node in reversed(classes) if node.name == class_name)  # type: ignore[no-any-return]  # filtered


def _lines(source: str) -> list[str]:
    """Split as Python counts lines, which ``str.splitlines`` does not."""
    return source.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _first_line(node: ast.stmt) -> int:
    """Return the index of a statement's first line, decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)]) - 1


def _unparse(node: ast.expr | None) -> str | None:
    return None if node is None else ast.unparse(node)
