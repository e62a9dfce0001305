"""States as what sets them apart from another state, so that bundles need not repeat themselves.

A delta is ``{"changed": [[path, value], …], "removed": [path, …]}``; a path lists the keys and indexes from the top.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from envscaler_gym.state import copy_state, diff
from envscaler_gym.types import JSON

__all__ = ["apply_delta", "delta"]


def delta(base: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, JSON] | None:
    """Return what makes a state of another one; ``None`` where that would not give the same order of keys.

    Args:
        base: The state to start from.
        state: The state to arrive at.
    """
    changes = diff(base, state)
    found: dict[str, JSON] = {
        "changed": [[list(change.path), change.after] for change in changes if change.kind != "removed"],
        "removed": [list(change.path) for change in changes if change.kind == "removed"],
    }
    return found if json.dumps(apply_delta(base, found)) == json.dumps(state) else None


def apply_delta(base: Mapping[str, Any], changes: Mapping[str, JSON]) -> dict[str, Any]:
    """Return the state that a delta makes of another one, which stays as it is.

    Args:
        base: The state to start from.
        changes: The delta.

    Raises:
        ValueError: It is malformed, or leads to a place that the state does not have.
    """
    state: dict[str, Any] = copy_state(dict(base))
    try:
        for path, value in changes["changed"]:
            _holder(state, path)[path[-1]] = copy_state(value)
        for path in changes["removed"]:
            del _holder(state, path)[path[-1]]
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"the changes do not fit the state: {type(error).__name__}: {error}") from None
    return state


def _holder(state: Any, path: list[str | int]) -> Any:
    for key in path[:-1]:
        state = state[key]
    return state
