"""What came of episodes, one by one and summed up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from envscaler_gym.types import JSON, Outcome

__all__ = ["EpisodeResult", "Summary", "summarize"]

_AGENT_ERRORS: tuple[Outcome, ...] = ("malformed_action", "unknown_tool", "invalid_arguments")


@dataclass(frozen=True, slots=True)
class EpisodeResult:
    """What came of one episode.

    Attributes:
        environment: Id of the environment.
        scenario: Id of the scenario.
        difficulty: The scenario's difficulty; ``None`` where it was not measured.
        split: The scenario's split.
        seed: Seed of the episode: with environment and scenario, all that is needed to play it again.
        reward: Reward at the end, from 0 to 1; 0 after a failure of the environment.
        steps: Number of actions taken.
        outcomes: Number of steps by outcome; outcomes that did not occur are left out.
        score: ``info["score"]`` of the last step; ``None`` where nothing was graded.
        failure: ``info["failure"]``: type and message of a failure of the environment; ``None`` when all went well.
    """

    environment: str
    scenario: str
    difficulty: str | None
    split: str
    seed: int
    reward: float
    steps: int
    outcomes: Mapping[Outcome, int]
    score: Mapping[str, JSON] | None
    failure: Mapping[str, str] | None

    @property
    def agent_errors(self) -> int:
        """Number of actions that were errors of the agent: malformed, of no known tool, or with wrong arguments."""
        return sum(self.outcomes.get(outcome, 0) for outcome in _AGENT_ERRORS)

    def to_dict(self) -> dict[str, JSON]:
        """Return the result as JSON data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Summary:
    """Episodes of one environment and difficulty, summed up.

    Attributes:
        environment: Id of the environment.
        difficulty: Difficulty of the scenarios; ``None`` where it was not measured.
        episodes: Number of episodes, failed ones included.
        failures: Number of episodes that a failure of the environment ended; they count in nothing below.
        mean: Mean reward; ``None`` when every episode failed, as the next three.
        lowest: Lowest reward.
        highest: Highest reward.
        steps: Mean number of steps.
        agent_errors: Number of errors of the agent in all episodes together.
    """

    environment: str
    difficulty: str | None
    episodes: int
    failures: int
    mean: float | None
    lowest: float | None
    highest: float | None
    steps: float | None
    agent_errors: int

    def to_dict(self) -> dict[str, JSON]:
        """Return the summary as JSON data."""
        return asdict(self)


def summarize(results: Iterable[EpisodeResult]) -> tuple[Summary, ...]:
    """Sum up results by environment and difficulty, in the order in which these first occur."""
    groups: dict[tuple[str, str | None], list[EpisodeResult]] = {}
    for result in results:
        groups.setdefault((result.environment, result.difficulty), []).append(result)
    return tuple(_summary(*key, group) for key, group in groups.items())


def _summary(environment: str, difficulty: str | None, results: list[EpisodeResult]) -> Summary:
    played = [result for result in results if result.failure is None]
    rewards = [result.reward for result in played]
    return Summary(
        environment=environment,
        difficulty=difficulty,
        episodes=len(results),
        failures=len(results) - len(played),
        mean=sum(rewards) / len(rewards) if rewards else None,
        lowest=min(rewards, default=None),
        highest=max(rewards, default=None),
        steps=sum(result.steps for result in played) / len(played) if played else None,
        agent_errors=sum(result.agent_errors for result in played),
    )
