"""``envscaler run``: let a policy play, and sum up what it earned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import track

from envscaler_gym.cli.console import heading, print_json, stderr, stdout, table, text
from envscaler_gym.cli.options import Json, Names, Seed, Trust, expand, means_all
from envscaler_gym.errors import BundleError, ScenarioError
from envscaler_gym.rollout import (
    EpisodeResult,
    PlannedEpisode,
    Summary,
    make_policy,
    plan_episodes,
    run_policy,
    summarize,
)
from envscaler_gym.scenario import Difficulty, Split

__all__ = ["run"]

_MAX_FAILURES = 20


def run(
    names: Names,
    policy: Annotated[
        Literal["reference", "random", "noop"],
        typer.Option(help="Who plays: the reference solutions, random calls, or nobody."),
    ] = "random",
    episodes: Annotated[
        int | None,
        typer.Option(min=1, help="Episodes per environment, through its scenarios in order; each once by default."),
    ] = None,
    split: Annotated[Split | None, typer.Option(help="Only scenarios of this split.")] = None,
    difficulty: Annotated[Difficulty | None, typer.Option(help="Only scenarios of this difficulty.")] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Add the episodes to this file, for 'view' and 'sft'.")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
    trust: Trust = False,
) -> None:
    """Let a policy play scenarios, and print what it earned. The exit code is 1 where an environment failed."""
    plan: list[PlannedEpisode] = []
    broken = False
    for name in expand(names):
        try:
            plan += plan_episodes(
                name,
                split=split,
                difficulty=difficulty,
                solved=policy == "reference",
                episodes=episodes,
                seed=seed,
            )
        except BundleError as error:
            if not means_all(names):
                raise
            broken |= not isinstance(error, ScenarioError)  # which only says that no scenario fits
            stderr().print(text(f"left out: {error}", "yellow"), soft_wrap=True)
    if not plan:
        raise ScenarioError("No environment has a scenario that fits, so there is nothing to play.")
    results = _play(plan, policy, seed, trust=trust, record=record)
    summaries = summarize(results)
    if json:
        print_json(
            {
                "policy": policy,
                "seed": seed,
                "summary": [summary.to_dict() for summary in summaries],
                "episodes": [result.to_dict() for result in results],
            }
        )
    else:
        _print_summaries(stdout(), summaries)
        _print_failures(stdout(), results)
    if broken or any(result.failure for result in results):
        raise typer.Exit(1)


def _play(
    plan: Sequence[PlannedEpisode], policy: str, seed: int, *, trust: bool, record: Path | None
) -> list[EpisodeResult]:
    console = stderr()
    episodes = run_policy(plan, make_policy(policy, seed), trust=trust, record=record, name=policy)
    progress = track(
        episodes, "playing", total=len(plan), console=console, transient=True, disable=not console.is_terminal
    )
    return list(progress)


def _print_summaries(console: Console, summaries: Sequence[Summary]) -> None:
    failed = ("failed",) if any(summary.failures for summary in summaries) else ()
    numbers = ("episodes", "mean", "min", "max", "steps", "agent\nerrors", *failed)
    rows = table("environment", "level", *numbers, numbers=numbers, wraps="environment")
    for summary in summaries:
        rows.add_row(
            text(summary.environment),
            summary.difficulty or "-",
            str(summary.episodes),
            _number(summary.mean, 2),
            _number(summary.lowest, 2),
            _number(summary.highest, 2),
            _number(summary.steps, 1),
            str(summary.agent_errors),
            *(text(summary.failures, "bold red") for _ in failed),
        )
    console.print(rows)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _print_failures(console: Console, results: Sequence[EpisodeResult]) -> None:
    failed = [(result, result.failure) for result in results if result.failure is not None]
    if failed:
        console.print(heading(f"Failures of environments ({len(failed)})"))
    for result, failure in failed[:_MAX_FAILURES]:
        where = f"{result.environment} {result.scenario}, seed {result.seed}: "
        console.print(text(f"{where}{failure['type']}: {failure['message']}"), soft_wrap=True)
    if len(failed) > _MAX_FAILURES:
        console.print(f"... and {len(failed) - _MAX_FAILURES} more; --json lists all")
