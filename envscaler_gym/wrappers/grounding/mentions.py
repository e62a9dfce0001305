"""Which records of a state a text is about."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from envscaler_gym.wrappers.grounding.words import Words, stems

__all__ = ["Mentions", "Record"]

_LEAST = 0.4  # share of a field's words that counts as a mention
_REFERENCE = 0.9  # of what a record refers to
_REFERRED = 0.5  # of what refers to a record
_SHARING = 0.25  # power of the number of records that refer to the same one


class Record(NamedTuple):
    """One record of a table.

    Attributes:
        table: Name of the attribute that holds the table.
        key: The record's key in it.
        fields: The record.
    """

    table: str
    key: str
    fields: Mapping[str, Any]


class Mentions:
    """How much a text is about each record of a state, from 0 to 1.

    A record is mentioned as far as the words of one of its fields are. Words that stand in many records count less, and
    so do fields with few different values. A record that refers to others by key is meant as far as those are, less
    where many refer to the same; and, by half, one that is referred to.

    Args:
        words: The text.
        state: The state: tables of records by key. What is no such table is passed over.
    """

    def __init__(self, words: Words, state: Mapping[str, Any]) -> None:
        self.records = tuple(_records(state))
        self._by_key: dict[str, list[int]] = defaultdict(list)
        for number, record in enumerate(self.records):
            self._by_key[record.key].append(number)
        references = [self._references(record) for record in self.records]
        weights = _weights(self.records, references)
        scores = _direct(words, self.records)
        for _ in range(2):  # a loan refers to a copy, and the copy to a book
            scores = [
                _combined(own, [weight * scores[i] for i, weight in refers.items()])
                for own, refers in zip(scores, weights, strict=True)
            ]
        final = list(scores)
        for own, refers in zip(scores, weights, strict=True):
            for i in refers:
                final[i] = max(final[i], _REFERRED * own)
        self.scores = tuple(final)

    def of(self, key: object) -> float | None:
        """Return how much the record with a key is meant; ``None`` where there is no such record."""
        numbers = self._by_key.get(key) if isinstance(key, str) else None
        return max(self.scores[i] for i in numbers) if numbers else None

    def record(self, key: object) -> Record | None:
        """Return the record with a key, if there is one; the first, if there are several."""
        numbers = self._by_key.get(key) if isinstance(key, str) else None
        return self.records[numbers[0]] if numbers else None

    def ranked(self) -> list[Record]:
        """Return the records, those that are meant most first."""
        order = sorted(range(len(self.records)), key=lambda i: -self.scores[i])
        return [self.records[i] for i in order]

    def _references(self, record: Record) -> list[int]:
        keys = [value for _, value in _texts(record) if value != record.key and value in self._by_key]
        return [self._by_key[key][0] for key in dict.fromkeys(keys)]


def _records(state: Mapping[str, Any]) -> Iterator[Record]:
    for table, value in state.items():
        if isinstance(value, dict):
            for key, fields in value.items():
                if isinstance(fields, dict):
                    yield Record(table, str(key), fields)


def _texts(record: Record) -> Iterator[tuple[str, str]]:
    for field, value in record.fields.items():
        if isinstance(value, str):
            yield field, value
        elif isinstance(value, list):
            yield from ((field, item) for item in value if isinstance(item, str))


def _weights(records: Sequence[Record], references: Sequence[Sequence[int]]) -> list[dict[int, float]]:
    """Return for each record what it refers to, and how much that says: the more of its table refer there, the less."""
    counts = Counter((record.table, i) for record, refers in zip(records, references, strict=True) for i in refers)
    return [
        {i: counts[record.table, i] ** -_SHARING for i in refers}
        for record, refers in zip(records, references, strict=True)
    ]


def _direct(words: Words, records: Sequence[Record]) -> list[float]:
    """Return how much each record's own words are mentioned."""
    frequency: Counter[tuple[str, str]] = Counter()
    values: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in records:
        own = list(_texts(record))
        frequency.update({(record.table, stem) for _, value in own for stem in stems(value)})
        for field, value in own:
            values[record.table, field].append(value)
    variety = {field: len(set(found)) / len(found) for field, found in values.items()}
    scores = []
    for record in records:
        table, best = record.table, 0.0
        for field, value in _texts(record):
            share = words.share(value, lambda word, table=table: 1 / frequency[table, word])  # type: ignore[misc]  # mypy cannot infer a default
            if share >= _LEAST:
                best = max(best, share * variety[table, field])
        scores.append(best)
    return scores


def _combined(own: float, referred: list[float]) -> float:
    return max(own, _REFERENCE * (max(referred) + sum(referred) / len(referred)) / 2) if referred else own
