"""The table of an evaluation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from envscaler_gym.llm.usage import Usage
from envscaler_gym.rollout.metrics import Estimate, mean_with_interval, pass_at_k, pass_hat_k
from envscaler_gym.rollout.players import EvalEpisode
from envscaler_gym.types import JSON

__all__ = ["EvalRow", "summarize_eval", "write_parquet"]


@dataclass(frozen=True, slots=True)
class EvalRow:
    """One player over a group of scenarios.

    Tries in which the environment or the infrastructure failed are counted in ``verdicts`` and in nothing else.

    Attributes:
        policy: Name of the player.
        environment: Id of the environment; ``None`` for all together.
        difficulty: Difficulty of the scenarios; ``None`` for all together.
        scenarios: Number of scenarios.
        episodes: Number of tries that could be graded.
        reward: Mean reward, scenario by scenario, with its 95% interval; ``None`` where nothing could be graded.
        pass_at: Chance that one of k tries succeeds, by k.
        pass_hat: Chance that all of k tries succeed, by k.
        verdicts: Number of tries by what they came to.
        steps: Mean number of actions.
        usage: What the model's answers came to.
    """

    policy: str
    environment: str | None
    difficulty: str | None
    scenarios: int
    episodes: int
    reward: Estimate | None
    pass_at: Mapping[int, Estimate]
    pass_hat: Mapping[int, Estimate]
    verdicts: Mapping[str, int]
    steps: float
    usage: Usage

    def to_dict(self) -> dict[str, JSON]:
        """Return the row as JSON data."""
        row = asdict(self) | {"usage": self.usage.model_dump(mode="json")}
        row["reward"] = None if self.reward is None else self.reward._asdict()
        for name in ("pass_at", "pass_hat"):
            row[name] = {str(k): estimate._asdict() for k, estimate in getattr(self, name).items()}
        return row


def summarize_eval(episodes: Iterable[EvalEpisode]) -> tuple[EvalRow, ...]:
    """Return rows for each player: over everything, by environment, and by environment and difficulty."""
    groups: defaultdict[tuple[str, str | None, str | None], list[EvalEpisode]] = defaultdict(list)
    for episode in episodes:
        for environment, difficulty in (
            (None, None),
            (episode.environment, None),
            (episode.environment, episode.difficulty),
        ):
            key = episode.policy, environment, difficulty
            if not groups[key] or groups[key][-1] is not episode:  # an unrated scenario has no difficulty of its own
                groups[key].append(episode)
    return tuple(_row(*key, group) for key, group in groups.items())


def _row(policy: str, environment: str | None, difficulty: str | None, episodes: Sequence[EvalEpisode]) -> EvalRow:
    graded = [episode for episode in episodes if episode.verdict not in ("environment", "infrastructure")]
    tries: defaultdict[tuple[str, str], list[EvalEpisode]] = defaultdict(list)
    for episode in graded:
        tries[episode.environment, episode.scenario].append(episode)
    rewards = [[episode.reward for episode in group] for group in tries.values()]
    successes = [[float(episode.success) for episode in group] for group in tries.values()]
    most = min(map(len, successes), default=0)
    return EvalRow(
        policy=policy,
        environment=environment,
        difficulty=difficulty,
        scenarios=len({(episode.environment, episode.scenario) for episode in episodes}),
        episodes=len(graded),
        reward=mean_with_interval(rewards) if rewards else None,
        pass_at={k: _chance(successes, k, pass_at_k) for k in range(1, most + 1)},
        pass_hat={k: _chance(successes, k, pass_hat_k) for k in range(1, most + 1)},
        verdicts=dict(sorted(Counter(episode.verdict for episode in episodes).items())),
        steps=sum(episode.steps for episode in graded) / len(graded) if graded else 0.0,
        usage=Usage.sum(episode.usage for episode in episodes),
    )


def _chance(successes: Sequence[Sequence[float]], k: int, chance: Callable[[int, int, int], float]) -> Estimate:
    return mean_with_interval(successes, of=lambda group: chance(int(sum(group)), len(group), k))


def write_parquet(episodes: Sequence[EvalEpisode], path: Path) -> None:
    """Write results as a Parquet table, a row for each try.

    Raises:
        ModuleNotFoundError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - ditto
    except ModuleNotFoundError:
        raise ModuleNotFoundError('Parquet needs pyarrow: pip install "envscaler-gym[eval]"') from None
    rows = []
    for episode in episodes:
        row = episode.model_dump(mode="json")
        usage = row.pop("usage")
        outcomes = row.pop("outcomes")
        names = ("calls", "prompt_tokens", "completion_tokens", "cost_usd")
        rows.append(row | {name: usage[name] for name in names} | {"outcomes": list(outcomes.items())})
    outcome_counts = pa.map_(pa.string(), pa.int64())
    table = pa.Table.from_pylist([{name: row[name] for name in row if name != "outcomes"} for row in rows])
    table = table.append_column("outcomes", pa.array([row["outcomes"] for row in rows], outcome_counts))
    pq.write_table(table, path)
