"""Which scenario an episode plays: a function of the seed and the episode's number alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import ScenarioError
from envscaler_gym.scenario import Scenario

__all__ = ["draw", "eligible"]

T = TypeVar("T")


def draw(items: Sequence[T], seed: int, number: int, purpose: str = "scenario") -> T:
    """Return one of the items, each as likely as the others.

    Args:
        items: What to draw from; not empty.
        seed: Seed of the environment.
        number: Number of the episode since the seed was given, from 0.
        purpose: What the draw is for; draws for different purposes are independent.
    """
    hashed = hashlib.blake2b(f"{purpose}:{seed}:{number}".encode(), digest_size=8).digest()
    return items[int.from_bytes(hashed, "little") % len(items)]


def eligible(bundle: Bundle, split: str | None, difficulty: str | None, *, graded: bool) -> tuple[Scenario, ...]:
    """Return the scenarios that fit, in the order of the bundle.

    Args:
        bundle: Where they come from.
        split: Only those of this split.
        difficulty: Only those of this difficulty.
        graded: Only those that have checks.

    Raises:
        ScenarioError: There are none; the message says what there is.
    """
    fitting = [
        scenario
        for scenario in bundle.scenarios.values()
        if (split is None or scenario.split == split) and (difficulty is None or scenario.difficulty == difficulty)
    ]
    if not fitting:
        kinds = sorted({f"{scenario.split}/{scenario.difficulty}" for scenario in bundle.scenarios.values()})
        raise ScenarioError(
            f"{bundle.id} has no scenario with split={split!r} and difficulty={difficulty!r}; "
            f"it has {', '.join(kinds) or 'none at all'}."
        )
    if graded:
        fitting = [scenario for scenario in fitting if scenario.checks is not None]
        if not fitting:
            raise ScenarioError(
                f"The scenarios of {bundle.id} have no checks, so episodes cannot be graded; "
                "pass reward='none' to play them without a reward."
            )
    return tuple(fitting)
