"""Invariants: the rules of an environment as functions of a state."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from envscaler_gym.ambient import ambient_builtins
from envscaler_gym.errors import LoadFailure
from envscaler_gym.world import compile_source

__all__ = ["Invariant", "load_invariants"]


class Invariant(NamedTuple):
    """One rule.

    Attributes:
        name: Name of the function.
        rule: The rule, as the manifest words it.
        violations: Function of a state that lists what breaks the rule; an empty list where it holds.
    """

    name: str
    rule: str
    violations: Callable[[Mapping[str, Any]], list[str]]


def load_invariants(source: str, builtins: Mapping[str, Any] | None = None) -> tuple[Invariant, ...]:
    """Execute a bundle's ``invariants.py`` and return its public functions in order.

    Args:
        source: Source of the module; reviewed, unless this process is a worker.
        builtins: Builtins of the module; ``None`` for all, with stand-ins for clock and randomness.

    Raises:
        LoadFailure: The module cannot be executed.
    """
    namespace: dict[str, Any] = {
        "__name__": "envscaler.invariants",
        "__builtins__": dict(builtins or ambient_builtins()),
    }
    try:
        exec(compile_source(source, "<invariants>"), namespace)  # noqa: S102 - reviewed, or in a worker
    except Exception as error:
        raise LoadFailure(f"invariants.py raised {type(error).__name__}: {error}") from error
    return tuple(
        Invariant(name, (inspect.getdoc(function) or name).partition("\n")[0], function)
        for name, function in namespace.items()
        if inspect.isfunction(function) and not name.startswith("_") and function.__module__ == namespace["__name__"]
    )
