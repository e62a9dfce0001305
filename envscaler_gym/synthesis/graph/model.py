"""The graph of a bundle's tools: what each needs, what gives it, and what depends on what."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

from envscaler_gym.bundle import Bundle
from envscaler_gym.manifest import ToolDependencies
from envscaler_gym.synthesis.graph.slots import Slot, slots_of
from envscaler_gym.synthesis.graph.tables import Tables
from envscaler_gym.tools import method_nodes

__all__ = ["Edge", "EdgeKind", "Role", "ToolGraph", "digest_of_source"]

EdgeKind: TypeAlias = Literal["data", "enables", "state"]
Role: TypeAlias = Literal["entry look-up", "linked look-up", "creates", "removes", "changes"]


class Edge(NamedTuple):
    """One dependency of a tool on another.

    Attributes:
        source: The tool that comes first.
        target: The tool that depends on it.
        kind: ``"data"``: a value of its result is an argument; ``"enables"``: the target is refused before it and
            succeeds after it; ``"state"``: the target reads what it writes.
        via: The parameter, or the state attributes.
        evidence: How often executing showed it; 0 for shared state, which is read off.
    """

    source: str
    target: str
    kind: EdgeKind
    via: str
    evidence: int


class ToolGraph:
    """The tools of a bundle with their dependencies.

    Args:
        bundle: The bundle.
        tables: Its tables.
        learnt: What executing showed.
    """

    def __init__(self, bundle: Bundle, tables: Tables, learnt: ToolDependencies) -> None:
        self.bundle, self.tables, self.learnt = bundle, tables, learnt
        self.slots: Mapping[str, tuple[Slot, ...]] = slots_of(bundle, tables)
        self.queries = tuple(name for name, tool in bundle.tools.items() if tool.kind == "query")
        self.changes = tuple(name for name, tool in bundle.tools.items() if tool.kind == "state_change")

    @property
    def saved(self) -> Bundle:
        """The bundle with the graph in its manifest."""
        return replace(self.bundle, manifest=self.bundle.manifest.model_copy(update={"graph": self.learnt}))

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All edges: data flow, enabling, shared state, each in the order of the allow-list."""
        data = (
            Edge(source, target, "data", parameter, times)
            for target in self.bundle.tools
            for parameter, suppliers in self.learnt.data.get(target, {}).items()
            for source, times in suppliers.items()
        )
        enabling = (
            Edge(source, target, "enables", "", times)
            for target in self.bundle.tools
            for source, times in self.learnt.enables.get(target, {}).items()
        )
        return (*data, *enabling, *self._shared())

    def _shared(self) -> Iterator[Edge]:
        for source in self.changes:
            for target in self.bundle.tools:
                common = sorted(set(self.writes[source]) & set(self.reads[target]))
                if common and source != target:
                    yield Edge(source, target, "state", ", ".join(common), 0)

    @cached_property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """State attributes that each tool reads: the manifest's, or where it names none, those in the source."""
        methods = method_nodes(self.bundle.source, self.bundle.manifest.class_name)
        declared = {entry.name: entry.reads for entry in self.bundle.manifest.tools}
        return {name: declared[name] or _mentioned(name, methods, self.tables) for name in self.bundle.tools}

    @cached_property
    def writes(self) -> Mapping[str, tuple[str, ...]]:
        """State attributes that each tool writes: the manifest's, and those that it was seen to write."""
        result = {}
        for entry in self.bundle.manifest.tools:
            effects = self.learnt.effects.get(entry.name)
            seen = (*effects.adds, *effects.changes, *effects.removes) if effects else ()
            result[entry.name] = tuple(dict.fromkeys((*entry.writes, *seen)))
        return result

    def suppliers(self, table: str) -> list[str]:
        """Return the queries whose results show keys of a table."""
        return [name for name in self.queries if table in self.learnt.shows.get(name, ())]

    def followers(self, tool: str) -> dict[str, float]:
        """Return how strongly each state-changing tool depends on one: data before enabling before shared state."""
        weights = {"data": 4.0, "enables": 3.0, "state": 1.0}
        found: dict[str, float] = {}
        for edge in self.edges:
            if edge.source == tool and edge.target in self.changes:
                found[edge.target] = max(found.get(edge.target, 0.0), weights[edge.kind])
        return found

    def role(self, tool: str) -> Role:
        """Return what part a tool plays."""
        effects = self.learnt.effects.get(tool)
        if tool in self.queries:
            needed = [slot for slot in self.slots[tool] if slot.required and self._opaque(slot)]
            return "linked look-up" if needed else "entry look-up"
        if effects is not None and effects.adds:
            return "creates"
        return "removes" if effects is not None and effects.removes else "changes"

    def _opaque(self, slot: Slot) -> bool:
        return any(not self.tables[table].known_key for table in slot.tables)

    @cached_property
    def chains(self) -> Mapping[str, tuple[str, ...]]:
        """The shortest chain of calls, by the tool it ends with, in which earlier results supply all that is needed.

        Tools that cannot be supplied at all have none.
        """
        chains: dict[str, tuple[str, ...]] = {}
        for _ in self.bundle.tools:
            found = {name: chain for name in self.bundle.tools if (chain := self._chain(name, chains)) is not None}
            if found == chains:
                break
            chains = found
        return chains

    def _chain(self, tool: str, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
        calls: dict[str, None] = {}
        for slot in self.slots[tool]:
            if slot.required and self._opaque(slot):
                suppliers = self.learnt.data.get(tool, {}).get(slot.label, {})
                options = [known[name] for name in suppliers if name in known and tool not in known[name]]
                if not options:
                    return None
                shortest = min(options, key=len)
                calls |= dict.fromkeys(shortest)
        return (*calls, tool)


def digest_of_source(bundle: Bundle) -> str:
    """Return the SHA-256 of a bundle's ``environment.py``, as :class:`ToolDependencies` has it."""
    return "sha256:" + hashlib.sha256(bundle.source.encode()).hexdigest()


def _mentioned(name: str, methods: Mapping[str, ast.FunctionDef], tables: Tables) -> tuple[str, ...]:
    """Return the tables that a method, or one that it calls, has to do with."""
    found: dict[str, None] = {}
    pending, seen = [name], set()
    while pending:
        current = pending.pop()
        if current in seen or current not in methods:
            continue
        seen.add(current)
        for node in ast.walk(methods[current]):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
                pending.append(node.attr)
                if node.attr in tables:
                    found[node.attr] = None
    return tuple(table for table in tables if table in found)
