"""Checks in a worker that never saw the environment's code."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from envscaler_gym.ambient import Ambient
from envscaler_gym.checks import Check, CheckResult
from envscaler_gym.errors import EnvironmentFailure, shorten
from envscaler_gym.isolation import encoding
from envscaler_gym.isolation.frames import Clock, Failed, Grade, Verdict
from envscaler_gym.isolation.limits import Limits
from envscaler_gym.isolation.workers import Worker
from envscaler_gym.isolation.world import SLACK, failure_of

__all__ = ["IsolatedChecks"]

_VERDICT: msgspec.msgpack.Decoder[Verdict | Failed] = msgspec.msgpack.Decoder(Verdict | Failed)


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
        initial, final = (encoding.encode_lossy(dict(state))[0] for state in (initial_state, final_state))
        request = msgspec.msgpack.encode(Grade(sources, initial, final, Clock.of(ambient)))
        deadline = time.monotonic() + self._limits.load_seconds
        worker = Worker(self._limits, time_zones=any("zoneinfo" in source for source in sources), deadline=deadline)
        try:
            worker.send(request, deadline, "grade")
            return tuple(self._result(worker, n, check, n == len(checks)) for n, check in enumerate(checks, 1))
        finally:
            worker.kill()

    def _result(self, worker: Worker, number: int, check: Check, last: bool) -> CheckResult:
        what = f"check {number} ({shorten(check.text)})"
        deadline = time.monotonic() + self._limits.check_seconds
        verdict = worker.receive(_VERDICT, deadline, SLACK, what, last=last)
        if isinstance(verdict, Failed):
            failure: EnvironmentFailure = failure_of(verdict)
            raise type(failure)(f"{what}: {failure}")
        if verdict.passed and verdict.error is not None:
            verdict = Verdict(False, verdict.error)
        return CheckResult(check.text, verdict.passed, verdict.error)
