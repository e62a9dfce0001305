"""Policies: what acts in an environment."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from envscaler_gym.episode import Episode
from envscaler_gym.errors import ScenarioError, UnknownNameError, did_you_mean, shorten
from envscaler_gym.spaces import ActionSpace
from envscaler_gym.types import Action, Message, ToolCall

__all__ = [
    "POLICIES",
    "HumanPolicy",
    "NoopPolicy",
    "Policy",
    "RandomPolicy",
    "ReferencePolicy",
    "ScriptedPolicy",
    "make_policy",
]


class Policy(Protocol):
    """Chooses actions. One policy plays one episode at a time, and any number of them in turn."""

    def begin(self, episode: Episode, seed: int) -> None:
        """Prepare for an episode.

        Args:
            episode: The episode. A fair policy looks at nothing of it but ``episode.tools``.
            seed: Seed of the episode; what the policy draws is a function of its own settings and of this.

        Raises:
            ScenarioError: The policy cannot play this scenario.
        """
        ...

    def act(self, observation: str) -> Action:
        """Return the next action.

        Args:
            observation: What the last action came to; at first, the task or the user's first turn.
        """
        ...


class ReferencePolicy:
    """Plays the scenario's reference solution, then says that it is done."""

    def begin(self, episode: Episode, seed: int) -> None:  # noqa: ARG002 - the protocol's signature
        """Take the solution from the scenario.

        Raises:
            ScenarioError: The scenario has none.
        """
        scenario = episode.scenario
        if not scenario.solution:
            raise ScenarioError(f"Scenario {scenario.id!r} has no reference solution; play it with another policy.")
        self._calls = iter(scenario.solution)

    def act(self, observation: str) -> Action:  # noqa: ARG002 - ditto
        """Return the next call of the solution, and a message when there is none left."""
        call = next(self._calls, None)
        return Message("Done.").to_action() if call is None else ToolCall(call.name, call.arguments).to_action()


class RandomPolicy:
    """Draws tool calls that fit their schemas and mostly use values of the state, and never ends by itself.

    It draws as the environment's ``action_space`` does, but from a random source of its own, so that the space's is
    left as it was.

    Args:
        seed: Seed of the policy; another one gives other actions in the same episodes.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def begin(self, episode: Episode, seed: int) -> None:
        """Seed the draws with the policy's and the episode's seed."""
        words = np.random.SeedSequence([self._seed, seed]).generate_state(2, np.uint32)
        self._acts = 0
        self._space = ActionSpace(
            episode.tools,
            lambda: (episode.tools, episode.world.state, self._acts),
            seed=int(words[0]) << 32 | int(words[1]),
        )

    def act(self, observation: str) -> Action:  # noqa: ARG002 - the protocol's signature
        """Return a call drawn from the tools and the state as it is now."""
        self._acts += 1
        return self._space.sample()


class NoopPolicy:
    """Does nothing: ends the episode at once with a message. What it earns is what comes for free."""

    def begin(self, episode: Episode, seed: int) -> None:
        """Do nothing."""

    def act(self, observation: str) -> Action:  # noqa: ARG002 - the protocol's signature
        """Return a message."""
        return Message("There is nothing to do.").to_action()


class ScriptedPolicy:
    """Plays a list of actions, then says that it is done.

    Args:
        actions: The actions; or the actions by scenario id, for several scenarios.
    """

    def __init__(self, actions: Sequence[Action] | Mapping[str, Sequence[Action]]) -> None:
        self._actions = actions

    def begin(self, episode: Episode, seed: int) -> None:  # noqa: ARG002 - the protocol's signature
        """Start at the beginning of the list.

        Raises:
            ScenarioError: There is none for this scenario.
        """
        actions, name = self._actions, episode.scenario.id
        if isinstance(actions, Mapping):
            if name not in actions:
                raise ScenarioError(f"There is no script for scenario {name!r}.{did_you_mean(name, actions)}")
            actions = actions[name]
        self._left = iter(actions)

    def act(self, observation: str) -> Action:  # noqa: ARG002 - ditto
        """Return the next action of the list, and a message when there is none left."""
        return next(self._left, None) or Message("Done.").to_action()


class HumanPolicy:
    """Asks a person. ``envscaler play`` is more comfortable; this one can stand wherever a policy can.

    Args:
        ask: Shows a text and returns the answer: a call as JSON, ``{"name": …, "arguments": {…}}``, or a message.
    """

    def __init__(self, ask: Callable[[str], str] = input) -> None:
        self._ask = ask

    def begin(self, episode: Episode, seed: int) -> None:  # noqa: ARG002 - the protocol's signature
        """Remember the tools, to be shown with the first question."""
        self._tools = "\n".join(f"  {tool.signature}" for tool in episode.tools.values())

    def act(self, observation: str) -> Action:
        """Show what came back, and return what the person answers."""
        answer = self._ask(f"{self._tools}\n{observation}\n> " if self._tools else f"{observation}\n> ")
        self._tools = ""
        try:
            call = json.loads(answer)
        except ValueError:
            return Message(answer).to_action()
        if isinstance(call, dict) and isinstance(call.get("name"), str):
            return ToolCall(call["name"], call.get("arguments") or {}).to_action()
        return Message(answer).to_action()


POLICIES: Mapping[str, Callable[[int], Policy]] = {
    "reference": lambda _seed: ReferencePolicy(),
    "random": RandomPolicy,
    "noop": lambda _seed: NoopPolicy(),
}
"""The policies that need no model, by name, as functions of a seed."""


def make_policy(name: str, seed: int = 0) -> Policy:
    """Return a new policy.

    Args:
        name: One of :data:`POLICIES`.
        seed: Seed of the policy, for those that draw.

    Raises:
        UnknownNameError: There is none of that name.
    """
    if name not in POLICIES:
        raise UnknownNameError(
            f"There is no policy {shorten(name)}.{did_you_mean(name, POLICIES)} Known: {', '.join(POLICIES)}."
        )
    return POLICIES[name](seed)
