"""``envscaler seal``: take an edited bundle as it is now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envscaler_gym import registry, trust
from envscaler_gym.bundle import load_bundle
from envscaler_gym.cli.console import stdout, text

__all__ = ["seal"]


def seal(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Folder of the bundle.")],
    reviewed_by: Annotated[
        str | None,
        typer.Option(
            "--reviewed-by",
            metavar="WHO",
            help="List it in the library as reviewed by this person; only for bundles that come with the library.",
        ),
    ] = None,
) -> None:
    """Read a bundle as it lies there, and write its files' digests into its manifest."""
    folder = path.resolve()
    if reviewed_by is not None and folder.parent != registry.SHIPPED:
        raise typer.BadParameter(
            f"{folder} does not come with the library ({registry.SHIPPED}); use 'envscaler trust {folder}'",
            param_hint="--reviewed-by",
        )
    load_bundle(folder, verify=False).save(folder)
    bundle = load_bundle(folder)
    console = stdout()
    console.print(text(f"{bundle.id}  {bundle.digest}"), soft_wrap=True)
    if reviewed_by is not None:
        trust.record_review(bundle, reviewed_by, trust.REVIEWED)
        console.print(text(f"reviewed by {reviewed_by}, recorded in {trust.REVIEWED}"), soft_wrap=True)
