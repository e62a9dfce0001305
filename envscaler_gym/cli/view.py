"""``envscaler view``: look through recorded episodes in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envscaler_gym.bundle import write_file
from envscaler_gym.cli.console import stdout, text
from envscaler_gym.cli.options import Trust
from envscaler_gym.trajectories import read_trajectories, view_page

__all__ = ["view"]


def view(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL file of trajectories.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The page; beside the trajectories by default.")
    ] = None,
    trust: Trust = False,
) -> None:
    """Write one self-contained HTML page that shows recorded episodes: messages, calls, state changes, checks."""
    page = out or file.with_suffix(".html")
    trajectories = list(read_trajectories(file))
    write_file(page, view_page(trajectories, trust=trust))
    stdout().print(text(f"{len(trajectories)} episodes in {page}"), soft_wrap=True)
