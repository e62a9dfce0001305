"""The figures of a tool graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from envscaler_gym.data import Data
from envscaler_gym.synthesis.graph.model import ToolGraph

__all__ = ["GraphFigures", "graph_figures"]


class GraphFigures(Data):
    """What is counted of a tool graph.

    Attributes:
        tools: Number of nodes.
        edges: Number of edges by kind.
        confirmed: Number of edges that executing has shown.
        evidence: How often it has, over all of them.
        density: Pairs of tools with a confirmed edge, among all ordered pairs.
        longest_chain: The longest of the shortest chains by which the tools can be supplied with what they need.
        roles: Tools by the part that they play.
        isolated: Tools without any confirmed edge.
    """

    tools: int
    edges: Mapping[str, int]
    confirmed: int
    evidence: int
    density: float
    longest_chain: Annotated[tuple[str, ...], Field(strict=False)]
    roles: Mapping[str, Annotated[tuple[str, ...], Field(strict=False)]]
    isolated: Annotated[tuple[str, ...], Field(strict=False)]


def graph_figures(graph: ToolGraph) -> GraphFigures:
    """Return the figures of a tool graph."""
    confirmed = [edge for edge in graph.edges if edge.evidence]
    pairs = {(edge.source, edge.target) for edge in confirmed}
    touched = {tool for pair in pairs for tool in pair}
    tools = tuple(graph.bundle.tools)
    roles: dict[str, tuple[str, ...]] = {}
    for tool in tools:
        roles[graph.role(tool)] = (*roles.get(graph.role(tool), ()), tool)
    return GraphFigures(
        tools=len(tools),
        edges=dict(sorted(Counter(edge.kind for edge in graph.edges).items())),
        confirmed=len(confirmed),
        evidence=sum(edge.evidence for edge in confirmed),
        density=round(len(pairs) / max(1, len(tools) * (len(tools) - 1)), 4),
        longest_chain=max(graph.chains.values(), key=lambda chain: (len(chain), chain), default=()),
        roles=roles,
        isolated=tuple(tool for tool in tools if tool not in touched),
    )
