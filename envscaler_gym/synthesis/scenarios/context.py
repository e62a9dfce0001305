"""What prompts show of an environment."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from envscaler_gym.bundle import Bundle
from envscaler_gym.state import to_json
from envscaler_gym.tools import parse_module
from envscaler_gym.types import JSON

__all__ = ["entities_text", "leeway_text", "rules_text", "state_text", "tools_text", "types_text"]


def types_text(bundle: Bundle) -> str:
    """Return the part of the source that says what a state is: types, constants, and how the class starts out."""
    module = parse_module(bundle.source)
    kept: list[ast.stmt] = []
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name == bundle.manifest.class_name:
            body = [part for part in node.body if not isinstance(part, ast.FunctionDef) or part.name == "__init__"]
            kept.append(ast.ClassDef(node.name, node.bases, node.keywords, body or [ast.Pass()], node.decorator_list))
        elif isinstance(node, ast.ClassDef | ast.Assign | ast.AnnAssign):
            kept.append(node)
    return ast.unparse(ast.fix_missing_locations(ast.Module(kept, [])))


def entities_text(bundle: Bundle) -> str:
    """Return the kinds of records, a line each."""
    lines = []
    for entity in bundle.manifest.entities:
        key = f", key {entity.key}" if entity.key else ""
        references = ", ".join(f"{field} → {target}" for field, target in entity.references.items())
        lines.append(f"* {entity.name}{key}: {entity.description}{f' References: {references}.' if references else ''}")
    return "\n".join(lines) or "(the class says)"


def leeway_text(comparisons: Mapping[str, Mapping[str, str]]) -> str:
    """Return which fields a check does not compare literally, a line each.

    Args:
        comparisons: ``"exact"``, ``"exempt"`` or ``"free_text"``, by entity and field.
    """
    meaning = {"exempt": "made by the program; not compared", "free_text": "a person's own words; compared loosely"}
    lines = [
        f"* {entity}.{field}: {meaning[kind]}"
        for entity, fields in comparisons.items()
        for field, kind in fields.items()
        if kind in meaning
    ]
    return "\n".join(lines) or "(what the program makes up, and a person's own words)"


def rules_text(bundle: Bundle) -> str:
    """Return the rules, a line each."""
    return "\n".join(f"* {rule}" for rule in bundle.manifest.rules) or "(none are written down)"


def tools_text(bundle: Bundle, *, arguments: bool = False) -> str:
    """Return the tools: the call with its types and what it does, and what its arguments mean if asked for."""
    parts = []
    for tool in bundle.tools.values():
        description = " ".join(tool.spec.description.split())
        parts.append(f"* `{tool.signature}` ({'looks' if tool.kind == 'query' else 'changes'}): {description}")
        if arguments:
            parts += [f"  * {name}: {_meaning(schema)}" for name, schema in tool.spec.parameters["properties"].items()]
    return "\n".join(parts)


def _meaning(schema: Mapping[str, JSON]) -> str:
    """Return what an argument stands for; the whole schema where the call's signature does not show its form."""
    whole = to_json(schema)
    return whole if '"properties"' in whole else schema.get("description", "(as its name says)")


def state_text(state: object) -> str:
    """Return a state as compact JSON."""
    return to_json(state)
