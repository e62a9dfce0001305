"""An episode in numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from envscaler_gym.wrappers.grounding.menu import Menu
from envscaler_gym.wrappers.grounding.words import stems

__all__ = ["GLOBAL_FEATURES", "SLOT_FEATURES", "Progress", "features"]

Vector = npt.NDArray[np.float32]

_OUTCOMES = ("success", "refused", "message")
_TEXT, _DONE, _TOOL, _ARGUMENTS = 64, 32, 8, 8
GLOBAL_FEATURES = 4 + len(_OUTCOMES) + 1 + _TEXT + _DONE
"""Numbers that describe the episode."""
SLOT_FEATURES = 8 + _TOOL + _ARGUMENTS
"""Numbers that describe a slot."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What has happened in an episode.

    Attributes:
        limit: Actions after which it is truncated.
        steps: Actions taken.
        changes: Calls that changed the state.
        outcome: What became of the last action; empty at the start.
        done: Calls that succeeded, in order.
        refused: Calls that were refused when they were last made.
        first: Calls that were on the menu at the start.
    """

    limit: int
    steps: int = 0
    changes: int = 0
    outcome: str = ""
    done: tuple[str, ...] = ()
    refused: frozenset[str] = frozenset()
    first: frozenset[str] = frozenset()


def features(text: str, menu: Menu, progress: Progress) -> Vector:
    """Return an episode as numbers from -1 to 1.

    The first :data:`GLOBAL_FEATURES` describe the episode: share of the steps that are left, whether this is the last,
    changes and calls that succeeded so far, the last outcome, the words of the task and the calls that succeeded, both
    hashed. Then come :data:`SLOT_FEATURES` for each slot: whether it is filled, legal, changes the state, how much the
    task is about its arguments and uses the words of its tool, whether it succeeded before, was refused when last made,
    and is new since the start; and codes of its tool and of its arguments.

    Returns:
        Array of shape ``(GLOBAL_FEATURES + slots * SLOT_FEATURES,)``, float32.
    """
    left = max(progress.limit - progress.steps, 0)
    outcome = [float(progress.outcome == name) for name in _OUTCOMES]
    known = sum(outcome) > 0
    head = [left / progress.limit, float(left == 1), np.tanh(progress.changes / 8), np.tanh(len(progress.done) / 8)]
    done = sum((_hashed(call, _DONE) for call in progress.done), np.zeros(_DONE, np.float32))
    slots = np.zeros((len(menu.slots), SLOT_FEATURES), np.float32)
    for row, candidate, legal in zip(slots, menu.slots, menu.legal, strict=True):
        if candidate is None:
            continue
        key = candidate.key
        row[:8] = (
            1.0,
            legal,
            candidate.kind == "state_change",
            candidate.score,
            candidate.named,
            key in progress.done,
            key in progress.refused,
            key not in progress.first,
        )
        row[8 : 8 + _TOOL] = _hashed(candidate.name, _TOOL)
        row[8 + _TOOL :] = _hashed(candidate.arguments, _ARGUMENTS)
    episode = np.array([*head, *outcome, float(not known and progress.steps > 0)], np.float32)
    return np.concatenate([episode, _text(text), np.tanh(done), slots.ravel()]).astype(np.float32)


@lru_cache(maxsize=65536)
def _hashed(text: str, size: int) -> Vector:
    """Return signs that stand for a text, as a vector of length 1."""
    bits = np.unpackbits(np.frombuffer(hashlib.blake2b(text.encode(), digest_size=16).digest(), np.uint8))
    return np.asarray((bits[:size] * 2.0 - 1.0) / np.sqrt(size), np.float32)


@lru_cache(maxsize=4096)
def _text(text: str) -> Vector:
    words = sorted(set(stems(text)))
    total = sum((_hashed(word, _TEXT) for word in words), np.zeros(_TEXT, np.float32))
    return np.asarray(total / max(float(np.linalg.norm(total)), 1e-6), np.float32)
