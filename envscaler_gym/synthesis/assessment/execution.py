"""Calls that are tried one by one, with what each of them changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from envscaler_gym.ambient import Ambient
from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import EnvironmentFailure, describe_error
from envscaler_gym.isolation import make_runtime
from envscaler_gym.state import diff
from envscaler_gym.types import JSON

__all__ = ["Execution", "TriedCall", "try_calls"]

_LONGEST = 6000  # characters of a result that a model is shown


class TriedCall(NamedTuple):
    """What a call came to.

    Attributes:
        result: The result's text; empty where the call failed.
        failure: What the environment failed with; empty where it did not.
        changes: What it changed in the state, a line each.
    """

    result: str
    failure: str
    changes: tuple[str, ...]


class Execution(NamedTuple):
    """What a number of calls came to.

    Attributes:
        calls: What each came to.
        state: The state after the last one.
        clock: The time then.
    """

    calls: tuple[TriedCall, ...]
    state: Mapping[str, JSON]
    clock: str


def try_calls(
    bundle: Bundle, state: Mapping[str, JSON], clock: str, seed: str, calls: Sequence[tuple[str, Mapping[str, JSON]]]
) -> Execution:
    """Run calls one after the other in a worker.

    Each begins with a fresh instance in the state that the one before it left. A call that fails changes nothing for
    those behind it.

    Args:
        bundle: The environment.
        state: The state before the first call.
        clock: The time then, ISO 8601.
        seed: Seed of ids and randomness.
        calls: Name and validated arguments of each.
    """
    world, ambient = make_runtime(bundle).world, Ambient(clock, seed)
    tried = []
    try:
        for name, arguments in calls:
            try:
                before = world.load(state, ambient)
                result = world.call(name, dict(arguments)).text
                after = world.state()
            except EnvironmentFailure as error:
                tried.append(TriedCall("", describe_error(error, 500), ()))
                continue
            tried.append(TriedCall(result[:_LONGEST], "", tuple(map(str, diff(before, after)))))
            state = after
    finally:
        world.close()
    return Execution(tuple(tried), state, ambient.now().isoformat())
