"""A picture of a tool graph."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from envscaler_gym.errors import EnvScalerError
from envscaler_gym.synthesis.graph.model import EdgeKind, Role, ToolGraph

__all__ = ["draw_graph"]

_COLOURS: dict[Role, str] = {
    "entry look-up": "#7fb8d8",
    "linked look-up": "#c3dfee",
    "creates": "#f2a65a",
    "changes": "#f7d08a",
    "removes": "#d9756b",
}
_STYLES: dict[EdgeKind, tuple[str, str]] = {"data": ("solid", "#33658a"), "enables": ("dashed", "#a23b3b")}
_SIZE = (15, 11)  # inches
_NODE = 400  # points squared
_OUTSIDE = 1.06  # where labels begin, the circle being 1
_WIDTH = 1.6


def draw_graph(graph: ToolGraph, path: Path) -> None:
    """Draw the confirmed edges of a graph, the tools around a circle by the part that they play.

    Args:
        graph: The graph.
        path: Where to write; ``.svg``, ``.png`` and ``.pdf`` are taken. Equal graphs give equal bytes as SVG and PNG.

    Raises:
        EnvScalerError: networkx or matplotlib is missing, or the path has another ending.
    """
    if path.suffix not in (".svg", ".png", ".pdf"):
        raise EnvScalerError(f"{path}: the picture must end in .svg, .png or .pdf, not {path.suffix or 'nothing'!r}")
    networkx, matplotlib = _needed("networkx"), _needed("matplotlib")
    figures, lines, patches = (_needed(f"matplotlib.{part}") for part in ("figure", "lines", "patches"))
    with matplotlib.rc_context({"svg.hashsalt": graph.bundle.id, "svg.fonttype": "none"}):
        figure = figures.Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.set_title(f"Tools of {graph.bundle.id}")
        network, places = _layout(networkx, graph)
        for kind, (style, colour) in _STYLES.items():
            edges = [(a, b) for a, b, data in network.edges(data=True) if data["kind"] == kind]
            widths = [0.6 + min(2.0, network.edges[edge]["evidence"] / 20) for edge in edges]
            networkx.draw_networkx_edges(
                network, places, edges, width=widths, style=style, edge_color=colour, alpha=0.45, ax=axes,
                connectionstyle="arc3,rad=0.15", node_size=_NODE, arrowsize=10,
            )  # fmt: skip
        colours = [_COLOURS[graph.role(tool)] for tool in network]
        networkx.draw_networkx_nodes(network, places, node_size=_NODE, node_color=colours, ax=axes)
        for tool, (x, y) in places.items():
            side = "left" if x > 0 else "right"
            axes.text(x * _OUTSIDE, y * _OUTSIDE, tool, fontsize=11, ha=side, va="center")
        axes.set_xlim(-_WIDTH, _WIDTH)
        legend = [patches.Patch(color=colour, label=role) for role, colour in _COLOURS.items()]
        legend += [lines.Line2D([], [], linestyle=s, color=c, label=kind) for kind, (s, c) in _STYLES.items()]
        axes.legend(handles=legend, loc="lower center", ncols=len(legend), frameon=False, bbox_to_anchor=(0.5, -0.06))
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _layout(networkx: Any, graph: ToolGraph) -> tuple[Any, dict[str, Any]]:
    """Return the tools as a network with the stronger edge of each pair, and where each stands."""
    network = networkx.DiGraph()
    roles = list(_COLOURS)
    network.add_nodes_from(sorted(graph.bundle.tools, key=lambda tool: roles.index(graph.role(tool))))
    for edge in graph.edges:
        known = network.get_edge_data(edge.source, edge.target, {"evidence": 0})
        if edge.evidence > known["evidence"] and edge.source != edge.target:
            network.add_edge(edge.source, edge.target, kind=edge.kind, evidence=edge.evidence)
    return network, networkx.circular_layout(network)


def _needed(name: str) -> Any:
    """Import what only drawing needs."""
    try:
        return import_module(name)
    except ImportError:
        raise EnvScalerError(
            f'drawing needs {name.partition(".")[0]}, which is not installed: pip install "envscaler-gym[synthesis]"'
        ) from None
