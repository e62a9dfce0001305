"""Hypothesis strategies for the tools and states of an environment.

::

    from envscaler_gym.quality import strategies

    @given(strategies.call_sequences(get_bundle("envscaler/Library-v0")))
    def test_something(sequence):
        env.reset(seed=0, options={"scenario": sequence.scenario})
        for call in sequence.calls:
            env.step(call.to_action())

Arguments fit the tools' schemas. Most of their values are values of the state, so that calls meet records that exist;
the others are anything of the type, so that calls are refused as well. What fails shrinks: to the first records of the
state, to short texts and small numbers, without the optional arguments, in as few calls as it takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

try:
    from hypothesis import assume
    from hypothesis import strategies as st
    from hypothesis.strategies import SearchStrategy
except ModuleNotFoundError as error:
    raise ModuleNotFoundError('Property tests need Hypothesis: pip install "envscaler-gym[testing]"') from error

from envscaler_gym.ambient import Ambient
from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import BundleError, EnvironmentFailure, UnknownNameError, did_you_mean, shorten
from envscaler_gym.isolation import make_runtime
from envscaler_gym.quality.properties.call_source import CallSource, known_arguments, maybe
from envscaler_gym.quality.properties.typed_states import typed_states
from envscaler_gym.scenario import Scenario, StartState
from envscaler_gym.tools import Tool
from envscaler_gym.types import JSON, ToolCall

__all__ = [
    "CallSequence",
    "arguments",
    "call_sequences",
    "calls",
    "episode_seed",
    "present",
    "scenarios",
    "start_states",
    "states",
]


@dataclass(frozen=True, slots=True)
class CallSequence:
    """Calls that were made one after the other from the start of a scenario.

    With ``env.reset(seed=0, options={"scenario": sequence.scenario})`` they do the same again, ids included.

    Attributes:
        scenario: Id of the scenario.
        calls: The calls. Where a tool failed, its call is the last.
        state: The state that they led to; before the last call, where it failed.
    """

    scenario: str
    calls: tuple[ToolCall, ...]
    state: Mapping[str, Any] = field(repr=False)


def arguments(tool: Tool, state: Mapping[str, Any] | None = None) -> SearchStrategy[dict[str, JSON]]:
    """Return a strategy for arguments that fit a tool's schema.

    Args:
        tool: The tool, from ``bundle.tools``.
        state: Where most of the values come from; ``None``: from nowhere.
    """
    return CallSource([tool.spec], state or {}, {}).arguments(tool.name)


def calls(
    bundle: Bundle, state: Mapping[str, Any] | None = None, *, tools: Sequence[str] | None = None
) -> SearchStrategy[ToolCall]:
    """Return a strategy for single calls.

    Args:
        bundle: The environment.
        state: Where most of the values come from; ``None``: from one of the start states.
        tools: Names of the tools to call; ``None`` for all.

    Raises:
        UnknownNameError: There is no tool of a name.
        BundleError: There are no start states to take values from.
    """
    names = list(bundle.tools) if tools is None else list(tools)
    for name in names:
        if name not in bundle.tools:
            raise UnknownNameError(f"{bundle.id} has no tool {shorten(name)}.{did_you_mean(name, bundle.tools)}")
    if state is not None:
        return CallSource(bundle.tools.specs, state, {}).calls(names)
    sources = _Sources(bundle)
    return start_states(bundle).flatmap(lambda start: sources.at_start(start.id).calls(names))


def call_sequences(bundle: Bundle, *, max_size: int = 12, trust: bool = False) -> SearchStrategy[CallSequence]:
    """Return a strategy for calls in a row, each drawn from the state that those before it led to.

    To know that state, the calls are made as they are drawn: in this process where the code is reviewed, else in a
    worker.

    Args:
        bundle: The environment; it needs scenarios.
        max_size: Most calls.
        trust: Run code that nobody has reviewed in this process.

    Raises:
        BundleError: There are no scenarios.
        UnreviewedCodeError: As :func:`envscaler_gym.isolation.make_runtime`, when something is drawn.
        IsolationUnavailable: Likewise.
    """
    return _call_sequences(bundle, scenarios(bundle), _Sources(bundle), list(bundle.tools), max_size, trust)


def states(
    bundle: Bundle, *, reachable: bool = True, max_size: int = 12, trust: bool = False
) -> SearchStrategy[dict[str, Any]]:
    """Return a strategy for states.

    Reachable ones are what calls make of a start state: the environment's rules hold in them, unless a tool breaks
    them. The others fit the declared types, each record is filed under its own key, and a reference names a record that
    exists (:class:`~envscaler_gym.manifest.Entity`), but nothing else is certain: they are for trying invariants and
    the tools' manners in places where no call leads.

    Args:
        bundle: The environment.
        reachable: Which of the two.
        max_size: Most calls that lead to a reachable state; most records of a kind in the others.
        trust: Run code that nobody has reviewed in this process. The others run no code.

    Raises:
        BundleError: There are no scenarios, or no start states.
        UnreviewedCodeError: As :func:`call_sequences`.
        IsolationUnavailable: Likewise.
    """
    if not reachable:
        return typed_states(bundle, start_states(bundle), max_size)
    writing = [name for name, tool in bundle.tools.items() if tool.kind == "state_change"] or list(bundle.tools)
    sequences = _call_sequences(bundle, scenarios(bundle), _Sources(bundle), writing, max_size, trust)
    return sequences.map(lambda sequence: dict(sequence.state))


def start_states(bundle: Bundle) -> SearchStrategy[StartState]:
    """Return a strategy for the start states of a bundle, which shrinks to the first.

    Raises:
        BundleError: There are none.
    """
    return st.sampled_from(_some(list(bundle.start_states.values()), bundle, "start states"))


class _HasSource(Protocol):
    source: CallSource


def present(name: str) -> SearchStrategy[JSON]:
    """Return a strategy for values that the present state of a state machine holds in fields of a name.

    It is for the rules of subclasses of :func:`envscaler_gym.quality.state_machine`. Where the state has no such value,
    Hypothesis gives the run up; a ``@precondition`` keeps the rule from being chosen then.

    Args:
        name: Name of a field or parameter, such as ``"member_id"``.
    """
    return st.runner().flatmap(lambda machine: _present(machine, name))


def _present(machine: _HasSource, name: str) -> SearchStrategy[JSON]:
    found = machine.source.candidates.of(name)
    assume(found)
    return st.sampled_from(found)


def episode_seed(scenario: Scenario) -> str:
    """Return the seed of ids and randomness of the episode that ``reset(seed=0)`` starts with a scenario."""
    return f"0:0:{scenario.id}"


def scenarios(bundle: Bundle) -> SearchStrategy[Scenario]:
    """Return a strategy for the scenarios of a bundle, which shrinks to the first.

    Raises:
        BundleError: There are none.
    """
    return st.sampled_from(_some(list(bundle.scenarios.values()), bundle, "scenarios"))


def _some(items: list[Any], bundle: Bundle, what: str) -> list[Any]:
    if not items:
        raise BundleError(
            f"{bundle.id} has no {what}, so there is nothing to begin with; add some to its scenarios.jsonl"
        )
    return items


class _Sources:
    """What calls of an environment are drawn from, by start state; made when first asked for, and kept."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._known = known_arguments(bundle)
        self._at_start: dict[str, CallSource] = {}

    def at_start(self, start_state: str) -> CallSource:
        if start_state not in self._at_start:
            self._at_start[start_state] = self.later(start_state, self._bundle.start_states[start_state].state)
        return self._at_start[start_state]

    def later(self, start_state: str, state: Mapping[str, Any]) -> CallSource:
        return CallSource(self._bundle.tools.specs, state, self._known[start_state])


@st.composite
def _call_sequences(
    draw: st.DrawFn,
    bundle: Bundle,
    choices: SearchStrategy[Scenario],
    sources: _Sources,
    names: list[str],
    max_size: int,
    trust: bool,
) -> CallSequence:
    scenario, tools = draw(choices), bundle.tools
    start = bundle.start_states[scenario.start_state]
    with closing(make_runtime(bundle, trust=trust).world) as world:
        world.load(start.state, Ambient(scenario.clock, episode_seed(scenario)))
        source, state = sources.at_start(start.id), world.state()
        made: list[ToolCall] = []
        for _ in range(draw(st.integers(0, max_size))):
            call = draw(maybe(source.calls(names)))
            if call is None:
                continue
            made.append(call)
            try:
                result = world.call(call.name, tools[call.name].validate(call.arguments))
                state = world.state()
            except EnvironmentFailure:
                break
            if result.success and tools[call.name].kind == "state_change":
                source = sources.later(start.id, state)
        return CallSequence(scenario.id, tuple(made), state)
