"""Checks in a worker that never saw the environment's code."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from envscaler_gym.ambient import Ambient
from envscaler_gym.checks import Check, CheckResult
from envscaler_gym.errors import EnvironmentFailure, ProtocolViolation, shorten
from envscaler_gym.isolation import encoding
from envscaler_gym.isolation.frames import Clock, Failed, Grade, GradeAll, Verdict, Verdicts
from envscaler_gym.isolation.limits import Limits
from envscaler_gym.isolation.workers import Worker
from envscaler_gym.isolation.world import SLACK, failure_of

__all__ = ["IsolatedChecks"]

_VERDICT: msgspec.msgpack.Decoder[Verdict | Failed] = msgspec.msgpack.Decoder(Verdict | Failed)
_VERDICTS: msgspec.msgpack.Decoder[Verdicts | Failed] = msgspec.msgpack.Decoder(Verdicts | Failed)


class IsolatedChecks:
    """Runs checks as :func:`~envscaler_gym.checks.run_checks` does, all of them in one fresh worker.

    A check that answers in no way, because it hangs or ends its worker, is a failure of the environment and raised as
    one: nobody can say what it would have answered, and 0 would blame the agent.

    Args:
        limits: Limits of the workers.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def __call__(
        self,
        checks: Sequence[Check],
        initial_state: Mapping[str, Any],
        final_state: Mapping[str, Any],
        ambient: Ambient,
    ) -> tuple[CheckResult, ...]:
        """Run the checks, each over its own copy of both states.

        Raises:
            EnvironmentFailure: A check did not answer within its deadline, ended the worker or sent nonsense.
        """
        if not checks:
            return ()
        sources = tuple(check.source for check in checks)
        worker = self._send(sources, Grade(sources, _data(initial_state), _data(final_state), Clock.of(ambient)))
        try:
            return tuple(self._result(worker, n, check, n == len(checks)) for n, check in enumerate(checks, 1))
        finally:
            worker.kill()

    def run_all(
        self,
        checks: Sequence[Check],
        initial_state: Mapping[str, Any],
        final_states: Sequence[Mapping[str, Any]],
        ambient: Ambient,
    ) -> list[tuple[CheckResult, ...]]:
        """Run the checks over several final states, all of it in one fresh worker.

        Much faster than one call for each, and for trying checks out only: a check may be influenced by what it did
        with another state, and all checks of a state share one deadline.

        Raises:
            EnvironmentFailure: A check did not answer within its deadline, ended the worker or sent nonsense.
        """
        if not checks or not final_states:
            return [()] * len(final_states)
        sources = tuple(check.source for check in checks)
        finals = tuple(map(_data, final_states))
        worker = self._send(sources, GradeAll(sources, _data(initial_state), finals, Clock.of(ambient)))
        try:
            return [self._results(worker, checks, n == len(finals)) for n in range(1, len(finals) + 1)]
        finally:
            worker.kill()

    def _send(self, sources: Sequence[str], request: Grade | GradeAll) -> Worker:
        deadline = time.monotonic() + self._limits.load_seconds
        worker = Worker(self._limits, time_zones=any("zoneinfo" in source for source in sources), deadline=deadline)
        try:
            worker.send(msgspec.msgpack.encode(request), deadline, "grade")
        except BaseException:
            worker.kill()
            raise
        return worker

    def _results(self, worker: Worker, checks: Sequence[Check], last: bool) -> tuple[CheckResult, ...]:
        what = f"{len(checks)} checks, the first of them {shorten(checks[0].text)}"
        deadline = time.monotonic() + self._limits.check_seconds
        answer = worker.receive(_VERDICTS, deadline, SLACK * len(checks), what, last=last)
        if isinstance(answer, Failed):
            raise failure_of(answer)
        if len(answer.verdicts) != len(checks):
            raise ProtocolViolation(f"the worker answered {what} with {len(answer.verdicts)} verdicts, and was killed")
        return tuple(_checked(check, verdict) for check, verdict in zip(checks, answer.verdicts, strict=True))

    def _result(self, worker: Worker, number: int, check: Check, last: bool) -> CheckResult:
        what = f"check {number} ({shorten(check.text)})"
        deadline = time.monotonic() + self._limits.check_seconds
        verdict = worker.receive(_VERDICT, deadline, SLACK, what, last=last)
        if isinstance(verdict, Failed):
            failure: EnvironmentFailure = failure_of(verdict)
            raise type(failure)(f"{what}: {failure}")
        return _checked(check, verdict)


def _data(state: Mapping[str, Any]) -> bytes:
    return encoding.encode_lossy(dict(state))[0]


def _checked(check: Check, verdict: Verdict) -> CheckResult:
    """Return a result; a check with an error has not passed, whatever the worker says."""
    return CheckResult(check.text, verdict.passed and verdict.error is None, verdict.error)
