"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envscaler_gym import registry

__all__ = ["Json", "Name", "Names", "RunsDir", "ScenarioId", "Seed", "Trust", "expand", "means_all"]

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="Id of an environment (with or without namespace and version), its folder's name, or a path.",
    ),
]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Names as for 'show', or 'all'.")]
ScenarioId = Annotated[str | None, typer.Option("--scenario", metavar="ID", help="Id of a scenario.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed: the same one gives the same episodes.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
RunsDir = Annotated[
    Path | None, typer.Option("--runs-dir", metavar="DIR", help="Folder of the runs of synthesis; your own by default.")
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Run code that nobody has reviewed in this process, with all of your rights, "
        "instead of in a locked-down worker. Read it first.",
    ),
]


def means_all(names: list[str]) -> bool:
    """Return whether all environments are meant."""
    return names == ["all"]


def expand(names: list[str]) -> list[str]:
    """Return the names that were given, or the ids of all environments where ``all`` is."""
    return registry.ids() if means_all(names) else names
