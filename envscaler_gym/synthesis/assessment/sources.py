"""The part of a class that a judge of some of its tools has to read."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from envscaler_gym.bundle import Bundle
from envscaler_gym.quality.worlds.tool_sources import tool_sources
from envscaler_gym.tools import method_nodes, parse_module

__all__ = ["source_of"]


def source_of(bundle: Bundle, tools: Iterable[str]) -> str:
    """Return the class's constants, some of its tools without their docstrings, and all that these call."""
    names = {qualified.rpartition(".")[2] for tool in tools for qualified in tool_sources(bundle)[tool].functions}
    module = parse_module(bundle.source)
    constants = [
        node
        for owner in module.body
        if isinstance(owner, ast.ClassDef) and owner.name == bundle.manifest.class_name
        for node in owner.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
    ]
    methods = [node for name, node in method_nodes(bundle.source, bundle.manifest.class_name).items() if name in names]
    for method in methods:
        if not method.name.startswith("_") and ast.get_docstring(method) is not None:
            method.body = method.body[1:] or [ast.Pass()]
    return "\n\n".join(map(ast.unparse, [*constants, *methods]))
