"""What is known of an episode's state without asking for it: its start, and what each call changed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from envscaler_gym.isolation import encoding
from envscaler_gym.sampling import ValuePool
from envscaler_gym.types import JSON

__all__ = ["Known", "Memory", "Record", "patched", "variants"]

_FRESH = 12  # records made or changed by the episode's last calls
_PATCH_MEMORY = 16 << 20  # bytes that a decoded patch may take
_SUCCESSES = 30  # arguments that are kept for each tool


class Record(NamedTuple):
    """One record of a state.

    Attributes:
        attribute: State attribute that holds it.
        key: Its key.
        fields: Its fields; the key is also one, under the attribute's singular with ``_id``.
    """

    attribute: str
    key: str
    fields: Mapping[str, JSON]


class Known:
    """What all episodes share that begin in one start state.

    Args:
        state: The start state.

    Attributes:
        state: The start state.
        pool: Its values.
        records: Its records.
        by_key: Records by their keys; where several have the same, the first.
        successes: Arguments with which each tool has succeeded.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        self.state = state
        self.pool = ValuePool(state)
        self.records = [record for attribute, value in state.items() for record in _records(attribute, value)]
        self.by_key = {record.key: record for record in reversed(self.records)}
        self.successes: dict[str, list[dict[str, JSON]]] = {}


class Memory:
    """What is known of one episode.

    Args:
        known: What is known of its start state.
        clock: Time at its start, ISO 8601.
    """

    def __init__(self, known: Known, clock: str) -> None:
        self.known = known
        self.clock = clock
        self._changed: dict[tuple[str, str | None], JSON] = {}
        self._fresh: list[Record] = []
        self._fresh_keys: dict[str, Record] = {}
        self._pools: list[ValuePool] = []

    def _before(self, attribute: str, key: str | None) -> JSON:
        """Return a record as it was when it was last seen; ``None`` where there was none."""
        if (attribute, key) in self._changed:
            return self._changed[attribute, key]
        value = self.known.state.get(attribute)
        if key is None:
            return value
        return value.get(key) if isinstance(value, dict) else None

    def change(self, patch: bytes) -> list[tuple[str, str | None, JSON, JSON]]:
        """Take in what a call changed.

        Args:
            patch: What the evidence says; trusted in nothing.

        Returns:
            Attribute, key, old and new value of the records that are there; the old value is ``None`` for new ones.
        """
        there = []
        for attribute, key, *rest in patched(patch):
            value = rest[0] if rest else None
            if rest:
                there.append((attribute, key, self._before(attribute, key), value))
            self._changed[attribute, key] = value
            if isinstance(value, dict) and key is not None:
                record = _record(attribute, key, value)
                self._fresh = [*self._fresh[1 - _FRESH :], record]
                self._fresh_keys[key] = record
                self._pools = [*self._pools[1 - _FRESH :], ValuePool({attribute: {key: value}})]
        return there

    def succeeded(self, name: str, arguments: dict[str, JSON]) -> None:
        """Keep arguments with which a tool succeeded."""
        kept = self.known.successes.setdefault(name, [])
        if arguments not in kept:
            kept.append(arguments)
            del kept[:-_SUCCESSES]

    def view(self, names: Sequence[str], rng: random.Random) -> dict[str, JSON]:
        """Draw a record, and return its fields with those of the records that it refers to.

        Args:
            names: Parameters that values are wanted for; records with more of them are likelier.
            rng: Random source.
        """
        fresh = self._fresh and rng.random() < 0.45
        records = self._fresh if fresh else self.known.records
        if not records:
            return {}
        some = [rng.choice(records) for _ in range(4)]
        wanted = [variant for name in names for variant in variants(name)]
        best = (
            max(some, key=lambda record: sum(name in record.fields for name in wanted))
            if rng.random() < 0.8
            else some[0]
        )
        view = dict(best.fields)
        for value in list(view.values()):
            for item in value if isinstance(value, list) else (value,):
                other = self.find(item)
                if other is not None:
                    for field, held in other.fields.items():
                        view.setdefault(field, held)
        return view

    def find(self, key: JSON) -> Record | None:
        """Return a record by its key."""
        if not isinstance(key, str):
            return None
        return self._fresh_keys.get(key) or self.known.by_key.get(key)

    def candidates(self, name: str, rng: random.Random) -> Sequence[JSON]:
        """Return values of the fields that a parameter's name refers to, now and then only those that are fresh."""
        if self._pools and rng.random() < 0.4:
            fresh = rng.choice(self._pools).candidates(name)
            if fresh:
                return fresh
        return self.known.pool.candidates(name)

    def record_like(self, fields: Mapping[str, JSON], rng: random.Random) -> Mapping[str, JSON]:
        """Draw a record of the attribute that a view's first record is in, or any."""
        records = [record for record in self.known.records if fields.keys() >= record.fields.keys()]
        records = records or self.known.records
        return rng.choice(records).fields if records else {}

    def string(self, rng: random.Random) -> str | None:
        """Draw some short text of some record."""
        records = self._fresh if self._fresh and rng.random() < 0.3 else self.known.records
        if not records:
            return None
        texts = [value for value in rng.choice(records).fields.values() if isinstance(value, str)]
        return rng.choice(texts) if texts else None


def variants(name: str) -> Iterator[str]:
    """Yield the fields that a parameter's name may refer to: ``new_copy_ids`` to ``copy_id``, for one."""
    parts = name.split("_")
    for start in range(len(parts)):
        tail = "_".join(parts[start:])
        if tail:
            yield tail
            if tail.endswith("s"):
                yield tail[:-1]


def _records(attribute: str, value: JSON) -> Iterator[Record]:
    if isinstance(value, dict):
        for key, record in value.items():
            if isinstance(record, dict):
                yield _record(attribute, key, record)
    elif isinstance(value, list):
        for index, record in enumerate(value):
            if isinstance(record, dict):
                yield _record(attribute, str(index), record)


def _record(attribute: str, key: str, record: Mapping[str, JSON]) -> Record:
    singular = attribute[:-3] + "y" if attribute.endswith("ies") else attribute.removesuffix("s")
    return Record(attribute, key, {**record, singular + "_id": key, singular: key})


def patched(patch: bytes) -> Iterator[list[Any]]:
    """Yield the entries of a patch that have the form that :class:`~.evidence.Evidence` says; others are dropped."""
    try:
        entries = encoding.decode(patch, _PATCH_MEMORY)
    except (encoding.DecodingError, encoding.TooLargeError):
        return
    for entry in entries if isinstance(entries, list) else ():
        match entry:
            case [str(), None | str()] | [str(), None | str(), _]:
                yield entry
