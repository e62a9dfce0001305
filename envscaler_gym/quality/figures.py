"""How large and how sound environments are, in the figures that are published of EnvScaler's."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median
from typing import NamedTuple

from envscaler_gym.bundle import Bundle
from envscaler_gym.quality.state_types import StateTypes

__all__ = ["PUBLISHED", "Figure", "Published", "environment_figures", "mean_figures"]


class Figure(NamedTuple):
    """One figure.

    Attributes:
        name: What it is.
        value: Of an environment, or the mean over several; ``None`` where it was not measured.
        share: Whether it is a part of one, 0 to 1, and not a count.
    """

    name: str
    value: float | None
    share: bool = False


class Published(NamedTuple):
    """What is known of a figure over the 191 published environments.

    Attributes:
        low: Mean; the least of what was found where sources differ.
        high: The most of what was found.
    """

    low: float
    high: float


PUBLISHED: dict[str, Published] = {
    "tools": Published(18.6, 18.6),
    "queries": Published(10.4, 10.4),
    "state changes": Published(8.1, 8.1),
    "entities": Published(3.6, 3.6),
    "state attributes": Published(21.4, 21.4),
    "rules": Published(4.6, 4.6),
    "lines": Published(830, 830),
    "scenarios": Published(37, 37),
    "checks per scenario": Published(14, 14),
    "checks true at the start": Published(0.09, 0.15),
    "reward for doing nothing": Published(0.12, 0.17),
}
"""EnvScaler's figures (arXiv 2601.05808, and measured on its data): means over environments, ``"checks per scenario"``
a median. The last two were measured on parts of the data."""


def environment_figures(bundle: Bundle) -> tuple[Figure, ...]:
    """Return the figures of an environment; what only trying it can show is taken from its quality record.

    Args:
        bundle: The environment.
    """
    kinds = [tool.kind for tool in bundle.tools.values()]
    records = [
        attribute.get("additionalProperties") for attribute in StateTypes.of(bundle).schema["properties"].values()
    ]
    entities = [record["properties"] for record in records if isinstance(record, dict) and record.get("properties")]
    measured = bundle.quality.figures if bundle.quality is not None else {}
    checks, true_at_start = measured.get("checks"), measured.get("checks_true_at_start")
    graded = [len(scenario.checks) for scenario in bundle.scenarios.values() if scenario.checks]
    return (
        Figure("tools", len(kinds)),
        Figure("queries", kinds.count("query")),
        Figure("state changes", kinds.count("state_change")),
        Figure("entities", len(entities)),
        Figure("state attributes", sum(map(len, entities))),
        Figure("rules", len(bundle.manifest.rules)),
        Figure("lines", len(bundle.source.splitlines())),
        Figure("scenarios", len(bundle.scenarios)),
        Figure("checks per scenario", median(graded) if graded else None),
        Figure("checks true at the start", true_at_start / checks if checks else None, share=True),
        Figure("reward for doing nothing", measured.get("do_nothing_reward"), share=True),
        Figure("mutants caught", measured.get("kill_rate"), share=True),
    )


def mean_figures(columns: Sequence[Sequence[Figure]]) -> tuple[Figure, ...]:
    """Return the mean of each figure over environments, those left out of which it was not measured.

    Args:
        columns: The figures of each environment, at least one.
    """
    return tuple(
        row[0]._replace(
            value=fmean(known) if (known := [each.value for each in row if each.value is not None]) else None
        )
        for row in zip(*columns, strict=True)
    )
