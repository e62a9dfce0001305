"""What a state machine finds wrong with an environment, and the program that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from envscaler_gym import registry
from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import UnknownNameError
from envscaler_gym.scenario import Scenario
from envscaler_gym.types import ToolCall

__all__ = [
    "Defect",
    "InvariantViolated",
    "OddResult",
    "QueryChangedState",
    "RefusalChangedState",
    "StateOfOtherTypes",
    "ToolRaised",
    "program",
]

_STATE = "env.unwrapped.episode.world.state()"
_LONGEST = 500  # characters of a message in the program's last line


class Defect(AssertionError):
    """An environment does not do what every environment must.

    Attributes:
        before: Lines of a program that come before the last call, to show the defect.
        after: Lines that come behind it.
    """

    before: ClassVar[tuple[str, ...]] = ()
    after: ClassVar[tuple[str, ...]] = ()


class ToolRaised(Defect):
    """A tool raised, or its world failed otherwise, instead of returning a result."""


class OddResult(Defect):
    """A tool returned something else than a result of the conventional form."""

    after = (
        "import json",
        "from envscaler_gym.isolation.evidence import shape_problem",
        "assert not shape_problem(json.loads(observation)), observation",
    )


class RefusalChangedState(Defect):
    """A call was refused and yet changed the state."""

    before = (f"before = {_STATE}",)
    after = (f'assert {_STATE} == before, "the state has changed"',)


class QueryChangedState(RefusalChangedState):
    """A call of a tool that only reads changed the state."""


class StateOfOtherTypes(Defect):
    """The state is no JSON, or does not fit the types that the class declares."""

    after = (
        "from envscaler_gym.isolation.evidence import not_json",
        "from envscaler_gym.quality.state_types import StateTypes",
        f"state = {_STATE}",
        "problems = not_json(state, 'state') + StateTypes.of(env.unwrapped.bundle).problems(state)",
        "assert not problems, problems",
    )


class InvariantViolated(Defect):
    """One of the bundle's invariants does not hold."""

    after = (
        "from envscaler_gym.quality.probing import make_prober",
        "with make_prober(env.unwrapped.bundle{trust}) as prober:",
        f"    violations = prober.violations([{_STATE}])[0]",
        "assert not any(violations.values()), violations",
    )


def program(
    bundle: Bundle, scenario: Scenario, calls: Sequence[ToolCall], error: BaseException | None, *, trust: bool = False
) -> str:
    """Return calls as a program that makes them in the Gymnasium environment.

    Args:
        bundle: The environment. One that was never saved is found only where its id is registered.
        scenario: Where they start, with seed 0.
        calls: The calls.
        error: What the last of them showed; it stands in a comment. The program fails where it is a defect that the
            environment still has.
        trust: Whether the environment is to be made with ``trust=True``.
    """
    options = ", reward='none'" if scenario.checks is None else ""
    options += f", max_steps={len(calls) + 1}" if len(calls) >= scenario.max_steps else ""
    options += ", trust=True" if trust else ""
    lines = [
        "import gymnasium as gym",
        "import envscaler_gym",
        "",
        f"env = {_made(bundle)}{options})",
        f"env.reset(seed=0, options={{'scenario': {scenario.id!r}}})",
    ]
    steps = [f"observation = env.step({call.to_action()!r})[0]" for call in calls]
    defect = error if isinstance(error, Defect) else Defect()
    after = [line.replace("{trust}", ", trust=True" if trust else "") for line in defect.after]
    lines += [*steps[:-1], *(defect.before if steps else ()), *steps[-1:], *after]
    if error is not None:
        lines += f"# {type(error).__name__}: {error}"[:_LONGEST].splitlines()[:1]
    return "\n".join(lines) + "\n"


def _made(bundle: Bundle) -> str:
    """Return the beginning of the expression that makes the environment."""
    try:
        registered = registry.find(bundle.id)
    except UnknownNameError:
        registered = None
    if bundle.path is None or registered == bundle.path:
        return f"gym.make({bundle.id!r}"
    return f"envscaler_gym.ToolEnv({str(bundle.path)!r}"
