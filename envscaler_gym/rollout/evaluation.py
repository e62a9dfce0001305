"""Evaluations: players times scenarios times tries, on disk as they come in, and resumed where they were."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

from pydantic import Field, ValidationError

from envscaler_gym.bundle import explain_validation, write_file
from envscaler_gym.data import Data
from envscaler_gym.errors import BundleError
from envscaler_gym.llm.model import LanguageModel
from envscaler_gym.registry import get_bundle
from envscaler_gym.rollout.players import ChatPlayer, EvalEpisode, PolicyPlayer
from envscaler_gym.rollout.runner import PlannedEpisode, plan_episodes
from envscaler_gym.trajectories import Trajectory, append_trajectory

__all__ = ["EvalConfig", "EvalFolder", "EvalTask", "evaluate", "plan_eval"]

_Key: TypeAlias = tuple[str, str, str, int]
AnyPlayer: TypeAlias = Annotated[PolicyPlayer | ChatPlayer, Field(discriminator="kind")]


class EvalConfig(Data):
    """All that an evaluation's results depend on.

    Attributes:
        environments: Names of the environments.
        bundles: Digest of each environment's bundle, in the same order.
        players: Who plays.
        tries: Tries of each player at each scenario.
        split: Only scenarios of this split.
        difficulty: Only scenarios of this difficulty.
        seed: Seed of the first try; each try of a scenario has a seed of its own.
        options: Arguments of the environments, such as ``{"mode": "conversation"}``.
    """

    environments: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    bundles: Annotated[tuple[str, ...], Field(strict=False)]
    players: Annotated[tuple[AnyPlayer, ...], Field(strict=False, min_length=1)]
    tries: int = Field(default=1, ge=1)
    split: str | None = None
    difficulty: str | None = None
    seed: int = Field(default=0, ge=0)
    options: Mapping[str, Any] = {}

    @classmethod
    def of(cls, environments: Sequence[str], players: Sequence[PolicyPlayer | ChatPlayer], **rest: Any) -> EvalConfig:
        """Make a configuration over the bundles as they are now.

        Raises:
            UnknownNameError: There is no such environment.
            BundleError: A bundle is malformed.
        """
        bundles = tuple(get_bundle(name).digest for name in environments)
        return cls(environments=tuple(environments), bundles=bundles, players=tuple(players), **rest)


class EvalTask(NamedTuple):
    """One try of one player at one scenario.

    Attributes:
        player: Who plays.
        planned: The episode.
        attempt: Number of the try, from 0.
    """

    player: PolicyPlayer | ChatPlayer
    planned: PlannedEpisode
    attempt: int

    @property
    def key(self) -> _Key:
        """What tells tries apart: player, environment, scenario, number."""
        return self.player.name, get_bundle(self.planned.environment).id, self.planned.scenario, self.attempt


def plan_eval(config: EvalConfig) -> list[EvalTask]:
    """List all tries, in a fixed order.

    Raises:
        ScenarioError: No scenario fits.
    """
    planned = [
        episode
        for name in config.environments
        for episode in plan_episodes(name, split=config.split, difficulty=config.difficulty, seed=config.seed)
    ]
    return [
        EvalTask(player, episode._replace(seed=episode.seed + attempt * len(planned)), attempt)
        for player in config.players
        for attempt in range(config.tries)
        for episode in planned
        if not (isinstance(player, PolicyPlayer) and player.policy == "reference" and not _solved(episode))
    ]


def _solved(episode: PlannedEpisode) -> bool:
    return bool(get_bundle(episode.environment).scenario(episode.scenario).solution)


class EvalFolder:
    """The folder of an evaluation: its configuration, and every result as it came in.

    ::

        config.json          what is evaluated
        results.jsonl        an EvalEpisode a line
        trajectories.jsonl   the episodes themselves
        completions.jsonl    what models answered, so that nothing is paid for twice

    Args:
        folder: The folder; made where it is missing.
        config: What is evaluated.

    Raises:
        BundleError: The folder holds another evaluation, or a file in it is malformed.
    """

    def __init__(self, folder: Path, config: EvalConfig) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        path = folder / "config.json"
        wanted = config.model_dump(mode="json")
        if path.exists():
            found = json.loads(path.read_text("utf-8"))
            differs = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
            if differs:
                raise BundleError(
                    f"{path}: another evaluation is in this folder: {', '.join(differs)} differ; choose another folder"
                )
        else:
            write_file(path, json.dumps(wanted, indent=2) + "\n")
        self.config = config
        self._found = self._read()

    @property
    def episodes(self) -> tuple[EvalEpisode, ...]:
        """The results, in the order of the players, environments, scenarios and tries."""
        return tuple(self._found[task.key] for task in plan_eval(self.config) if task.key in self._found)

    @property
    def done(self) -> set[_Key]:
        """Tries that need not be played again: all but those whose model could not be reached."""
        return {key for key, episode in self._found.items() if episode.verdict != "infrastructure"}

    def add(self, episode: EvalEpisode, trajectory: Trajectory | None) -> None:
        """Write down a result; an earlier one of the same try is replaced."""
        self._found[_key(episode)] = episode
        if trajectory is not None:
            append_trajectory(self.folder / "trajectories.jsonl", trajectory)
        with (self.folder / "results.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(episode.model_dump(mode="json"), separators=(",", ":")) + "\n")

    def _read(self) -> dict[_Key, EvalEpisode]:
        path = self.folder / "results.jsonl"
        if not path.exists():
            return {}
        found: dict[_Key, EvalEpisode] = {}
        lines = path.read_text("utf-8").split("\n")
        if lines[-1]:  # a line that was being written when the process was killed: its try is played again
            lines.pop()
            write_file(path, "".join(line + "\n" for line in lines))
        for number, line in enumerate(filter(None, lines), 1):
            try:
                episode = EvalEpisode.model_validate_json(line)
            except ValidationError as error:
                raise BundleError(f"{path}:{number}: {explain_validation(error)}") from None
            found[_key(episode)] = episode
        return found


def _key(episode: EvalEpisode) -> _Key:
    return episode.policy, episode.environment, episode.scenario, episode.attempt


async def evaluate(
    folder: EvalFolder,
    *,
    model: LanguageModel | None = None,
    concurrency: int = 16,
    on_result: Callable[[EvalEpisode], None] = lambda _: None,
) -> None:
    """Play the tries of an evaluation that are not in its folder yet.

    Args:
        folder: Where results go, each as soon as it is there.
        model: Who completes conversations.
        concurrency: Episodes under way at once.
        on_result: Is told each result.

    Raises:
        RunStopped: The model cannot be asked now, as when the next call could exceed what may be spent. What was
            played is in the folder.
        ValueError: A player needs a model, and there is none.
    """
    done = folder.done
    waiting = iter([task for task in plan_eval(folder.config) if task.key not in done])

    async def work() -> None:
        for task in waiting:
            episode, trajectory = await task.player.play(task.planned, task.attempt, model, folder.config.options)
            folder.add(episode, trajectory)
            on_result(episode)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
