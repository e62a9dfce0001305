"""``envscaler check``: try an environment, its scenarios and its checks before they are trusted."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from envscaler_gym import registry
from envscaler_gym.bundle import MANIFEST
from envscaler_gym.cli.console import heading, indent, print_json, stderr, stdout, table, text
from envscaler_gym.cli.options import Json, Seed, Trust, expand
from envscaler_gym.errors import UnknownNameError
from envscaler_gym.quality import Finding, GateResult, QualityReport, check_all, write_record
from envscaler_gym.types import JSON

__all__ = ["check"]

_MAX_FINDINGS = 20
_MAX_NOTES = 3


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME|PATH...", help="Environments, their folders, or folders of such folders."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All environments that are found.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Environments tried at the same time.")] = 1,
    calls: Annotated[int, typer.Option(min=1, help="Generated calls that each environment is tried with.")] = 20_000,
    record: Annotated[
        bool, typer.Option("--record", help="Write what was found into the manifest, as the bundle's quality record.")
    ] = False,
    seed: Seed = 0,
    json: Json = False,
    trust: Trust = False,
) -> None:
    """Put environments through every gate. The exit code is 1 where a gate fails."""
    wanted = _resolve(names or [], everything=all_)
    reports = _run(wanted, jobs, calls, seed, trust=trust)
    if json:
        print_json([_as_dict(report) for report in reports])
    else:
        for report in reports:
            _print_report(stdout(), report)
        _print_total(stdout(), reports)
    if record:
        for name, report in zip(wanted, reports, strict=True):
            write_record(registry.get_bundle(name), report)
    if not all(report.passed for report in reports):
        raise typer.Exit(1)


def _resolve(names: Sequence[str], *, everything: bool) -> list[str]:
    if everything == bool(names):
        raise typer.BadParameter("give names or paths, or --all", param_hint="NAME|PATH...")
    found: list[str] = []
    for name in expand(["all"] if everything else list(names)):
        inside = sorted(str(path.parent.resolve()) for path in Path(name).glob(f"*/{MANIFEST}"))
        try:
            found.append(str(registry.find(name)))
        except UnknownNameError:
            if not inside:
                raise
            found += inside
    return found


def _run(names: Sequence[str], jobs: int, calls: int, seed: int, *, trust: bool) -> list[QualityReport]:
    console = stderr()
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        whole = progress.add_task("environments", total=len(names))
        bars = {name: progress.add_task("", total=None, visible=False) for name in names}

        def show(name: str, what: str, done: int, total: int) -> None:
            label = f"{Path(name).name}: {what}"
            progress.update(bars[name], description=label, completed=done, total=total, visible=done < total)

        reports: list[QualityReport] = []
        for report in check_all(names, jobs=jobs, calls=calls, seed=seed, trust=trust, on_progress=show):
            progress.update(bars[names[len(reports)]], visible=False)
            progress.advance(whole)
            reports.append(report)
    return reports


def _print_report(console: Console, report: QualityReport) -> None:
    verdict = text("passed", "bold green") if report.passed else text("failed", "bold red")
    console.print(heading(report.id).append("  ").append_text(verdict))
    rows = table("gate", "", "figures", wraps="figures")
    for gate in report.gates:
        rows.add_row(text(gate.gate), _state(gate), text(gate.skipped or _figures(gate)))
    console.print(indent(rows))
    if not report.passed:
        console.print(indent(text("Defects", "bold red")))
    for gate in report.gates:
        _print_findings(console, gate.gate, gate.findings, _MAX_FINDINGS)
    if any(gate.notes for gate in report.gates):
        console.print(indent(text("To know", "bold yellow")))
    for gate in report.gates:
        _print_findings(console, gate.gate, gate.notes, _MAX_NOTES)


def _state(gate: GateResult) -> Text:
    if gate.skipped:
        return text("skipped", "yellow")
    return text("passed", "green") if gate.passed else text(f"{len(gate.findings)} found", "bold red")


def _figures(gate: GateResult) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in gate.figures.items())


def _number(value: JSON) -> str:
    return f"{value:.3g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _print_findings(console: Console, gate: str, findings: Sequence[Finding], limit: int) -> None:
    shown: set[str] = set()
    for finding in findings[:limit]:
        times = f" ({finding.times} times)" if finding.times > 1 else ""
        line = text(f"    {gate}: {finding.subject}: ", "bold").append_text(text(finding.message + times, "not bold"))
        console.print(line, soft_wrap=True)
        if finding.example and finding.defect not in shown:  # one of each class is enough to see what it is about
            shown.add(finding.defect)
            console.print(text(textwrap.indent(finding.example.rstrip(), " " * 8), "dim"), soft_wrap=True)
    if len(findings) > limit:
        console.print(text(f"    {gate}: ... and {len(findings) - limit} more; --json lists all"))


def _print_total(console: Console, reports: Sequence[QualityReport]) -> None:
    _print_classes(console, "Defects by class", [report.defects() for report in reports])
    _print_classes(console, "To know, by class", [report.noted() for report in reports])
    passed = sum(report.passed for report in reports)
    style = "bold green" if passed == len(reports) else "bold red"
    console.print(text(f"\n{passed} of {len(reports)} environments passed every gate", style))


def _print_classes(console: Console, title: str, counts: Sequence[Mapping[str, int]]) -> None:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    if not total:
        return
    console.print(heading(title))
    rows = table("class", "environments", "subjects", numbers=("environments", "subjects"), wraps="class")
    for name, subjects in total.most_common():
        rows.add_row(text(name), str(sum(name in count for count in counts)), str(subjects))
    console.print(indent(rows))


def _as_dict(report: QualityReport) -> dict[str, JSON]:
    summary = {"passed": report.passed, "defects": report.defects(), "noted": report.noted()}
    return summary | report.model_dump(mode="json")
