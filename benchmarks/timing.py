"""Times of competitors that take turns, and the ratios between them."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["Row", "interleaved", "per_call", "ratio_row", "timed"]


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        name: What is measured, and against what.
        ours: The library's figure.
        other: The other's figure; ``None`` where there is none.
        unit: Unit of both figures: ``"us"``, ``"s"`` or ``"KB"``.
        value: What the target is about: a ratio, or a figure in ``unit``.
        low: First quartile of ``value`` over the rounds.
        high: Third quartile.
        relation: How ``value`` reads: ``"slower"`` or ``"faster"`` for ratios, ``""`` for a figure.
        target: Limit of ``value``: an upper one, or a lower one for ``"faster"``; ``None`` where there is none.
    """

    name: str
    ours: float
    other: float | None
    unit: str
    value: float
    low: float
    high: float
    relation: str = ""
    target: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; ``None`` where there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.relation == "faster" else self.value <= self.target

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON data."""
        return {**self._asdict(), "met": self.met}


def timed(function: Callable[[], object]) -> float:
    """Return the seconds that one call takes, with the garbage collector at rest."""
    gc.disable()
    try:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start
    finally:
        gc.enable()


def per_call(function: Callable[[], object], number: int) -> float:
    """Return the seconds that one of ``number`` calls takes."""

    def repeat() -> None:
        for _ in range(number):
            function()

    return timed(repeat) / number


def interleaved(competitors: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Let the competitors take turns.

    Args:
        competitors: By name, a function that runs once and returns its seconds per unit of work.
        rounds: Number of turns of each, after one that does not count.

    Returns:
        The times of each.
    """
    times: dict[str, list[float]] = {name: [] for name in competitors}
    for number in range(rounds + 1):
        for name, run in competitors.items():
            seconds = run()
            if number:
                times[name].append(seconds)
    return times


def ratio_row(name: str, ours: list[float], other: list[float], relation: str, target: float | None = None) -> Row:
    """Make a row out of two lists of times of the same rounds.

    Args:
        name: What is measured.
        ours: The library's times, in seconds.
        other: The other's.
        relation: ``"slower"`` for ours over theirs, ``"faster"`` for theirs over ours.
        target: Limit of the ratio.
    """
    pairs = zip(other, ours, strict=True) if relation == "faster" else zip(ours, other, strict=True)
    ratios = [above / below for above, below in pairs]
    low, value, high = statistics.quantiles(ratios, n=4)
    return Row(
        name, statistics.median(ours) * 1e6, statistics.median(other) * 1e6, "us", value, low, high, relation, target
    )
