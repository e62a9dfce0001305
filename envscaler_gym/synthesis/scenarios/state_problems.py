"""What is wrong with a start state, in words that whoever wrote it can act on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import EnvironmentFailure, shorten
from envscaler_gym.quality.probing import Prober
from envscaler_gym.quality.state_types import StateTypes
from envscaler_gym.state import diff

__all__ = ["state_problems"]

_MOST = 20


def state_problems(bundle: Bundle, prober: Prober, state: Mapping[str, Any], clock: str, least: int) -> list[str]:
    """List what is wrong with a start state, nothing where it can be used.

    Looked at in this order, and no further than to the first kind that has problems, since the later ones would mostly
    repeat it: attributes and types, keys and references, size, whether the class takes the state as it is, invariants.

    Args:
        bundle: The environment.
        prober: Runs its code.
        state: The state.
        clock: Time at the start of an episode, ISO 8601.
        least: Fewest records that the state must hold.
    """
    looks: tuple[Callable[[], list[str]], ...] = (
        lambda: _attributes(bundle, state),
        lambda: StateTypes.of(bundle).problems(state),
        lambda: list(_keys(bundle, state)),
        lambda: list(_size(bundle, state, least)),
        lambda: _load(prober, state, clock),
        lambda: _violations(prober, state),
    )
    for look in looks:
        problems = look()
        if problems:
            return problems[:_MOST]
    return []


def _attributes(bundle: Bundle, state: Mapping[str, Any]) -> list[str]:
    declared = StateTypes.of(bundle).schema["properties"]
    return [
        *(
            f"{name}: the class has no such attribute; it has {', '.join(declared)}"
            for name in state
            if name not in declared
        ),
        *(f"{name}: is missing" for name in declared if name not in state),
    ]


def _keys(bundle: Bundle, state: Mapping[str, Any]) -> Iterator[str]:
    """Yield records that are not filed under their own id, and references to records that do not exist."""
    for entity in bundle.manifest.entities:
        for key, record in _records(state, entity.name):
            if entity.key is not None and record.get(entity.key, key) != key:
                yield f"{entity.name}[{key!r}].{entity.key}: is {shorten(record[entity.key])}, must be the key {key!r}"
            for field, target in entity.references.items():
                known = state.get(target)
                for value in _named(record.get(field)):
                    if isinstance(known, Mapping) and value not in known:
                        yield f"{entity.name}[{key!r}].{field}: names {value!r}, which is no key of {target}"


def _size(bundle: Bundle, state: Mapping[str, Any], least: int) -> Iterator[str]:
    held = {entity.name: len(_records(state, entity.name)) for entity in bundle.manifest.entities}
    if sum(held.values()) < least:
        yield f"the state holds {sum(held.values())} records ({held}); it must hold at least {least}"
    for target in sorted({target for entity in bundle.manifest.entities for target in entity.references.values()}):
        if held.get(target, 2) < 2:
            yield f"{target}: holds {held[target]} records; others refer to it, so at least 2 are needed"


def _load(prober: Prober, state: Mapping[str, Any], clock: str) -> list[str]:
    try:
        prober.load(state, clock, 0)
        loaded = prober.state()
    except EnvironmentFailure as error:
        return [f"the class does not take the state: {error}"]
    return [f"the class changes the state when it is loaded: {change}" for change in diff(dict(state), loaded)]


def _violations(prober: Prober, state: Mapping[str, Any]) -> list[str]:
    (found,) = prober.violations([state])
    rules = dict(prober.invariants)
    return [
        f"breaks the rule {rules.get(name, name)!r}: {violation}"
        for name, violations in found.items()
        for violation in violations
    ]


def _records(state: Mapping[str, Any], entity: str) -> list[tuple[str, Mapping[str, Any]]]:
    table = state.get(entity)
    return (
        [(key, record) for key, record in table.items() if isinstance(record, Mapping)]
        if isinstance(table, Mapping)
        else []
    )


def _named(value: Any) -> list[str]:
    """Return the keys that a reference holds: one, several, or none."""
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, str)]
