"""What grows: steps, the goals that they make up, and the chain with everything that was verified of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from envscaler_gym.scenario import Difficulty, Scenario
from envscaler_gym.synthesis.graph.tables import Record
from envscaler_gym.types import JSON

__all__ = ["Goal", "Measure", "Step", "VerifiedChain"]


class Step(NamedTuple):
    """One call that changes the state.

    Attributes:
        tool: Name of the tool.
        arguments: Its arguments.
        records: Records that the arguments name.
        created: Records that it made.
        shown: Those of them whose keys the result shows.
        touched: Records that it changed or removed.
        fields: Where it changed what: table and key of whole records, table, key and field of changed ones.
    """

    tool: str
    arguments: Mapping[str, JSON]
    records: tuple[Record, ...]
    created: tuple[Record, ...] = ()
    shown: tuple[Record, ...] = ()
    touched: tuple[Record, ...] = ()
    fields: tuple[tuple[str | int, ...], ...] = ()


Goal = tuple[Step, ...]
"""Steps that are about the same thing, in order."""


class Measure(NamedTuple):
    """How hard a chain is.

    Attributes:
        calls: Calls of the reference solution.
        distinct_tools: Different tools among them.
        look_ups: Calls among them that only read.
        branching: Most later calls that use what one call showed.
        links: Pairs of calls of which the later uses what the earlier showed.
        complexity: c(H) = (|V| + |E| / 2) / 50 over calls and links (ScaleEnv, arXiv 2602.06820).
        difficulty: What that comes to.
    """

    calls: int
    distinct_tools: int
    look_ups: int
    branching: int
    links: int
    complexity: float
    difficulty: Difficulty


@dataclass(frozen=True, slots=True)
class VerifiedChain:
    """A chain that was executed, checked and found to hold.

    Attributes:
        scenario: The scenario that it makes, with the text of the template.
        goals: The solution's changes, by what they are about.
        clauses: The same in words, one clause a step.
        facts: Texts that any wording of the task has to contain, since the outcome depends on them.
        measure: How hard it is.
    """

    scenario: Scenario
    goals: tuple[Goal, ...]
    clauses: tuple[tuple[str, ...], ...]
    facts: tuple[str, ...]
    measure: Measure

    def named(self, scenario_id: str) -> VerifiedChain:
        """Return the chain with another id for its scenario."""
        return replace(self, scenario=self.scenario.model_copy(update={"id": scenario_id}))
