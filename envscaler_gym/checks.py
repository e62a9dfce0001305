"""Checks and scores.

A check is the source of a function ``check_func(final_state)`` whose start state is the global ``initial_state``. It
has passed when the function returns exactly ``True``. Anything else that is not a ``bool``, a missing function or an
exception counts as not passed and stays in the denominator, as in the published protocol (EnvScaler, arXiv
2601.05808); such a check also carries an error, so that it can be told from one that said no.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from envscaler_gym.ambient import Ambient, activate, ambient_builtins
from envscaler_gym.data import Data
from envscaler_gym.errors import shorten
from envscaler_gym.state import canonical_json, copy_state
from envscaler_gym.types import JSON
from envscaler_gym.world import compile_source

__all__ = ["Check", "CheckResult", "Score", "run_checks"]


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
    before = canonical_json(shared)
    results = tuple(_run(check, *shared, ambient, start) for check in checks)
    if canonical_json(shared) != before:
        results = tuple(
            _run(check, copy_state(initial_state), copy_state(final_state), ambient, start) for check in checks
        )
    ambient.restore(start)
    return results


_BUILTINS = ambient_builtins()


def _run(check: Check, initial_state: Any, final_state: Any, ambient: Ambient, start: Any) -> CheckResult:
    ambient.restore(start)
    activate(ambient)
    namespace: dict[str, Any] = {
        "__name__": "envscaler.check",
        "__builtins__": _BUILTINS.copy(),
        "initial_state": initial_state,
    }
    try:
        exec(compile_source(check.source, "<check>"), namespace)  # noqa: S102 - reviewed code only
        function = namespace.get("check_func")
        if not callable(function):
            return CheckResult(check.text, False, "the source defines no function check_func(final_state)")
        answer = function(final_state)
    except Exception as error:
        return CheckResult(check.text, False, f"{type(error).__name__}: {error}")
    if type(answer) is not bool:
        return CheckResult(check.text, False, f"returned {shorten(answer)}, which is not a bool")
    return CheckResult(check.text, answer)
