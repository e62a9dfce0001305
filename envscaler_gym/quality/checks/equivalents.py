"""Equivalents: states that differ from a solved one in nothing that was asked for, and so must score 1.0 as well."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from envscaler_gym.quality.scenarios.edits import Path, fresh_key, rename, texts
from envscaler_gym.quality.scenarios.plausible import same
from envscaler_gym.quality.scenarios.records import Records
from envscaler_gym.quality.scenarios.rehearsal import Play, Rehearsal
from envscaler_gym.sampling import ValuePool, sample_arguments
from envscaler_gym.scenario import Scenario, SolutionCall
from envscaler_gym.state import diff
from envscaler_gym.types import JSON

__all__ = ["Equivalent", "differing_paths", "generated_keys", "other_orders", "reads", "states_like"]


class Equivalent(NamedTuple):
    """A state that is as good as the solved one.

    Attributes:
        defect: What a check that fails on it depends on, as the class of a defect.
        state: The state.
        surely: Whether it is; what was done in another order has other times in it, and the task may care.
    """

    defect: str
    state: Mapping[str, Any]
    surely: bool = True


def generated_keys(scenario: Scenario, play: Play) -> list[str]:
    """List the keys of created records that the environment made up, rather than took from the call or the task."""
    said = " ".join((scenario.task, *scenario.requests))
    found = []
    for step in play.steps:
        given = [text for text in texts(dict(step.call.arguments)) if text]
        found += [key for _, key in step.created if key not in said and not any(text in key for text in given)]
    return found


def differing_paths(play: Play, others: Collection[Play]) -> frozenset[Path]:
    """Return where plays of the same calls end differently, but for the names of what they made."""
    return frozenset(
        change.path
        for other in others
        for change in diff(play.final, rename(other.final, other.names_in(play)))
        if not same(change.before, change.after)
    )


def states_like(play: Play, generated: Collection[str], records: Records) -> list[Equivalent]:
    """List rewritings of a solved state that mean the same."""
    final = dict(play.final)
    names = {key: fresh_key(key, str(final)) for key in generated}
    found = [
        Equivalent("a check depends on the order of keys", _reversed(final)),
        Equivalent("a check tells 1 from 1.0", _other_numbers(final, (), records)),
        Equivalent("a check depends on a generated id", rename(final, names)),
    ]
    return [equivalent for equivalent in found if repr(equivalent.state) != repr(final)]


def other_orders(rehearsal: Rehearsal, scenario: Scenario, play: Play, exempt: Collection[Path]) -> list[Equivalent]:
    """List the ends of the reference solution with two successive changes exchanged, where nothing else comes of it.

    Raises:
        EnvironmentFailure: The environment failed.
    """
    changes = [step.number for step in play.steps if rehearsal.bundle.tools[step.call.name].kind == "state_change"]
    found = []
    for first, second in pairwise(changes):
        order = list(range(len(scenario.solution)))
        order[first], order[second] = second, first
        other = rehearsal.play(scenario, order=order, like=play)
        different = differing_paths(play, [other])
        if not other.refused and different <= set(exempt):
            defect = "a check depends on the order of independent calls"
            found.append(Equivalent(defect, other.final, surely=not different))
    return found


def reads(rehearsal: Rehearsal, scenario: Scenario, state: Mapping[str, Any]) -> list[SolutionCall]:
    """Draw a call of each tool that changes nothing."""
    rng = np.random.default_rng(np.random.SeedSequence([rehearsal.seed, *scenario.id.encode()]))
    pool = ValuePool(state)
    return [
        SolutionCall(name=spec.name, arguments=sample_arguments(spec.parameters, pool, rng))
        for spec in rehearsal.bundle.tools.specs
        if spec.kind == "query"
    ]


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(item) for key, item in reversed(value.items())}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


def _other_numbers(value: Any, path: Path, records: Records) -> Any:
    """Write whole numbers the other way, ``1`` for ``1.0``, but no float where the type is an integer."""
    if isinstance(value, dict):
        return {key: _other_numbers(item, (*path, key), records) for key, item in value.items()}
    if isinstance(value, list):
        return [_other_numbers(item, (*path, index), records) for index, item in enumerate(value)]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if type(value) is int and abs(value) < 1 << 53 and not _whole(records.schema(path)):
        return float(value)
    return value


def _whole(schema: Mapping[str, JSON]) -> bool:
    kinds = [option.get("type") for option in (schema, *schema.get("anyOf", ()))]
    return "integer" in kinds or "enum" in schema or "const" in schema
