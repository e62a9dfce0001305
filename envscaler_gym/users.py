"""Simulated users: who the agent talks to in conversation mode.

A user is a function of the scenario and of what has been said so far, so that an episode can be forked and replayed
without asking the user for anything.
"""

from __future__ import annotations

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


class ScriptedUser:
    """Says a scenario's requests one at a time, each when the agent has answered the last, and then ends.

    A scenario without requests is said as a whole.
    """

    def reply(self, scenario: Scenario, conversation: tuple[str, ...]) -> str | None:
        """Return the next request; ``None`` when all have been answered."""
        requests = scenario.requests or (scenario.task,)
        turn = (len(conversation) + 1) // 2
        return requests[turn] if turn < len(requests) else None
