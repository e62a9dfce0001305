"""``envscaler graph``: how the tools of an environment depend on each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from envscaler_gym.bundle import Bundle
from envscaler_gym.cli.console import grid, heading, indent, print_json, stdout, table, text
from envscaler_gym.cli.options import Name
from envscaler_gym.errors import BundleError
from envscaler_gym.registry import get_bundle
from envscaler_gym.synthesis.graph import GraphFigures, ToolGraph, draw_graph, graph_figures, learn_graph, load_graph

__all__ = ["graph"]

_MOST_EDGES = 20


def graph(
    name: Name,
    out: Annotated[Path | None, typer.Option("--out", help="Draw the graph to this file: .svg, .png or .pdf.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print figures and edges as JSON.")] = False,
    learn: Annotated[bool, typer.Option("--learn", help="Learn it anew, whatever the manifest holds.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Write what was learnt to the bundle's manifest.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the calls that it is learnt from.")] = 0,
) -> None:
    """Show which tool supplies, enables or affects which, as executing them shows it."""
    bundle = get_bundle(name)
    found = learn_graph(bundle, seed=seed) if learn else load_graph(bundle, seed=seed)
    figures = graph_figures(found)
    if as_json:
        print_json(figures.model_dump(mode="json") | {"edges_found": [edge._asdict() for edge in found.edges]})
    else:
        _print(stdout(), found, figures)
    if out is not None:
        draw_graph(found, out)
        typer.echo(f"Drawn to {out}.", err=True)
    if save:
        _save(bundle, found)


def _print(console: Console, found: ToolGraph, figures: GraphFigures) -> None:
    console.print(text(found.bundle.id, "bold cyan"))
    rows = grid(2)
    edges = ", ".join(f"{count} {kind}" for kind, count in figures.edges.items())
    rows.add_row("tools", str(figures.tools))
    rows.add_row("edges", f"{edges} ({figures.confirmed} confirmed by executing, {figures.evidence} times)")
    rows.add_row("density", f"{figures.density:.2f} of all pairs have a confirmed edge")
    rows.add_row("longest chain", " -> ".join(figures.longest_chain) or "-")
    rows.add_row("isolated", ", ".join(figures.isolated) or "-")
    console.print(indent(rows))
    console.print(heading("Roles"))
    roles = grid(2)
    for role, tools in figures.roles.items():
        roles.add_row(text(role, "bold"), text(", ".join(tools)))
    console.print(indent(roles))
    console.print(heading("Strongest edges"))
    strongest = table("from", "to", "kind", "parameter", "times", numbers=("times",))
    for edge in sorted(found.edges, key=lambda edge: -edge.evidence)[:_MOST_EDGES]:
        strongest.add_row(text(edge.source), text(edge.target), edge.kind, text(edge.via), str(edge.evidence))
    console.print(indent(strongest))


def _save(bundle: Bundle, found: ToolGraph) -> None:
    if bundle.path is None:
        raise BundleError(f"{bundle.id} lies in no folder, so there is no manifest to write to")
    found.saved.save(bundle.path)
    typer.echo(f"Written to {bundle.path / 'manifest.json'}.", err=True)
