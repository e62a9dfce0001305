"""How hard a chain is, from what was executed.

The size of a chain is ``|V| + |E| / 2`` over its calls and the links between them; a fiftieth of it is the complexity
c(H) of ScaleEnv (arXiv 2602.06820). It sets the level: easy from 2, medium from 6, hard from 11,
expert from 19 on, and from 12 calls.
"""

from __future__ import annotations

from collections.abc import Sequence

from envscaler_gym.bundle import Bundle
from envscaler_gym.scenario import Difficulty, SolutionCall
from envscaler_gym.synthesis.graph.tables import Record
from envscaler_gym.synthesis.growth.chain import Measure
from envscaler_gym.synthesis.growth.look_ups import shows

__all__ = ["BANDS", "EXPERT_CALLS", "measure"]

BANDS: dict[Difficulty, tuple[float, float]] = {
    "easy": (2, 6),
    "medium": (6, 11),
    "hard": (11, 19),
    "expert": (19, float("inf")),
}
"""Sizes of the chains of each level: from the first number on and below the second."""

EXPERT_CALLS = 12
"""Fewest calls of an expert scenario."""


def measure(
    bundle: Bundle, calls: Sequence[SolutionCall], uses: Sequence[Sequence[Record]], replies: Sequence[str]
) -> Measure:
    """Measure a chain.

    Args:
        bundle: The bundle.
        calls: The calls of the solution.
        uses: Records that each call names.
        replies: What each call returned.
    """
    links = [
        (earlier, later)
        for later in range(len(calls))
        for earlier in range(later)
        if any(shows(replies[earlier], key) for _, key in uses[later])
    ]
    fan = [sum(earlier == place for earlier, _ in links) for place in range(len(calls))]
    size = len(calls) + len(links) / 2
    level: Difficulty = next(name for name, (_, end) in BANDS.items() if size < end)
    if level == "expert" and len(calls) < EXPERT_CALLS:
        level = "hard"
    return Measure(
        calls=len(calls),
        distinct_tools=len({call.name for call in calls}),
        look_ups=sum(bundle.tools[call.name].kind == "query" for call in calls),
        branching=max(fan, default=0),
        links=len(links),
        complexity=size / 50,
        difficulty=level,
    )
