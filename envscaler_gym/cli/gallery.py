"""``envscaler gallery``: pages that show environments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envscaler_gym.cli.options import expand
from envscaler_gym.registry import get_bundle, shipped_ids

__all__ = ["gallery"]


def gallery(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Environments; those that come with the library by default."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the pages.")] = Path("gallery"),
) -> None:
    """Write a page for each environment: rules, tools, graph, difficulty, quality record and an episode."""
    from envscaler_gym.gallery import write_gallery  # noqa: PLC0415 - drawing is imported by the command alone

    files = write_gallery([get_bundle(id_) for id_ in (expand(names) if names else shipped_ids())], out)
    typer.echo(f"{len(files)} files in {out}; begin with {files[0]}.", err=True)
