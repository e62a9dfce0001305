"""The command: measure everything and print the table."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path

import gymnasium
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.episodes import Contest
from benchmarks.isolated import isolated
from benchmarks.processes import imports, memory, registration
from benchmarks.subjects import make_subjects
from benchmarks.throughput import throughput
from benchmarks.timing import Row

_WIDTH = 130
"""Columns of the table where it is not printed to a terminal."""


def main() -> None:
    """Measure, print, and write the raw figures where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that everything runs, not how fast")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ENVSCALER_HOME"] = f"{folder}/home"  # the user's own bundles are not measured
        sections = measure(Path(folder), quick=options.quick)
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(f"envscaler_gym against its floor and the published loop; {machine()}")
    for title, rows in sections.items():
        console.print(table(title, rows))
    if options.json is not None:
        figures = [{"measured": title, **row.to_dict()} for title, rows in sections.items() for row in rows]
        options.json.write_text(json.dumps({"machine": machine(), "rows": figures}, indent=2) + "\n")


def measure(folder: Path, *, quick: bool) -> dict[str, list[Row]]:
    """Return the rows by what was measured.

    Args:
        folder: An empty folder.
        quick: Whether few rounds will do.
    """
    for name in ("subjects", "copies"):
        (folder / name).mkdir()
    mixed, trivial = make_subjects(folder / "subjects")
    contest = Contest(mixed, quick=quick)
    mixed_rows = [*contest.steps(), *contest.resets(), *contest.graded(), *contest.forks()]
    return {
        mixed.title: [*mixed_rows, *memory(mixed, quick=quick)],
        trivial.title: Contest(trivial, quick=quick).steps(),
        f"Throughput of {mixed.title}": throughput(mixed, quick=quick),
        "Isolation: calls of Stockroom, episodes of Library": isolated(trivial, mixed, quick=quick),
        "Processes of their own": [imports(quick=quick), registration(mixed, folder / "copies", quick=quick)],
    }


def table(title: str, rows: list[Row]) -> Table:
    """Return the rows of one section as they are printed."""
    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, expand=True)
    for heading in ("", "ours", "other", "result", "quartiles", "target", ""):
        made.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for row in rows:
        made.add_row(*_cells(row))
    return made


def _cells(row: Row) -> list[str]:
    digits = 3 if row.unit == "s" else 1
    unit = f"x {row.relation}" if row.relation else row.unit
    other = "" if row.other is None else f"{row.other:.{digits}f} {row.unit}"
    bound = "" if row.target is None else f"{'>=' if row.relation == 'faster' else '<='} {row.target:g}"
    verdict = {None: "", True: "[green]met[/green]", False: "[red]missed[/red]"}[row.met]
    result, quartiles = f"{row.value:.{digits}f} {unit}", f"{row.low:.{digits}f} - {row.high:.{digits}f}"
    return [row.name, f"{row.ours:.{digits}f} {row.unit}", other, result, quartiles, bound, verdict]


def machine() -> str:
    """Return what the figures depend on, in one line."""
    return f"Python {platform.python_version()}, gymnasium {gymnasium.__version__}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
