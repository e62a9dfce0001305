"""Checks and scores.

A check is the source of a function ``check_func(final_state)`` whose start state is the global ``initial_state``. It
has passed when the function returns exactly ``True``. Anything else that is not a ``bool``, a missing function or an
exception counts as not passed and stays in the denominator, as in the published protocol (EnvScaler, arXiv
2601.05808); such a check also carries an error, so that it can be told from one that said no.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import Field

from envscaler_gym.ambient import Ambient, ambient_builtins
from envscaler_gym.data import Data
from envscaler_gym.state import copy_state, to_json
from envscaler_gym.types import JSON
from envscaler_gym.verdicts import run_check

__all__ = ["Check", "CheckResult", "CheckRunner", "Score", "run_checks"]


class Check(Data):
    """A boolean question about the final state.

    Attributes:
        text: The question, as a person reads it.
        source: Source that defines ``check_func(final_state) -> bool``.
    """

    text: str
    source: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check said.

    Attributes:
        text: The question.
        passed: Whether the check returned ``True``.
        error: Why it could not be answered; ``None`` when it was.
        counted: Whether the reward counts it; checks that are true from the start are not counted under ``delta``.
    """

    text: str
    passed: bool
    error: str | None = None
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Score:
    """The results of a scenario's checks over one pair of states.

    Attributes:
        reward: Between 0 and 1.
        checks: Results of the checks that count.
        guards: Results of the guards against collateral damage.
    """

    reward: float
    checks: tuple[CheckResult, ...]
    guards: tuple[CheckResult, ...] = ()

    @property
    def passed(self) -> int:
        """Number of checks passed."""
        return sum(result.passed for result in self.checks)

    def to_dict(self) -> dict[str, JSON]:
        """Return the score as fresh JSON data, as ``info["score"]`` carries it."""
        return {
            "reward": self.reward,
            "passed": self.passed,
            "total": len(self.checks),
            "checks": [_result_dict(result) for result in self.checks],
            "guards": [_result_dict(result) for result in self.guards],
        }


def _result_dict(result: CheckResult) -> dict[str, JSON]:
    return {"text": result.text, "passed": result.passed, "error": result.error, "counted": result.counted}


CheckRunner: TypeAlias = Callable[
    [Sequence[Check], Mapping[str, Any], Mapping[str, Any], Ambient], tuple[CheckResult, ...]
]
"""Runs checks over an initial and a final state; :func:`run_checks` is one."""

_BUILTINS = ambient_builtins()


def run_checks(
    checks: Sequence[Check], initial_state: Mapping[str, Any], final_state: Mapping[str, Any], ambient: Ambient
) -> tuple[CheckResult, ...]:
    """Run checks in this process, each as if it had its own copy of both states.

    Args:
        checks: The checks; reviewed code only.
        initial_state: State at the start of the episode; not modified.
        final_state: State at its end; not modified.
        ambient: Clock and random source that the checks see; each check starts from the same.
    """
    if not checks:
        return ()
    start = ambient.snapshot()
    # One pair of copies serves all checks, unless one of them is found to have written to it.
    shared = copy_state(initial_state), copy_state(final_state)
    before = to_json(shared)
    verdicts = [run_check(check.source, *shared, ambient, start, _BUILTINS) for check in checks]
    if to_json(shared) != before:
        verdicts = [
            run_check(check.source, copy_state(initial_state), copy_state(final_state), ambient, start, _BUILTINS)
            for check in checks
        ]
    ambient.restore(start)
    return tuple(CheckResult(check.text, *verdict) for check, verdict in zip(checks, verdicts, strict=True))
