"""Syntax trees, built one at a time.

CPython 3.11 counts the depth of all trees that are being built in one counter, so that two threads that build trees at
once make it raise ``SystemError: AST constructor recursion depth mismatch`` (python/cpython#106905). Other packages
build some, too, when they are imported or print tracebacks; then the tree is built once more.
"""

from __future__ import annotations

import ast
from _thread import allocate_lock  # workers have no use for the rest of threading

__all__ = ["parse", "parse_expression"]

_LOCK = allocate_lock()
_TRIES = 20


def parse(source: str) -> ast.Module:
    """Return the syntax tree of a module.

    Args:
        source: Its source.

    Raises:
        SyntaxError: It is not Python.
        ValueError: It holds null characters.
        RecursionError: It is nested too deep; also ``MemoryError``.
    """
    tree = _built(source, "exec")
    assert isinstance(tree, ast.Module)
    return tree


def parse_expression(source: str) -> ast.expr:
    """Return the syntax tree of an expression.

    Args:
        source: Its source.

    Raises:
        SyntaxError: It is not one; otherwise as for :func:`parse`.
    """
    tree = _built(source, "eval")
    assert isinstance(tree, ast.Expression)
    return tree.body


def _built(source: str, mode: str) -> ast.AST:
    for _ in range(_TRIES):
        with _LOCK:
            try:
                tree: ast.AST = ast.parse(source, mode=mode)
            except SystemError as error:
                if "recursion depth mismatch" not in str(error):
                    raise
            else:
                return tree
    raise RecursionError("other threads build syntax trees all the time")
