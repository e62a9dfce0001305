"""What the source of a tool says of it: which functions it may run, what it compares with, whether it can refuse."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from envscaler_gym.bundle import Bundle
from envscaler_gym.tools import method_nodes, parse_module

__all__ = ["ToolSource", "tool_sources"]

_LONGEST = 40  # characters of a text that is taken for a value and not for a sentence


class ToolSource(NamedTuple):
    """What the source of one tool says.

    Attributes:
        functions: Qualified names of the functions that it may run, its own first.
        texts: Texts that these compare with, and those among the module's constants.
        numbers: Numbers, likewise.
        can_refuse: Whether any of them makes a result whose ``"success"`` is not simply true.
    """

    functions: tuple[str, ...]
    texts: tuple[str, ...]
    numbers: tuple[float, ...]
    can_refuse: bool


def tool_sources(bundle: Bundle) -> Mapping[str, ToolSource]:
    """Return what the source says of each tool of a bundle. It is parsed, not run."""
    return _sources(bundle.source, bundle.manifest.class_name, tuple(bundle.tools))


@lru_cache(maxsize=16)
def _sources(source: str, class_name: str, tools: tuple[str, ...]) -> Mapping[str, ToolSource]:
    module = parse_module(source)
    owners = {
        function.lineno: f"{node.name}."
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef)
        for function in node.body
        if isinstance(function, ast.FunctionDef)
    }
    functions: dict[str, ast.FunctionDef] = {
        node.name: node for node in module.body if isinstance(node, ast.FunctionDef)
    }
    functions |= method_nodes(source, class_name)
    shared = [value for node in _constants(module) for value in _values(node)]
    found = {}
    for tool in tools:
        names = _reachable(tool, functions)
        nodes = [functions[name] for name in names]
        compared = [value for node in nodes for value in _compared(node)]
        values = dict.fromkeys(value for value in (*compared, *shared) if not isinstance(value, bool))
        found[tool] = ToolSource(
            functions=tuple(owners.get(node.lineno, "") + node.name for node in nodes),
            texts=tuple(value for value in values if isinstance(value, str)),
            numbers=tuple(value for value in values if isinstance(value, int | float)),
            can_refuse=any(_refuses(node) for node in nodes),
        )
    return found


def _reachable(tool: str, functions: Mapping[str, ast.FunctionDef]) -> list[str]:
    names, pending = [tool], [tool]
    while pending:
        for node in ast.walk(functions[pending.pop(0)]):
            # Any mention counts: functions are also passed on, and looked up in tables.
            name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
            if name in functions and name not in names:
                names.append(name)
                pending.append(name)
    return names


def _constants(module: ast.Module) -> Iterator[ast.AST]:
    """Yield the values that a module and its classes give to names."""
    bodies = [module.body, *(node.body for node in module.body if isinstance(node, ast.ClassDef))]
    for body in bodies:
        for node in body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                yield node.value


def _compared(function: ast.FunctionDef) -> Iterator[str | float]:
    for node in ast.walk(function):
        if isinstance(node, ast.Compare | ast.MatchValue | ast.Set | ast.Tuple | ast.List):
            yield from _values(node)


def _values(node: ast.AST) -> Iterator[str | float]:
    for child in ast.walk(node):
        value = child.value if isinstance(child, ast.Constant) else None
        if isinstance(value, int | float) or (isinstance(value, str) and 0 < len(value) <= _LONGEST):
            yield value


def _refuses(function: ast.FunctionDef) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "success" and not _is_true(value):
                    return True
        elif isinstance(node, ast.keyword) and node.arg == "success" and not _is_true(node.value):
            return True
    return False


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True
