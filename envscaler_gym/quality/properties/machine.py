"""A Hypothesis state machine for any environment: its tools are the rules."""

from __future__ import annotations

import sys
import types
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

try:
    from hypothesis import note
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
    from hypothesis.strategies import SearchStrategy
except ModuleNotFoundError as error:
    raise ModuleNotFoundError('Property tests need Hypothesis: pip install "envscaler-gym[testing]"') from error

from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import UnknownNameError, did_you_mean, shorten
from envscaler_gym.quality.defects import Defect, ToolRaised, program
from envscaler_gym.quality.properties.call_source import CallSource, Known, known_arguments, maybe
from envscaler_gym.quality.properties.watching import WatchedWorld
from envscaler_gym.quality.strategies import scenarios
from envscaler_gym.registry import get_bundle
from envscaler_gym.scenario import Scenario
from envscaler_gym.tools import InvalidArguments
from envscaler_gym.types import JSON, ToolCall

__all__ = ["EnvironmentMachine", "state_machine"]

_RESULTS = 20  # results whose values are used again, even where the state has forgotten them


class EnvironmentMachine(RuleBasedStateMachine):
    """What the machines of all environments have in common. :func:`state_machine` makes subclasses of it.

    Subclasses may add rules and invariants that use what stands here.

    Attributes:
        environment: The bundle.
        trust: Whether its code runs in this process though nobody has reviewed it.
        scenario: The scenario that the run began with.
        initial_state: The state at the start; not to be modified.
        state: The state as it is now; not to be modified.
        calls: The calls so far.
        source: What arguments are drawn from.
    """

    environment: ClassVar[Bundle]
    trust: ClassVar[bool]
    _world: ClassVar[WatchedWorld]
    _known: ClassVar[Mapping[str, Known]]
    scenario: Scenario
    initial_state: Mapping[str, Any]
    state: Mapping[str, Any]
    calls: list[ToolCall]
    source: CallSource

    def __init__(self) -> None:
        super().__init__()
        self.calls = []
        self._results: deque[JSON] = deque(maxlen=_RESULTS)

    def start(self, scenario: str) -> None:
        """Load a scenario's start state, and see whether types and invariants hold in it.

        Raises:
            Defect: They do not.
        """
        self.scenario = self.environment.scenario(scenario)
        self._world.load(self.scenario)
        self._look()
        self.initial_state = self.state

    def call(self, tool: str, /, **arguments: JSON) -> JSON:
        """Call a tool, and see whether it does what every tool must.

        Args:
            tool: Its name.
            arguments: Its arguments.

        Returns:
            What the tool returned.

        Raises:
            Defect: It raised; it returned something unconventional; it was refused, or only reads, and yet changed the
                state; or the state it left does not fit its types or the bundle's invariants.
            UnknownNameError: There is no such tool.
            ValueError: The arguments do not fit its schema.
        """
        tools = self.environment.tools
        if tool not in tools:
            raise UnknownNameError(f"There is no tool {shorten(tool)}.{did_you_mean(tool, tools)}")
        try:
            checked = tools[tool].validate(arguments)
        except InvalidArguments as error:
            raise ValueError(str(error)) from None
        self.calls.append(ToolCall(tool, arguments))
        result = self._world.call(tool, checked)
        if self._world.changed:
            self._results.append(result)
            self._look()
        return result

    def teardown(self) -> None:
        """Print the run as a program, where it is one that fails, and close the world."""
        if hasattr(self, "scenario"):
            note(program(self.environment, self.scenario, self.calls, sys.exception(), trust=self.trust))
        self._world.close()

    def _look(self) -> None:
        self.state = self._world.state
        known = self._known[self.scenario.start_state]
        self.source = CallSource(self.environment.tools.specs, self.state, known, self._results)


_RESERVED = {*dir(EnvironmentMachine), *EnvironmentMachine.__annotations__, *RuleBasedStateMachine.__annotations__}


def state_machine(
    environment: str | Bundle, *, ignore: Collection[type[Defect]] = (), trust: bool = False
) -> type[EnvironmentMachine]:
    """Return a Hypothesis state machine for an environment.

    A run begins with one of the scenarios, and each step calls a tool: there is one rule for each, of the tool's name.
    Most arguments are values of the state as it is then. After every call these must hold: the tool has not raised, its
    result has the conventional form, a call that was refused and a tool that only reads have left the state as it was,
    the state fits its declared types, and the bundle's invariants hold.

    What fails is shrunk, and printed as a program for the Gymnasium environment. ``state_machine(...).TestCase`` is a
    test that pytest and unittest run; a subclass may add ``@rule`` and ``@invariant`` methods of its own.

    Args:
        environment: Id, name or path of the environment, or its bundle.
        ignore: Kinds of defects (:mod:`envscaler_gym.quality.defects`) that are known and let pass.
        trust: Run code that nobody has reviewed in this process. It runs in workers otherwise.

    Raises:
        UnknownNameError: There is no such environment.
        BundleError: It is malformed, or has no scenarios.
        ValueError: ``ToolRaised`` is to be ignored.
    """
    if ToolRaised in ignore:
        raise ValueError(
            "ToolRaised cannot be ignored: nothing certain is left to go on with. Leave the tool out instead: "
            "in a subclass of the machine, set its name to None."
        )
    bundle = get_bundle(environment) if isinstance(environment, str) else environment
    start = initialize(scenario=scenarios(bundle).map(lambda scenario: scenario.id))(EnvironmentMachine.start)
    members: dict[str, Any] = {
        "__module__": __name__,
        "environment": bundle,
        "trust": trust,
        "_world": WatchedWorld(bundle, trust=trust, ignore=ignore),
        "_known": known_arguments(bundle),
        "start": start,
    }
    for tool in bundle.tools:
        name = f"{tool}_" if tool in _RESERVED else tool
        members[name] = rule(arguments=_arguments(tool))(_step(tool, name))
    name = f"{bundle.manifest.class_name}Machine"
    made: type[EnvironmentMachine] = types.new_class(
        name, (EnvironmentMachine,), exec_body=lambda body: body.update(members)
    )
    return made


def _arguments(tool: str) -> SearchStrategy[dict[str, JSON] | None]:
    """Return a strategy for arguments of a tool, in the state of the machine that draws from it.

    Now and then it is ``None``, for a step without a call. Hypothesis deletes only steps that take few choices; a step
    with many shrinks to such a one first, and is deleted then.
    """
    return st.runner().flatmap(lambda machine: maybe(machine.source.arguments(tool)))


def _step(tool: str, name: str) -> Callable[..., None]:
    def step(machine: EnvironmentMachine, arguments: dict[str, JSON] | None) -> None:
        if arguments is not None:
            machine.call(tool, **arguments)

    step.__name__ = step.__qualname__ = name
    return step
