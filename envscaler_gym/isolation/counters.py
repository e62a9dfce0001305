"""How often each environment failed in this process, by type of failure."""

from __future__ import annotations

from collections import Counter, defaultdict

from envscaler_gym.errors import EnvironmentFailure

__all__ = ["count_failure", "failures", "forget_failures"]

_counters: defaultdict[str, Counter[str]] = defaultdict(Counter)


def count_failure(environment: str, failure: EnvironmentFailure) -> None:
    """Count a failure of an environment, given by its id."""
    _counters[environment][type(failure).__name__] += 1


def failures() -> dict[str, dict[str, int]]:
    """Return the number of failures by environment and type, for those that failed at all."""
    return {environment: dict(counter) for environment, counter in sorted(_counters.items())}


def forget_failures() -> None:
    """Start counting anew."""
    _counters.clear()
