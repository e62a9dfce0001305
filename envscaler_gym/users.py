"""Simulated users: who the agent talks to in conversation mode.

A user is a function of the scenario and of what has been said so far, so that an episode can be forked and replayed
without asking the user for anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from envscaler_gym.scenario import Scenario

__all__ = ["ScriptedUser", "User"]


class User(Protocol):
    """Answers an agent."""

    def reply(self, scenario: Scenario, conversation: tuple[str, ...]) -> str | None:
        """Return the user's next turn.

        Args:
            scenario: What the user wants.
            conversation: All turns so far, the user's and the agent's alternating, the user's first; empty at the
                start.

        Returns:
            The turn, or ``None`` when the user ends the conversation (never at the start).
        """
        ...


_MORE = re.compile(
    r"\b(anything|something|what|how) else\b|\b(next|other|further|more) (request|thing|task|question)s?\b"
    r"|\bhow (can|may|could) i (help|assist)\b|\bwhat (can|may|could) i do\b|\bwhat would you like\b"
    r"|\banything (more|further)\b|\bmay i (help|assist)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_PATIENCE = 3
"""Questions in a row that are answered before the user goes on with the next request."""


class ScriptedUser:
    """Says a scenario's requests one at a time, answers what it knows, and invents nothing.

    It says the next request when the agent says that the last is done or asks what else there is. It answers a
    question with the scenario's ``facts`` whose names occur in it, and otherwise says that it has nothing to add; after
    a few such questions in a row it goes on. When the agent has answered the last request, the user ends the
    conversation. A scenario without requests is said as a whole.
    """

    def reply(self, scenario: Scenario, conversation: tuple[str, ...]) -> str | None:
        """Return the next turn; ``None`` when all requests have been answered."""
        requests = scenario.requests or (scenario.task,)
        said, questions = 0, 0  # requests that were answered; questions since the last
        answer: str | None = requests[0]
        for turn in conversation[1::2]:
            if _asks(turn) and questions < _PATIENCE:
                questions += 1
                answer = _answer(turn, scenario.facts)
            else:
                said, questions = said + 1, 0
                answer = requests[said] if said < len(requests) else None
        return answer


def _asks(turn: str) -> bool:
    """Return whether the agent wants to know something, other than what else there is to do."""
    return "?" in turn and not _MORE.search(turn)


def _answer(question: str, facts: Mapping[str, str]) -> str:
    asked = set(_words(question))
    known = [text for name, text in facts.items() if asked.issuperset(_words(name))]
    return " ".join(known) or "I have nothing to add to that. Please go by what I told you and what you can look up."


def _words(text: str) -> list[str]:
    return [word.casefold().removesuffix("s") for word in _WORD.findall(text)]
