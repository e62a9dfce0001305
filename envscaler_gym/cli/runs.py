"""``envscaler runs``: the runs of synthesis, and what became of each environment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from envscaler_gym.cli.console import heading, indent, print_json, stdout, table, text
from envscaler_gym.cli.options import Json, RunsDir
from envscaler_gym.types import JSON

if TYPE_CHECKING:  # synthesis is imported by the commands alone
    from envscaler_gym.synthesis.outcomes import Outcome, RunReport
    from envscaler_gym.synthesis.runs import Run

__all__ = ["print_run", "runs"]

runs = typer.Typer(help="The runs of synthesis: list them, and see what became of each environment.")

_STYLES = {"published": "bold green", "rejected": "bold red", "stopped": "bold yellow", "failed": "bold red"}


@runs.callback(invoke_without_command=True)
def list_runs(ctx: typer.Context, runs_dir: RunsDir = None, json: Json = False) -> None:
    """List the runs."""
    from envscaler_gym.synthesis import runs as store  # noqa: PLC0415 - synthesis is imported by the commands alone

    ctx.obj = runs_dir
    if ctx.invoked_subcommand is not None:
        return
    folder = store.runs_folder() if runs_dir is None else runs_dir
    found = store.list_runs(folder)
    if json:
        print_json([_summary(run) for run in found])
        return
    console = stdout()
    if not found:
        console.print(text(f"There are no runs in {folder}. 'envscaler synth' begins one."), soft_wrap=True)
        return
    numbers = ("environments", "published", "answers", "USD")
    rows = table("run", "from", "state", *numbers, numbers=numbers, wraps="from")
    for run in found:
        line = _summary(run)
        cost = f"{line['cost_usd']:.2f}" + ("+" if line["unpriced"] else "")
        figures = (str(line["environments"]), str(line["published"]), str(line["answers"]), cost)
        rows.add_row(text(run.name, "bold"), text(line["from"]), text(line["state"]), *figures)
    console.print(rows)


@runs.command("show")
def show(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, or its folder.")],
    json: Json = False,
) -> None:
    """Say what became of each environment of a run, and why."""
    from envscaler_gym.synthesis import runs as store  # noqa: PLC0415

    found = store.find_run(run, store.runs_folder() if ctx.obj is None else ctx.obj)
    report = found.report()
    if json:
        print_json(_summary(found) | {"report": None if report is None else report.model_dump(mode="json")})
    elif report is None:
        stdout().print(text(f"{found.name}: {_state(found, None)}. {_next(found)}"), soft_wrap=True)
    else:
        print_run(stdout(), found, report)


@runs.command("pack")
def pack(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, or its folder.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, such as mine.tar.xz.")],
) -> None:
    """Write what a run was asked for, and every answer, to one file. Whoever unpacks it needs no model."""
    from envscaler_gym.synthesis import runs as store  # noqa: PLC0415
    from envscaler_gym.synthesis.packing import pack_run  # noqa: PLC0415

    pack_run(store.find_run(run, store.runs_folder() if ctx.obj is None else ctx.obj), file)
    stdout().print(text(f"{file}: {file.stat().st_size:,} bytes"), soft_wrap=True)


@runs.command("unpack")
def unpack(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A packed run.", exists=True, dir_okay=False)],
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the bundles; your own one by default.")
    ] = None,
) -> None:
    """Make a run of a packed one."""
    from envscaler_gym.synthesis import runs as store  # noqa: PLC0415
    from envscaler_gym.synthesis.packing import unpack_run  # noqa: PLC0415

    run = unpack_run(file, store.runs_folder() if ctx.obj is None else ctx.obj, name, out)
    stdout().print(text(f"{run.folder}\nNext: envscaler synth --resume {run.folder}"), soft_wrap=True)


def print_run(console: Console, run: Run, report: RunReport) -> None:
    """Print what became of a run."""
    console.print(heading(f"Run {run.name}").append(f"  {_state(run, report)}", "not bold"))
    if report.discovery:
        console.print(text("  " + " → ".join(f"{count} {what}" for what, count in report.discovery.items())))
    for what, reason in report.dismissed.items():
        console.print(text(f"  left out: {_one_line(what, 70)}: {reason}", "dim"), soft_wrap=True)
    for outcome in report.outcomes:
        _print_outcome(console, outcome)
    if report.usage:
        _print_usage(console, report)
    if report.reason and not report.waiting:
        console.print(text(f"\n{report.reason}", "yellow"), soft_wrap=True)
    if report.waiting:
        console.print(
            text(f"\n{report.waiting} requests are to be answered: {report.requests}", "bold"), soft_wrap=True
        )
    if report.status == "stopped":
        console.print(text(_next(run, waiting=bool(report.waiting))), soft_wrap=True)
    for outcome in report.outcomes:
        if outcome.status == "published":
            console.print(text(f"Next: envscaler play {outcome.bundle if run.config.out is None else outcome.path}"))
            break


def _print_outcome(console: Console, outcome: Outcome) -> None:
    line = heading(outcome.subject).append("  ").append_text(text(outcome.status, _STYLES[outcome.status]))
    if outcome.status != "published":
        line.append_text(text(f" at {outcome.stage}", "not bold"))
    console.print(line)
    if outcome.bundle:
        console.print(text(f"  {outcome.bundle}  {outcome.path}"), soft_wrap=True)
    if outcome.reason:
        console.print(text("\n".join(f"  {part}" for part in outcome.reason.split("\n"))), soft_wrap=True)
    figures = ", ".join(f"{name} {_figure(value)}" for name, value in outcome.figures.items() if name != "digest")
    if figures:
        console.print(text(f"  {figures}", "dim"), soft_wrap=True)


def _print_usage(console: Console, report: RunReport) -> None:
    numbers = ("answers", "tokens in", "tokens out", "USD")
    rows = table("stage", *numbers, "went wrong", numbers=numbers, wraps="went wrong")
    for stage, usage in report.usage.items():
        wrong = ", ".join(f"{kind.replace('_', ' ')} {count}" for kind, count in usage.failures.items())
        cost = f"{usage.cost_usd:.2f}" + ("+" if usage.unpriced else "")
        tokens = f"{usage.prompt_tokens:,}", f"{usage.completion_tokens:,}"
        rows.add_row(stage, f"{usage.calls:,}", *tokens, cost, text(wrong))
    console.print(heading("Answers"))
    console.print(indent(rows))


def _summary(run: Run) -> dict[str, JSON]:
    report = run.report()
    usage = list(report.usage.values()) if report else []
    return {
        "run": run.name,
        "folder": str(run.folder),
        "from": _source(run),
        "state": _state(run, report),
        "environments": len(report.outcomes) if report else 0,
        "published": sum(outcome.status == "published" for outcome in report.outcomes) if report else 0,
        "answers": sum(part.calls for part in usage),
        "cost_usd": round(sum(part.cost_usd for part in usage), 6),
        "unpriced": sum(part.unpriced for part in usage),
    }


def _source(run: Run) -> str:
    source = run.config.source
    if source.kind == "tasks":
        return f"{len(source.tasks)} tasks"
    if source.kind == "topics":
        return _one_line("; ".join(source.topics), 60)
    return f"more scenarios for {source.name}"


def _state(run: Run, report: RunReport | None) -> str:
    if run.is_busy():
        return "running"
    if report is None:
        return "interrupted"
    return "waits for answers" if report.waiting else report.status


def _next(run: Run, *, waiting: bool = False) -> str:
    return f"Next: envscaler synth --resume {run.folder}{' --answers FILE' if waiting else ''}"


def _figure(value: JSON) -> str:
    if isinstance(value, dict):
        return " ".join(f"{count} {name}" for name, count in value.items())
    return str(value)


def _one_line(value: str, longest: int) -> str:
    line = " ".join(value.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
