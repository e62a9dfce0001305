"""Start states that scenarios grow in: the bundle's own, with records added that make looking things up necessary.

Each variant has distractors, people who are easily taken for others: copies of their records with another first name.
Of other things none are made up, since what a second medicine or a second gate would be called only their place can
say. A few changes made through the tools see to it that no two variants tell the same story.
"""

from __future__ import annotations

import datetime
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from envscaler_gym.scenario import StartState
from envscaler_gym.state import copy_state
from envscaler_gym.synthesis.graph.lab import Lab
from envscaler_gym.synthesis.graph.literals import Literals, Newcomer
from envscaler_gym.synthesis.graph.model import ToolGraph
from envscaler_gym.synthesis.graph.tables import Table, records_of
from envscaler_gym.synthesis.growth.chain import Step
from envscaler_gym.synthesis.growth.sampling import ChainSampler

__all__ = ["vary"]

_DISTRACTORS = 5
_CHANGES = 4
_HOURS_BEFORE = 20

Problems = Callable[[Mapping[str, Any]], list[str]]


def vary(
    graph: ToolGraph,
    literals: Literals,
    lab: Lab,
    start: StartState,
    name: str,
    clock: str,
    problems: Problems,
    seed: int,
) -> StartState:
    """Return a variant of a start state.

    Args:
        graph: The tools.
        literals: Values for arguments.
        lab: A world.
        start: The start state.
        name: Id of the variant.
        clock: Time at which scenarios begin in it.
        problems: What is wrong with a state: types, references, invariants. What makes it worse is left out.
        seed: Seed of the choices.
    """
    rng = random.Random(f"{seed}/{name}")  # noqa: S311 - to be repeatable
    state: dict[str, Any] = copy_state(dict(start.state))
    known = set(problems(state))
    tables = [table for table in graph.tables.values() if table.person and table.names and not table.known_key]
    for _ in range(_DISTRACTORS if tables else 0):
        candidate = copy_state(state)
        if _add_distractor(candidate, rng.choice(tables), rng) and known.issuperset(problems(candidate)):
            state = candidate
    changed = _make_changes(graph, literals, lab, state, clock, rng)
    return StartState(id=name, state=changed if known.issuperset(problems(changed)) else state)


def _make_changes(
    graph: ToolGraph, literals: Literals, lab: Lab, state: Mapping[str, Any], clock: str, rng: random.Random
) -> dict[str, Any]:
    """Let some hours pass before the scenarios begin, in which a few calls change something."""
    before = datetime.datetime.fromisoformat(clock) - datetime.timedelta(hours=_HOURS_BEFORE)
    lab.load(state, before.isoformat(), f"{rng.random()}")
    sampler = ChainSampler(graph, literals, lab, Counter())
    chain: list[Step] = []
    for _ in range(_CHANGES):
        step = sampler.extend(state, before, chain, (), lambda _record: True, rng)
        if step is None:
            break
        chain.append(step)
    return lab.state()


def _add_distractor(state: dict[str, Any], table: Table, rng: random.Random) -> bool:
    """Copy a person's record under a new key and a name like theirs; return whether there was one to copy."""
    records = records_of(state, table.name)
    if not records:
        return False
    model = rng.choice(sorted(records))
    copy = copy_state(records[model])
    key = _next_key(list(records))
    if table.key:
        copy[table.key] = key
    name = str(copy.get(table.names[0], ""))
    newcomer = Newcomer(rng, last=name.rsplit(maxsplit=1)[-1] if " " in name else "")
    for field, value in copy.items():
        if not isinstance(value, str) or field in table.references or field == table.key:
            continue
        if field == table.names[0]:
            copy[field] = newcomer.name
        elif "@" in value:
            copy[field] = re.sub(r"^[^@]*", newcomer.email.partition("@")[0], value)
        elif re.search(r"phone|plate|number|code|serial|isbn|url|mark", field):
            copy[field] = "".join(str(rng.randrange(10)) if c.isdigit() else c for c in value)
    records[key] = copy  # type: ignore[index]  # a dict of the copied state
    return True


def _next_key(keys: Sequence[str]) -> str:
    """Return the key after the largest, in the form of the others."""
    longest = max(keys, key=lambda key: (len(key), key))
    digits = re.search(r"(\d+)(\D*)$", longest)
    if digits is None:
        return f"{longest}-2"
    number = str(int(digits[1]) + 1).zfill(len(digits[1]))
    return f"{longest[: digits.start(1)]}{number}{digits[2]}"
