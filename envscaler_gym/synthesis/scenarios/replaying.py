"""Calls run from the start of a scenario: what an agent would have seen, and what the checks say at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import Score
from envscaler_gym.episode import Episode, Turn
from envscaler_gym.isolation import make_runtime
from envscaler_gym.scenario import Scenario, SolutionCall, StartState

__all__ = ["Replay", "replay"]

SEED = "0"
"""Seed of ids and randomness in every replay."""


class Replay(NamedTuple):
    """What calls came to.

    Attributes:
        turns: What became of each call.
        initial_state: State before the first.
        final_state: State after the last.
        score: What the checks say of it; ``None`` where the scenario has none.
    """

    turns: tuple[Turn, ...]
    initial_state: Mapping[str, Any]
    final_state: Mapping[str, Any]
    score: Score | None

    @property
    def solved(self) -> bool:
        """Whether every check passed."""
        return self.score is not None and self.score.reward == 1.0


def replay(bundle: Bundle, start: StartState, scenario: Scenario, calls: Sequence[SolutionCall]) -> Replay:
    """Run calls in a fresh world and grade what they lead to; equal arguments give equal results.

    A world that is thrown away each time, rather than kept while a model thinks, means that nothing is held by tasks
    that wait for an answer, however many there are and however long they wait.

    A scenario that is not in the bundle makes it another bundle. So its checks, which nobody has reviewed, run in a
    worker, also where the environment itself was reviewed.

    Args:
        bundle: The environment.
        start: The scenario's start state.
        scenario: The scenario.
        calls: The calls, also such as no tool takes.

    Raises:
        EnvironmentFailure: Generated code failed.
        IsolationUnavailable: The code is to run in a worker, and this machine cannot lock one down.
    """
    alone = replace(bundle, start_states={start.id: start}, scenarios={scenario.id: scenario})
    runtime = make_runtime(alone)
    try:
        episode = Episode(scenario, start, bundle.tools, runtime.world, None, SEED, runtime.run_checks)
        turns = tuple(episode.act({"name": call.name, "arguments": dict(call.arguments)}) for call in calls)
        score = episode.grade() if scenario.checks is not None else None
        return Replay(turns, episode.initial_state, runtime.world.state(), score)
    finally:
        runtime.world.close()
