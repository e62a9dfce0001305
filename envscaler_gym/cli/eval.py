"""``envscaler eval``: how well policies and language models do, beside the baselines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import Progress

from envscaler_gym.bundle import write_file
from envscaler_gym.cli.console import heading, print_json, stderr, stdout, table, text
from envscaler_gym.cli.options import Json, Names, Seed, Trust, expand
from envscaler_gym.errors import BudgetExceeded
from envscaler_gym.llm.budget import Budget
from envscaler_gym.llm.litellm_model import LiteLLM
from envscaler_gym.llm.model import LanguageModel
from envscaler_gym.llm.recorded import Recorded
from envscaler_gym.llm.store import CompletionStore
from envscaler_gym.registry import get_bundle
from envscaler_gym.rollout import (
    POLICIES,
    ChatPlayer,
    EvalConfig,
    EvalEpisode,
    EvalFolder,
    EvalRow,
    PolicyPlayer,
    evaluate,
    evaluate_on_ray,
    plan_eval,
    summarize_eval,
    write_parquet,
)
from envscaler_gym.rollout.metrics import Estimate
from envscaler_gym.scenario import Difficulty, Split

__all__ = ["eval_"]

_STOPPED = 3
"""Exit code of an evaluation that ran out of budget and can go on."""


def eval_(
    names: Names,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the results. The same command goes on where it was.")
    ],
    policy: Annotated[
        list[str] | None,
        typer.Option(help="Who plays, besides the baselines: a model as litellm names it. May be given several times."),
    ] = None,
    baselines: Annotated[bool, typer.Option(help="Whether reference, random and no-op play, too.")] = True,
    tries: Annotated[int, typer.Option("--tries", "-k", min=1, help="Tries at each scenario.")] = 1,
    split: Annotated[Split | None, typer.Option(help="Only scenarios of this split.")] = None,
    difficulty: Annotated[Difficulty | None, typer.Option(help="Only scenarios of this difficulty.")] = None,
    mode: Annotated[Literal["task", "conversation"], typer.Option(help="Whether a user says the task bit by bit.")] = (
        "task"
    ),
    form: Annotated[Literal["openai", "text"], typer.Option(help="Native function calling, or calls in text.")] = (
        "openai"
    ),
    temperature: Annotated[float | None, typer.Option(min=0, help="Of the sampling.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest answer in tokens.")] = None,
    api_base: Annotated[str | None, typer.Option(metavar="URL", help="Address of a server of your own.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Episodes under way at once.")] = 16,
    budget_usd: Annotated[float | None, typer.Option(min=0, help="Most US dollars to spend.")] = None,
    max_calls: Annotated[int | None, typer.Option(min=1, help="Most calls of models.")] = None,
    engine: Annotated[Literal["local", "ray"], typer.Option(help="This process, or a Ray cluster.")] = "local",
    ray_address: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Of the cluster.")] = None,
    seed: Seed = 0,
    json: Json = False,
    trust: Trust = False,
) -> None:
    """Evaluate models and baselines: rewards, pass@k and pass^k with intervals, and what failures were."""
    players = _players(policy or [], form, temperature, max_tokens, baselines=baselines)
    options = ({"mode": mode} if mode != "task" else {}) | ({"trust": True} if trust else {})
    ids = [get_bundle(name).id if name in expand(["all"]) else name for name in expand(names)]
    config = EvalConfig.of(ids, players, tries=tries, split=split, difficulty=difficulty, seed=seed, options=options)
    folder = EvalFolder(out, config)
    needs_model = any(isinstance(player, ChatPlayer) for player in players)
    make = partial(LiteLLM, api_base=api_base, concurrency=concurrency) if needs_model else None
    stopped = ""
    total = len(plan_eval(config))
    with Progress(console=stderr(), transient=True, disable=not stderr().is_terminal) as progress:
        bar = progress.add_task("playing", total=total, completed=len(folder.done))

        def show(_: EvalEpisode) -> None:
            progress.advance(bar)

        if engine == "ray":
            evaluate_on_ray(folder, make_model=make, address=ray_address, on_result=show)
        else:
            stopped = asyncio.run(_evaluate(folder, make, concurrency, budget_usd, max_calls, show))
    rows = summarize_eval(folder.episodes)
    _save(folder, rows)
    if json:
        print_json({"folder": str(out), "stopped": stopped, "summary": [row.to_dict() for row in rows]})
    else:
        _print(rows, config)
        stdout().print(text(f"{len(folder.episodes)} of {total} tries in {out}"), soft_wrap=True)
    if stopped:
        stderr().print(text(f"stopped: {stopped} The same command with a larger budget goes on.", "yellow"))
        raise typer.Exit(_STOPPED)


def _players(
    models: Sequence[str],
    form: Literal["openai", "text"],
    temperature: float | None,
    max_tokens: int | None,
    *,
    baselines: bool,
) -> list[PolicyPlayer | ChatPlayer]:
    names = [*models, *(name for name in POLICIES if baselines and name not in models)]
    if not names:
        raise typer.BadParameter("nobody plays: give a --policy, or keep the baselines", param_hint="--policy")
    return [
        PolicyPlayer(policy=name)
        if name in POLICIES
        else ChatPlayer(model=name, form=form, temperature=temperature, max_tokens=max_tokens)
        for name in names
    ]


async def _evaluate(
    folder: EvalFolder,
    make: Callable[[], LiteLLM] | None,
    concurrency: int,
    budget_usd: float | None,
    max_calls: int | None,
    show: Callable[[EvalEpisode], None],
) -> str:
    """Play, and return why the evaluation stopped before its end, if it did."""
    if make is None:
        await evaluate(folder, concurrency=concurrency, on_result=show)
        return ""
    store, provider = CompletionStore(folder.folder / "completions.jsonl"), make()
    paid: LanguageModel = Budget(provider, usd=budget_usd, calls=max_calls, store=store)
    try:
        async with Recorded(store, paid) as model:
            await evaluate(folder, model=model, concurrency=concurrency, on_result=show)
    except BudgetExceeded as error:
        return str(error)
    finally:
        await provider.aclose()
        store.close()
    return ""


def _save(folder: EvalFolder, rows: Sequence[EvalRow]) -> None:
    import json as json_  # noqa: PLC0415 - 'json' is an option here

    summary = [row.to_dict() for row in rows]
    write_file(folder.folder / "summary.json", json_.dumps(summary, indent=2) + "\n")
    try:
        write_parquet(folder.episodes, folder.folder / "results.parquet")
    except ModuleNotFoundError as error:
        stderr().print(text(f"no results.parquet: {error}", "dim"))


def _print(rows: Sequence[EvalRow], config: EvalConfig) -> None:
    k = config.tries
    passes = (f"pass@{k}", f"pass^{k}") if k > 1 else ("pass@1",)
    costs = ("cost",) if any(row.usage.calls for row in rows) else ()
    numbers = ("tries", "reward", *passes, "steps", *costs)
    listing = table("", *numbers, "not solved", numbers=numbers, wraps="not solved")
    for row in rows:
        if row.environment is None:
            where = text(row.policy, "bold")
        elif row.difficulty is None:
            where = text(f"  {row.environment.rpartition('/')[2]}")
        else:
            where = text(f"    {row.difficulty}", "dim")
        chances = [row.pass_at.get(k), row.pass_hat.get(k)][: len(passes)]
        listing.add_row(
            where,
            str(row.episodes),
            _interval(row.reward),
            *map(_interval, chances),
            f"{row.steps:.1f}",
            *(f"${row.usage.cost_usd:.2f}" for _ in costs),
            text(", ".join(f"{count} {verdict}" for verdict, count in row.verdicts.items() if verdict != "success")),
        )
    console = stdout()
    console.print(heading("Means over scenarios, and how far their 95% intervals reach"))
    console.print(listing)


def _interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    return f"{estimate.mean:.2f} ±{max(estimate.high - estimate.mean, estimate.mean - estimate.low):.2f}"
