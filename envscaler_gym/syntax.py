"""Syntax trees, built one at a time.

CPython 3.11 counts the depth of all trees that are being built in one counter, so that two threads that build trees at
once make it raise ``SystemError: AST constructor recursion depth mismatch`` (python/cpython#106905).
"""

from __future__ import annotations

import ast
from _thread import allocate_lock  # workers have no use for the rest of threading

__all__ = ["parse", "parse_expression"]

_LOCK = allocate_lock()


def parse(source: str) -> ast.Module:
    """Return the syntax tree of a module.

    Args:
        source: Its source.

    Raises:
        SyntaxError: It is not Python.
        ValueError: It holds null characters.
        RecursionError: It is nested too deep; also ``MemoryError``.
    """
    with _LOCK:
        return ast.parse(source)


def parse_expression(source: str) -> ast.expr:
    """Return the syntax tree of an expression.

    Args:
        source: Its source.

    Raises:
        SyntaxError: It is not one; otherwise as for :func:`parse`.
    """
    with _LOCK:
        return ast.parse(source, mode="eval").body
