"""Running one check: the part of grading that executes generated code, wherever it does so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from envscaler_gym.ambient import Ambient, AmbientState, activate
from envscaler_gym.errors import describe_error, shorten
from envscaler_gym.world import compile_source

__all__ = ["Verdict", "run_check"]


class Verdict(NamedTuple):
    """What a check said.

    Attributes:
        passed: Whether it returned ``True``.
        error: Why it could not be answered; ``None`` when it was.
    """

    passed: bool
    error: str | None = None


def run_check(
    source: str,
    initial_state: Any,
    final_state: Any,
    ambient: Ambient,
    start: AmbientState,
    builtins: Mapping[str, Any],
) -> Verdict:
    """Run a check in this process.

    Args:
        source: Source that defines ``check_func(final_state)``.
        initial_state: State at the start, which the check may modify.
        final_state: State at the end, which the check may modify.
        ambient: Clock and random source that the check sees.
        start: What ``ambient`` is put back to before.
        builtins: Builtins of the check's module.
    """
    ambient.restore(start)
    activate(ambient)
    namespace: dict[str, Any] = {
        "__name__": "envscaler.check",
        "__builtins__": dict(builtins),
        "initial_state": initial_state,
    }
    try:
        exec(compile_source(source, "<check>"), namespace)  # noqa: S102 - reviewed, or in a worker
        function = namespace.get("check_func")
        if not callable(function):
            return Verdict(False, "the source defines no function check_func(final_state)")
        answer = function(final_state)
    except (Exception, SystemExit) as error:
        return Verdict(False, describe_error(error))
    if type(answer) is not bool:
        return Verdict(False, f"returned {shorten(answer)}, which is not a bool")
    return Verdict(answer)
