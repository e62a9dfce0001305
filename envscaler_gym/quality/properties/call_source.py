"""What calls can be drawn from at one moment of an episode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from envscaler_gym.bundle import Bundle
from envscaler_gym.quality.properties.schema_values import Candidates, fixed_order, values
from envscaler_gym.state import copy_state
from envscaler_gym.tools import InvalidArguments, Tool
from envscaler_gym.types import JSON, ToolCall, ToolSpec

__all__ = ["CallSource", "Known", "known_arguments", "maybe"]

Known = Mapping[str, Sequence[Mapping[str, JSON]]]
"""Arguments of reference solutions, by tool."""

_FROM_SOLUTION = 4  # one call in so many begins with arguments of a solution, where there are any
_OTHERWISE = 8  # and one of these in so many is another value
_NOTHING = 16  # one call in so many is left out

T = TypeVar("T")


class CallSource:
    """Strategies for calls, with the values of one state. They are built when they are first asked for, and kept.

    Args:
        specs: The tools.
        state: The state.
        known: Arguments of reference solutions, which fit each other as values that are drawn one by one seldom do.
        results: What earlier calls returned, whose values count like those of the state.

    Attributes:
        candidates: The values that are worth trying.
    """

    def __init__(
        self, specs: Iterable[ToolSpec], state: Mapping[str, Any], known: Known, results: Iterable[JSON] = ()
    ) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._known = known
        self._arguments: dict[str, SearchStrategy[dict[str, JSON]]] = {}
        self.candidates = Candidates(state, results)

    def arguments(self, name: str) -> SearchStrategy[dict[str, JSON]]:
        """Return a strategy for the arguments of a tool."""
        if name not in self._arguments:
            schema = self._specs[name].parameters
            fields = {field: values(inner, field, self.candidates) for field, inner in schema["properties"].items()}
            known = self._known.get(name, ())
            self._arguments[name] = _arguments(fields, frozenset(schema.get("required", ())), known)
        return self._arguments[name]

    def calls(self, names: Sequence[str]) -> SearchStrategy[ToolCall]:
        """Return a strategy for calls of any of some tools."""
        return st.sampled_from(names).flatmap(
            lambda name: self.arguments(name).map(lambda arguments: ToolCall(name, arguments))
        )


@st.composite
def _arguments(
    draw: st.DrawFn,
    fields: Mapping[str, SearchStrategy[JSON]],
    required: frozenset[str],
    known: Sequence[Mapping[str, JSON]],
) -> dict[str, JSON]:
    """Draw arguments, some of which may come from a solution. Each of those shrinks to one that does not."""
    drawn = draw(fixed_order(fields, required))
    if not known or draw(st.integers(0, _FROM_SOLUTION - 1)) < _FROM_SOLUTION - 1:
        return drawn
    solved = draw(st.sampled_from(known))
    kept = {field for field in solved if draw(st.integers(0, _OTHERWISE - 1))}
    return {
        field: copy_state(solved[field]) if field in kept else drawn[field]
        for field in fields
        if field in kept or field in drawn
    }


def maybe(usual: SearchStrategy[T]) -> SearchStrategy[T | None]:
    """Return a strategy for what another one draws, and now and then for ``None``, to which it shrinks."""
    return st.integers(0, _NOTHING - 1).flatmap(lambda number: usual if number else st.none())


def known_arguments(bundle: Bundle) -> Mapping[str, Known]:
    """Return the arguments in the reference solutions, each once, by the start state that they begin in."""
    known: dict[str, dict[str, list[Mapping[str, JSON]]]] = {start: {} for start in bundle.start_states}
    for scenario in bundle.scenarios.values():
        for call in scenario.solution:
            seen = known[scenario.start_state].setdefault(call.name, [])
            if call.arguments not in seen and _fit(bundle.tools[call.name], call.arguments):
                seen.append(call.arguments)
    return known


def _fit(tool: Tool, arguments: Mapping[str, JSON]) -> bool:
    try:
        tool.validate(dict(arguments))
    except InvalidArguments:
        return False
    return True
