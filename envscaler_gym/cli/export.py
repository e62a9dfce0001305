"""``envscaler export``: bundles into published EnvScaler data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envscaler_gym.cli.console import stdout, text
from envscaler_gym.cli.options import Names, expand
from envscaler_gym.formats import export_envscaler
from envscaler_gym.registry import get_bundle

__all__ = ["export"]


def export(
    names: Names,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files, which are replaced.")],
) -> None:
    """Export environments to the published EnvScaler formats, without loss."""
    bundles = [get_bundle(name) for name in expand(names)]
    files = export_envscaler(bundles, out)
    scenarios = sum(len(bundle.scenarios) for bundle in bundles)
    console = stdout()
    console.print(text(f"{files.metadata}: {len(bundles)} environments"), soft_wrap=True)
    console.print(text(f"{files.scenarios}: {scenarios} scenarios"), soft_wrap=True)
