"""What a wording of a task must not lose."""

from __future__ import annotations

import re

from envscaler_gym.synthesis.growth.chain import VerifiedChain

__all__ = ["missing_facts", "says"]

_WORD = re.compile(r"[^\W_]+(?:[.@'\u2019-][^\W_]+)*")
_SMALL = frozenset({
    "the", "a", "an", "of", "for", "and", "to", "at", "on", "in", "by", "with", "that", "is", "s", "be", "as",
})  # fmt: skip


def missing_facts(chain: VerifiedChain, text: str) -> tuple[str, ...]:
    """Return the facts of a chain of which a text lacks a word, whatever their order.

    Args:
        chain: The chain.
        text: A wording of its task.
    """
    return tuple(fact for fact in chain.facts if not says(text, fact))


def says(text: str, fact: str) -> bool:
    """Return whether a text has all words of a fact."""
    return _words(text) >= _words(fact)


def _words(text: str) -> set[str]:
    words = {word.casefold().removesuffix("'s").removesuffix("\u2019s") for word in _WORD.findall(text)}
    return words - _SMALL
