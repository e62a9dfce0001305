"""What is wrong with the source of a check, found without running it."""

from __future__ import annotations

import ast

from envscaler_gym.isolation.lint import lint
from envscaler_gym.syntax import parse

__all__ = ["source_problems"]


def source_problems(source: str) -> list[str]:
    """List what is wrong with the source of a check, nothing where it can be tried.

    It must be Python that the lint has no findings in, and define ``check_func(final_state)``. A check that looks at
    neither state says the same of every episode.
    """
    problems = [str(finding) for finding in lint(source)]
    if problems:
        return problems
    tree = parse(source)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check_func"]
    if len(functions) != 1:
        return [f"must define one function check_func(final_state) at the top level, defines {len(functions)}"]
    parameters = functions[0].args
    if ast.unparse(parameters) not in ("final_state", "final_state: dict", "final_state: Dict[str, Any]"):
        problems.append(f"check_func must take final_state and nothing else, takes ({ast.unparse(parameters)})")
    if not any(isinstance(node, ast.Name) and node.id == "final_state" for node in ast.walk(functions[0])):
        problems.append("check_func never looks at final_state")
    if "final_state" in {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }:
        problems.append("final_state is assigned to; it is only to be read")
    return problems
