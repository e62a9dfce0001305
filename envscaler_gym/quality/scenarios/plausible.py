"""Other values that a field could as well hold."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envscaler_gym.state import canonical_json
from envscaler_gym.types import JSON

__all__ = ["example", "moved", "neighbours", "other_values", "same"]

_EXAMPLES: Mapping[str, JSON] = {"string": "other", "integer": 1, "number": 1.5, "boolean": True}


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal as JSON, in which ``1`` is ``1.0`` and no bool is a number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    return canonical_json(one) == canonical_json(other)


def other_values(value: JSON, schema: Mapping[str, JSON], others: Sequence[JSON]) -> list[JSON]:
    """List values that could stand where ``value`` does, the most plausible first, each once.

    Args:
        value: The value.
        schema: JSON schema of the field; empty where it is not known.
        others: Values of the same field in other records, nearest first.
    """
    found: list[JSON] = []
    for candidate in _candidates(value, schema, others):
        if not any(same(candidate, known) for known in (value, *found)):
            found.append(candidate)
    return found


def _candidates(value: JSON, schema: Mapping[str, JSON], others: Sequence[JSON]) -> Iterator[JSON]:
    allowed = _enum(schema)
    if allowed:
        at = next((index for index, option in enumerate(allowed) if same(option, value)), -1) + 1
        yield from (*allowed[at:], *allowed[:at])
        if _nullable(schema):
            yield None
        return
    alike = [other for other in others if type(other) is type(value)]
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1
        yield value - 1
    elif isinstance(value, str):
        dates = [moved(value, days) for days in (1, -1)]
        yield from (date for date in dates if date is not None)
    elif isinstance(value, list):
        yield from _lists(value, alike)
    yield from alike
    if isinstance(value, str) and not alike:
        yield value + " 2" if value else "other"
    if value is None:
        yield from [other for other in others if other is not None] or [example(schema)]
    elif _nullable(schema) or any(other is None for other in others):
        yield None


def _lists(value: list[JSON], others: Sequence[JSON]) -> Iterator[JSON]:
    foreign = [item for other in others for item in other if not any(same(item, mine) for mine in value)]
    if value:
        yield value[:-1]
        yield from ([*value[:-1], item] for item in foreign[:1])
    yield from ([*value, item] for item in foreign[:1])


def example(schema: Mapping[str, JSON]) -> JSON:
    """Return a value that fits a schema."""
    options = [schema, *schema.get("anyOf", ())]
    values = [*_enum(schema), *(_EXAMPLES[option["type"]] for option in options if option.get("type") in _EXAMPLES)]
    return values[0] if values else {} if "properties" in schema else []


def _enum(schema: Mapping[str, JSON]) -> list[JSON]:
    options = [schema, *schema.get("anyOf", ())]
    return [value for option in options for value in option.get("enum", [option["const"]] if "const" in option else [])]


def _nullable(schema: Mapping[str, JSON]) -> bool:
    return any(option.get("type") == "null" for option in (schema, *schema.get("anyOf", ())))


def moved(text: str, days: int) -> str | None:
    """Return a date, or date and time, some days later in the same form; ``None`` where the text is neither."""
    if len(text) < len("2025-01-01") or not text[:4].isdigit():
        return None
    try:
        day = datetime.date.fromisoformat(text[:10])
        datetime.datetime.fromisoformat(text)
        return (day + datetime.timedelta(days=days)).isoformat() + text[10:]
    except (ValueError, OverflowError):
        return None


def neighbours(keys: Sequence[str], key: str) -> list[str]:
    """List the other keys, the nearest first and later ones before earlier ones."""
    keys = list(keys)
    at = keys.index(key) if key in keys else len(keys) - 1
    return sorted(
        (other for other in keys if other != key),
        key=lambda other: (abs(keys.index(other) - at), keys.index(other) < at),
    )
