"""A request as a person writes it, around the clauses of a chain."""

from __future__ import annotations

import random
from collections.abc import Sequence

__all__ = ["write_request", "write_task"]

_OPENINGS = ("", "", "Hi, ", "Hello, ", "Good morning, ", "Hi there, ", "Hello team, ")
_ASKS = ("please {}.", "could you {}?", "can you {}, please?", "I need you to {}.", "would you {}?")
_NEXT = (
    ("Then {}.", "After that, please {}.", "Once that is done, {}."),
    ("Also, {}.", "And {}.", "Then {}."),
    ("Finally, {}.", "Last, {}.", "And then {}."),
)
_FIRST_OF_MANY = ("There are a few things to do.", "A few things for today:", "Several things, please.", "My list:")
_CLOSINGS = ("", "", "", "Thanks!", "Thank you.", "That is all.", "Many thanks.")
_TURNS = ("", "Next, ", "Another thing: ", "One more thing: ", "And ")


def write_task(goals: Sequence[Sequence[str]], rng: random.Random) -> str:
    """Write a request.

    Args:
        goals: The clauses of each goal, in the imperative.
        rng: Chooses the words around them.
    """
    closing = rng.choice(_CLOSINGS)
    if len(goals) == 1:
        text = _sentence(rng.choice(_OPENINGS) + _paragraph(goals[0], rng))
        return f"{text} {closing}".strip()
    opening = rng.choice(_FIRST_OF_MANY)
    greeting = rng.choice(_OPENINGS).strip().rstrip(",")
    head = f"{greeting}. {opening}" if greeting else opening
    if rng.random() < 0.5:
        body = "\n".join(f"{number}. {_plainly(goal, rng)}" for number, goal in enumerate(goals, 1))
        return "\n".join(part for part in (head, body, closing) if part)
    body = "\n\n".join(_sentence(_plainly(goal, rng)) for goal in goals)
    return "\n\n".join(part for part in (head, body, closing) if part)


def write_request(clauses: Sequence[str], turn: int, rng: random.Random) -> str:
    """Write one goal as a turn of a conversation, the first of which is number 0."""
    opening = rng.choice(_OPENINGS) if turn == 0 else _TURNS[min(turn, len(_TURNS) - 1)]
    return _sentence(opening + _paragraph(clauses, rng))


def _paragraph(clauses: Sequence[str], rng: random.Random) -> str:
    return " ".join([rng.choice(_ASKS).format(clauses[0]), *_following(clauses[1:], rng)])


def _plainly(clauses: Sequence[str], rng: random.Random) -> str:
    return " ".join([_sentence(f"{clauses[0]}."), *_following(clauses[1:], rng)])


def _following(clauses: Sequence[str], rng: random.Random) -> list[str]:
    sentences = []
    for place, clause in enumerate(clauses):
        last = place == len(clauses) - 1 and place > 0
        sentences.append(rng.choice(_NEXT[2 if last else min(place, 1)]).format(clause))
    return sentences


def _sentence(text: str) -> str:
    """Begin with a capital, and end with one full stop where the text ends with an abbreviation."""
    return (text[:1].upper() + text[1:]).replace("..", ".")
