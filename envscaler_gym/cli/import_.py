"""``envscaler import``: published EnvScaler data into bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from envscaler_gym import registry
from envscaler_gym.cli.console import heading, stdout, table, text
from envscaler_gym.formats import import_envscaler, save_all
from envscaler_gym.isolation.lint import lint_bundle

__all__ = ["import_"]


def import_(
    metadata: Annotated[Path, typer.Argument(metavar="METADATA", help="File with the environments.")],
    scenarios: Annotated[
        list[Path] | None, typer.Argument(metavar="[SCENARIOS]...", help="Files with their scenarios.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for the bundles; your own one by default.")
    ] = None,
    namespace: Annotated[str, typer.Option(metavar="NAME", help="Namespace of the environments' ids.")] = "imported",
    on_finding: Annotated[
        Literal["warn", "refuse"], typer.Option(help="Whether code in which the lint finds something is left out.")
    ] = "warn",
) -> None:
    """Import environments in the published EnvScaler formats. None of their code runs."""
    report = import_envscaler(metadata, scenarios or [], namespace=namespace)
    findings = {bundle.id: lint_bundle(bundle) for bundle in report.bundles}
    bundles = [bundle for bundle in report.bundles if on_finding == "warn" or not findings[bundle.id]]
    paths = save_all(bundles, registry.home() / "envs" if out is None else out)
    console = stdout()
    if paths:
        rows = table("imported", "tools", "scenarios", "folder", numbers=("tools", "scenarios"), wraps="folder")
        for bundle, path in zip(bundles, paths, strict=True):
            rows.add_row(text(bundle.id, "bold"), str(len(bundle.tools)), str(len(bundle.scenarios)), text(path))
        console.print(rows)
    if report.skipped:
        console.print(heading(f"Skipped ({len(report.skipped)})"))
        for what, reason in report.skipped:
            console.print(text(f"  {what}: {reason}", "yellow"), soft_wrap=True)
    for bundle_id, found in findings.items():
        if found:
            fate = "left out" if on_finding == "refuse" else "imported all the same"
            console.print(heading(f"Findings of the lint in {bundle_id}, {fate} ({len(found)})"))
            for finding in found:
                console.print(text(f"  {finding}", "yellow"), soft_wrap=True)
    if not paths:
        console.print(text("Nothing was imported.", "bold red"))
        raise typer.Exit(1)
    console.print(heading("Next"))
    name = bundles[0].id if out is None else paths[0].resolve()
    console.print(text(f"  envscaler play {name}"), soft_wrap=True)
    console.print(text(f"  envscaler trust {name}"), soft_wrap=True)
    console.print("Until you trust it, code that nobody has reviewed runs in locked-down workers.", style="dim")
