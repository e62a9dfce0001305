"""Rehearsals: calls of a scenario played outside of an environment, looked at after every step, and graded."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Self

from envscaler_gym.ambient import Ambient
from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import CheckResult, Score
from envscaler_gym.episode import error_text
from envscaler_gym.isolation.grading import IsolatedChecks
from envscaler_gym.isolation.levels import make_runtime
from envscaler_gym.isolation.limits import Limits
from envscaler_gym.quality.scenarios.edits import rename
from envscaler_gym.scenario import Scenario, SolutionCall
from envscaler_gym.tools import InvalidArguments
from envscaler_gym.types import JSON, ToolResult

__all__ = ["Play", "Rehearsal", "Step", "created_keys", "later"]

Key = tuple[str, str]
"""Attribute and key of a record."""

_BATCH = 32  # states that one worker is sent at a time


class Step(NamedTuple):
    """One call of a play.

    Attributes:
        number: Number of the call in the reference solution, from 0.
        call: The call as it was made.
        result: What it came to.
        state: The state after it; not to be modified.
        created: Records that it made.
    """

    number: int
    call: SolutionCall
    result: ToolResult
    state: Mapping[str, Any]
    created: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Play:
    """What came of some calls.

    Attributes:
        initial: The state at the start; not to be modified.
        steps: The calls, in order.
        ambient: Clock and random source as they were at the end.
    """

    initial: Mapping[str, Any]
    steps: tuple[Step, ...]
    ambient: Ambient

    @property
    def final(self) -> Mapping[str, Any]:
        """The state at the end; not to be modified."""
        return self.steps[-1].state if self.steps else self.initial

    @property
    def refused(self) -> tuple[Step, ...]:
        """Calls that did not succeed."""
        return tuple(step for step in self.steps if not step.result.success)

    def before(self, number: int) -> Mapping[str, Any]:
        """Return the state before the call of a number."""
        return self.steps[number - 1].state if number else self.initial

    def names_in(self, other: Play) -> dict[str, str]:
        """Return what the records that this play made are called in another of the same calls, where it differs."""
        made = {step.number: step.created for step in other.steps}
        return {
            mine[1]: theirs[1]
            for step in self.steps
            for mine, theirs in zip(step.created, made.get(step.number, ()), strict=False)
            if mine != theirs and mine[0] == theirs[0]
        }


class Rehearsal:
    """A bundle with what runs its code: this process where it is reviewed, else workers.

    Args:
        bundle: The bundle.
        seed: Seed of ids and randomness.
        trust: Run unreviewed code in this process.

    Raises:
        IsolationUnavailable: The code is to run in a worker, and this machine cannot lock one down.
    """

    def __init__(self, bundle: Bundle, *, seed: int, trust: bool = False) -> None:
        self.bundle = bundle
        self.seed = seed
        self._runtime = make_runtime(bundle, trust=trust)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runtime.world.close()

    def start(self, scenario: Scenario, *, seed: str | None = None, clock: str | None = None) -> Play:
        """Load a scenario's start state and make no call.

        Args:
            scenario: The scenario.
            seed: Seed of ids and randomness, where it is another than usual.
            clock: Time at the start, where it is another than the scenario's.

        Raises:
            EnvironmentFailure: It cannot be loaded.
        """
        ambient = Ambient(clock or scenario.clock, str(self.seed) if seed is None else seed)
        state = self.bundle.start_states[scenario.start_state].state
        return Play(self._runtime.world.load(state, ambient), (), ambient)

    def play(
        self,
        scenario: Scenario,
        *,
        order: Sequence[int] | None = None,
        like: Play | None = None,
        first: Sequence[SolutionCall] = (),
        seed: str | None = None,
        clock: str | None = None,
    ) -> Play:
        """Play a scenario's reference solution from its start. Calls that are refused are passed over.

        Args:
            scenario: The scenario.
            order: Numbers of the calls to make, in the order in which to make them; all of them unless given.
            like: A play of the same solution. What it made and gave ids to is called here by the ids given here.
            first: Calls to make before, which are to change nothing.
            seed: As for :meth:`start`.
            clock: As for :meth:`start`.

        Raises:
            EnvironmentFailure: The environment failed.
        """
        begun = self.start(scenario, seed=seed, clock=clock)
        for call in first:
            self.call(call.name, call.arguments)
        made = {} if like is None else {step.number: step.created for step in like.steps}
        names: dict[str, str] = {}
        state, steps = begun.initial, []
        for number in range(len(scenario.solution)) if order is None else order:
            call = scenario.solution[number]
            call = SolutionCall(name=call.name, arguments=rename(dict(call.arguments), names))
            step = self._step(number, call, state)
            pairs = zip(made.get(number, ()), step.created, strict=False)
            names |= {old[1]: new[1] for old, new in pairs if old != new and old[0] == new[0]}
            state = step.state
            steps.append(step)
        return Play(begun.initial, tuple(steps), begun.ambient)

    def call(self, name: str, arguments: Mapping[str, JSON]) -> ToolResult:
        """Make a call in the world as it is now.

        Raises:
            EnvironmentFailure: The environment failed.
        """
        tool = self.bundle.tools[name]
        try:
            checked = tool.validate(dict(arguments))
        except InvalidArguments as error:
            return ToolResult(error_text(str(error)), success=False)
        return self._runtime.world.call(name, checked)

    def _step(self, number: int, call: SolutionCall, before: Mapping[str, Any]) -> Step:
        result = self.call(call.name, call.arguments)
        if self.bundle.tools[call.name].kind == "query":
            return Step(number, call, result, before, ())
        state = self._runtime.world.state()
        return Step(number, call, result, state, tuple(created_keys(before, state)))

    def grade(self, scenario: Scenario, play: Play) -> Score:
        """Grade the end of a play.

        Raises:
            EnvironmentFailure: A check in a worker did not answer.
        """
        return self.grade_all(scenario, play, [play.final])[0]

    def grade_all(self, scenario: Scenario, play: Play, finals: Sequence[Mapping[str, Any]]) -> list[Score]:
        """Grade states as if a play had ended in them.

        Raises:
            EnvironmentFailure: A check in a worker did not answer.
        """
        checks = scenario.checks or ()
        asked = (*checks, *scenario.guards)
        if self._runtime.level == "process":
            answers = [self._runtime.run_checks(asked, play.initial, final, play.ambient) for final in finals]
        else:
            answers = [
                results
                for first in range(0, len(finals), _BATCH)
                for results in IsolatedChecks(Limits()).run_all(
                    asked, play.initial, finals[first : first + _BATCH], play.ambient
                )
            ]
        return [_score(results, len(checks)) for results in answers]


def created_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Key]:
    """Yield the records that are new in a state."""
    for name, table in after.items():
        old = before.get(name)
        if isinstance(table, dict) and isinstance(old, dict) and table.keys() != old.keys():
            yield from ((name, key) for key in table if key not in old and isinstance(key, str))


def later(clock: str, seconds: int) -> str:
    """Return a time of the same day some seconds later, or as much earlier where the day ends before."""
    now = datetime.datetime.fromisoformat(clock)
    moved = now + datetime.timedelta(seconds=seconds)
    return (moved if moved.date() == now.date() else now - datetime.timedelta(seconds=seconds)).isoformat()


def _score(results: tuple[CheckResult, ...], count: int) -> Score:
    checks, guards = results[:count], results[count:]
    reward = round(sum(result.passed for result in checks) / count, 4) if count else 0.0
    return Score(reward, checks, guards)
