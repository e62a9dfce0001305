"""The world of an environment, watched: what every environment must do is looked at after every call."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from envscaler_gym.ambient import Ambient
from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import EnvironmentFailure, shorten
from envscaler_gym.isolation import make_runtime
from envscaler_gym.isolation.evidence import not_json, shape_problem
from envscaler_gym.quality.defects import (
    Defect,
    InvariantViolated,
    OddResult,
    QueryChangedState,
    RefusalChangedState,
    StateOfOtherTypes,
    ToolRaised,
)
from envscaler_gym.quality.probing import Prober, make_prober
from envscaler_gym.quality.state_types import StateTypes
from envscaler_gym.quality.strategies import episode_seed
from envscaler_gym.scenario import Scenario
from envscaler_gym.state import canonical_json, diff
from envscaler_gym.types import JSON
from envscaler_gym.world import World

__all__ = ["WatchedWorld"]

_CHANGES = 3  # changes that a message lists


class WatchedWorld:
    """The world of an environment's episodes, one after the other.

    Args:
        bundle: The environment.
        trust: Run code that nobody has reviewed in this process.
        ignore: Kinds of defects that are let pass; not :class:`ToolRaised`.

    Attributes:
        state: The state after the last call; not to be modified.
        changed: Whether the last call changed it.
    """

    state: Mapping[str, Any]
    changed: bool

    def __init__(self, bundle: Bundle, *, trust: bool, ignore: Collection[type[Defect]]) -> None:
        self._bundle = bundle
        self._ignored = tuple(ignore)
        self._trust = trust
        self._types = StateTypes.of(bundle)
        self._world: World | None = None
        self._judge: Prober | None = None

    def load(self, scenario: Scenario) -> None:
        """Begin where a scenario begins.

        Raises:
            Defect: The state at the start does not fit its types, or an invariant does not hold in it.
            LoadFailure: The class cannot be built, or the invariants cannot be executed.
            IsolationUnavailable: They are to run in a worker, and this machine cannot lock one down.
        """
        if self._judge is None and self._bundle.invariants_source:
            self._judge = make_prober(self._bundle, trust=self._trust)
        self._world = make_runtime(self._bundle, trust=self._trust).world
        ambient = Ambient(scenario.clock, episode_seed(scenario))
        self._world.load(self._bundle.start_states[scenario.start_state].state, ambient)
        self._see(self._world.state())
        self._check_state("the start state")

    def call(self, name: str, arguments: dict[str, JSON]) -> JSON:
        """Call a tool with validated arguments, and return its result.

        Raises:
            Defect: The call did something that no call may do.
        """
        what = f"{name}({shorten(arguments, 200)})"
        text, state = self._try(name, arguments, what)
        result = json.loads(text)
        problem = shape_problem(result)
        if problem:
            self._found(OddResult(f"{what}: {problem}: {shorten(result, 200)}"))
        before, encoded = self.state, self._encoded
        self._see(state)
        self.changed = self._encoded != encoded
        if self.changed:
            if isinstance(result, dict) and result.get("success") is False:
                self._found(RefusalChangedState(f"{what} was refused and changed the state: {_changes(before, state)}"))
            elif self._bundle.tools[name].kind == "query":
                self._found(QueryChangedState(f"{what} is a query and changed the state: {_changes(before, state)}"))
            self._check_state(f"the state after {what}")
        return result

    def close(self) -> None:
        """Close the world of the episode. The next one has another."""
        if self._world is not None:
            self._world.close()

    def _try(self, name: str, arguments: dict[str, JSON], what: str) -> tuple[str, dict[str, Any]]:
        assert self._world is not None, "load() comes first"
        try:
            text = self._world.call(name, arguments).text
        except EnvironmentFailure as failure:
            raise ToolRaised(f"{type(failure).__name__}: {failure}") from None
        try:
            return text, self._world.state()
        except EnvironmentFailure as failure:
            raise StateOfOtherTypes(f"the state after {what}: {type(failure).__name__}: {failure}") from None

    def _found(self, defect: Defect) -> None:
        if not isinstance(defect, self._ignored):
            raise defect

    def _see(self, state: Mapping[str, Any]) -> None:
        self.state, self._encoded = state, canonical_json(state)

    def _check_state(self, what: str) -> None:
        problems = [line for name, value in self.state.items() for line in not_json(value, name)]
        problems += self._types.problems(self.state)
        if problems:
            self._found(StateOfOtherTypes(f"{what}: {problems[0]}"))
        for name, lines in self._violations().items():
            self._found(InvariantViolated(f"{what}: {name}: {lines[0]}"))

    def _violations(self) -> dict[str, list[str]]:
        if self._judge is None:
            return {}
        try:
            return self._judge.violations([self.state])[0]
        except EnvironmentFailure as failure:
            self._judge.close()
            self._judge = None
            return {"invariants.py": [f"{type(failure).__name__}: {failure}"]}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    return "; ".join(map(str, diff(before, after)[:_CHANGES]))
