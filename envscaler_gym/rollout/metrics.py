"""How often a policy succeeds: pass@k, pass^k, and how sure one can be of a mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb
from typing import NamedTuple

import numpy as np

__all__ = ["Estimate", "mean_with_interval", "pass_at_k", "pass_hat_k"]

_RESAMPLES = 2_000


class Estimate(NamedTuple):
    """A mean, and the interval that holds it with 95% confidence.

    Attributes:
        mean: The mean.
        low: Lower end of the interval.
        high: Upper end.
    """

    mean: float
    low: float
    high: float


def pass_at_k(successes: int, tries: int, k: int) -> float:
    """Return the chance that at least one of ``k`` tries succeeds, without bias (Chen et al., arXiv 2107.03374).

    Args:
        successes: Number of tries that succeeded.
        tries: Number of tries.
        k: Number of tries drawn from them.

    Raises:
        ValueError: It is not so that ``0 <= successes <= tries`` and ``1 <= k <= tries``.
    """
    _check(successes, tries, k)
    return 1.0 - comb(tries - successes, k) / comb(tries, k)


def pass_hat_k(successes: int, tries: int, k: int) -> float:
    """Return the chance that all of ``k`` tries succeed, pass^k, without bias (tau-bench, arXiv 2406.12045).

    Args:
        successes: Number of tries that succeeded.
        tries: Number of tries.
        k: Number of tries drawn from them.

    Raises:
        ValueError: It is not so that ``0 <= successes <= tries`` and ``1 <= k <= tries``.
    """
    _check(successes, tries, k)
    return comb(successes, k) / comb(tries, k)


def mean_with_interval(
    groups: Sequence[Sequence[float]], of: Callable[[Sequence[float]], float] | None = None
) -> Estimate:
    """Return a mean over groups with a 95% interval, by resampling whole groups (a cluster bootstrap).

    Tries of one scenario depend on each other, so scenarios are resampled and not episodes. The draws are seeded: equal
    groups give equal intervals.

    Args:
        groups: The values of each group, such as the rewards of one scenario's tries; none may be empty.
        of: What a group counts as; its mean unless given.

    Raises:
        ValueError: There are no groups, or one is empty.
    """
    if not groups or not all(groups):
        raise ValueError(f"a mean needs groups with values in them, got {list(map(len, groups))} values")
    values = np.array([np.mean(group) if of is None else of(group) for group in groups], dtype=np.float64)
    draws = np.random.default_rng(0).integers(len(values), size=(_RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high))


def _check(successes: int, tries: int, k: int) -> None:
    if not (0 <= successes <= tries and 1 <= k <= tries):
        raise ValueError(f"must be 0 <= successes <= tries and 1 <= k <= tries, got {successes=}, {tries=}, {k=}")
