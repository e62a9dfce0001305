"""From what a solver did to a reference solution: what failed is left out, and so is looking at what nothing needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from envscaler_gym.episode import Turn
from envscaler_gym.scenario import SolutionCall
from envscaler_gym.synthesis.scenarios.values import Scalar, scalars, stands_in
from envscaler_gym.tools import Tool, Toolset
from envscaler_gym.types import JSON

__all__ = ["needed_calls", "successful_calls"]


def successful_calls(
    calls: Sequence[SolutionCall], turns: Sequence[Turn]
) -> tuple[tuple[SolutionCall, ...], tuple[Turn, ...]]:
    """Return the calls that succeeded, with what they returned."""
    pairs = [(call, turn) for call, turn in zip(calls, turns, strict=True) if turn.outcome == "success"]
    return tuple(call for call, _ in pairs), tuple(turn for _, turn in pairs)


def needed_calls(
    tools: Toolset, said: str, calls: Sequence[SolutionCall], turns: Sequence[Turn]
) -> tuple[SolutionCall, ...]:
    """Leave out queries whose results no later call makes use of.

    A query is needed when it shows a value that stands in the arguments of a later call that is needed, and that
    neither the task says nor an earlier call that is needed shows.

    Args:
        tools: The tools.
        said: All that the agent is told: task and requests.
        calls: Calls that succeed one after the other.
        turns: What they returned.

    Returns:
        The calls that are needed, in order; all that change the state are.
    """
    shown = [frozenset(scalars(_decoded(turn.observation), keys=True)) for turn in turns]
    needed = {index for index, call in enumerate(calls) if tools[call.name].kind == "state_change"}
    waiting = sorted(needed, reverse=True)
    while waiting:
        index = waiting.pop()
        for value in dict.fromkeys(_values(tools[calls[index].name], calls[index])):
            if stands_in(value, said):
                continue
            sources = [earlier for earlier in range(index) if value in shown[earlier]]
            if sources and needed.isdisjoint(sources):
                needed.add(sources[0])
                waiting.append(sources[0])
    return tuple(call for index, call in enumerate(calls) if index in needed)


def _decoded(text: str) -> JSON:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _values(tool: Tool, call: SolutionCall) -> Iterator[Scalar]:
    """Yield the values of a call's arguments, but for those that the schema lists."""
    properties = tool.spec.parameters["properties"]
    for name, value in call.arguments.items():
        if "enum" not in str(properties.get(name, "")):
            yield from scalars(value, keys=True)
