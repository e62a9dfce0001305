"""Values of a call that are no keys: dates, names, amounts, texts, drawn as a person might give them."""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envscaler_gym.synthesis.graph.slots import Slot
from envscaler_gym.synthesis.graph.tables import Tables, records_of, singular
from envscaler_gym.types import JSON

__all__ = ["DATE", "DATE_TIME", "MONEY", "Literals", "Newcomer", "is_prose"]

DATE = re.compile(r"\d{4}-\d\d-\d\d")
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?")
TIME_OF_DAY = re.compile(r"\d\d:\d\d(:\d\d)?")
MONEY = re.compile(r"cents|amount|price|cost|fee|total|balance|payment|paid|owed|budget|salary")
_RANGE = re.compile(r"\b(\d+) (?:to|-|and) (\d+)\b")
_QUOTED = re.compile(r"[\"“']([A-Za-z][\w /-]{0,28})[\"”']")
_REASONS = ("requested by phone", "agreed with the manager", "confirmed in writing", "asked for by e-mail")
_LABELS = (
    "Spring clean-up",
    "Project Atlas",
    "Follow-up",
    "Weekend plans",
    "Open questions",
    "Reading list",
    "Second draft",
    "Long-term",
    "Team Nordhaus",
    "Seasonal",
    "Priority review",
    "Archive 2024",
)
_FIRST = (
    "Adaeze", "Anselm", "Bilal", "Birgit", "Camille", "Daichi", "Eluned", "Farah", "Goran", "Hedda", "Imani", "Jonas",
    "Katya", "Leandro", "Maren", "Nikolai", "Oona", "Petra", "Quentin", "Rosalind", "Sunniva", "Tariq", "Ulrike",
    "Valentina", "Wanjiru", "Xavier", "Yara", "Zoltan",
)  # fmt: skip
_LAST = (
    "Abernathy", "Bakalova", "Castellanos", "Dunmore", "Eriksen", "Fairweather", "Grimaldi", "Hoang", "Ivanenko",
    "Jablonski", "Kettering", "Lindqvist", "Mbeki", "Nakagawa", "Oyelaran", "Pellegrini", "Quispe", "Rautio",
    "Sandoval", "Thorvaldsen", "Urquhart", "Vasquez", "Whitlock", "Ximenes", "Yamamoto", "Zielinski",
)  # fmt: skip
_PROSE = re.compile(r"reason|note|comment|message|description|complaint|request|remark|content|text|body|feedback")
_ENUM_LIKE = 8
"""Most different values of a field whose values are taken for a fixed choice."""


class Newcomer:
    """A person whom nobody knows yet: the same in all the values of one call.

    Args:
        rng: Random source.
        last: Last name, where it is to be somebody's.
    """

    def __init__(self, rng: random.Random, last: str = "") -> None:
        self.first, self.last = rng.choice(_FIRST), last or rng.choice(_LAST)
        self._digits = f"{rng.randrange(1000, 10000)}"

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"

    @property
    def email(self) -> str:
        """An address in a domain that nobody owns."""
        local = re.sub(r"[^a-z]+", ".", f"{self.first} {self.last}".lower().encode("ascii", "ignore").decode())
        return f"{local.strip('.')}@example.org"

    def phone(self, like: str) -> str:
        """Return a number with the last digits of one like it replaced."""
        digits = iter(self._digits[::-1])
        return (
            "".join(next(digits, c) if c.isdigit() else c for c in like[::-1])[::-1]
            if like
            else "+1 555 01" + (self._digits[:2])
        )


class Literals:
    """What values the states hold, by field, and how to draw one like them.

    Args:
        tables: The tables.
        states: States whose values serve as examples.
        others: Values of other states, which serve where these have none of a field: a bundle's start states are
            different places, and who works at one is unknown at the next.
    """

    def __init__(self, tables: Tables, states: Sequence[Mapping[str, Any]], others: Literals | None = None) -> None:
        self._others = others
        self._of: dict[str, dict[str, dict[JSON, None]]] = {table: {} for table in tables}
        self._values: dict[str, dict[JSON, None]] = {}
        for state in states:
            for table in tables:
                for record in records_of(state, table).values():
                    _collect(record, self._values)
                    _collect(record, self._of[table])
        self._names = {field for table in tables.values() if table.person for field in table.names}

    def examples(self, name: str, kind: type | tuple[type, ...] = str, tables: Sequence[str] = ()) -> list[Any]:
        """Return the values of the field that a parameter's name means.

        ``"new_status"`` means ``"status"``, and ``"reason"`` the ``"cancel_reason"`` of one of the tables, which
        come first.
        """
        for table in tables:
            for field, values in self._of[table].items():
                if field == name or field.endswith(f"_{name}"):
                    return self._fitting(values, name, kind, tables)
        for variant in _variants(name):
            if variant in self._values:
                return self._fitting(self._values[variant], name, kind, tables)
        return self._elsewhere(name, kind, tables)

    def _fitting(
        self, values: Mapping[JSON, None], name: str, kind: type | tuple[type, ...], tables: Sequence[str]
    ) -> list[Any]:
        found = [value for value in values if isinstance(value, kind) and not isinstance(value, bool) and value != ""]
        return found or self._elsewhere(name, kind, tables)

    def _elsewhere(self, name: str, kind: type | tuple[type, ...], tables: Sequence[str]) -> list[Any]:
        return [] if self._others is None else self._others.examples(name, kind, tables)

    def text(
        self,
        slot: Slot,
        rng: random.Random,
        newcomer: Newcomer,
        now: datetime.datetime,
        like: JSON,
        tables: Sequence[str],
        *,
        searching: bool,
    ) -> str:
        """Draw a text.

        Args:
            slot: Where it goes.
            rng: Random source.
            newcomer: Who is meant where it is about somebody new.
            now: The present.
            like: Value of the field of that name in a record of the call, if there is one.
            tables: Tables of the records of the call.
            searching: Whether the call looks for what is there, so that there is nothing new in it.
        """
        name, described = slot.name, str(slot.schema.get("description", ""))
        examples = [value for value in self.examples(name, tables=tables) if value]
        sample = [like, *examples] if isinstance(like, str) and like else examples
        if "HH:MM" in described and "YYYY" not in described:
            hours = [value for value in sample if TIME_OF_DAY.fullmatch(value)]
            return str(rng.choice(hours)) if hours else f"{rng.randint(8, 17):02}:{rng.choice((0, 15, 30, 45)):02}"
        if re.search(r"HH:MM|T\d\d:\d\d", described) or _all_match(sample, DATE_TIME):
            return _moment(rng, now, like, described, sample)
        if "YYYY-MM-DD" in described or _all_match(sample, DATE):
            return _day(rng, now, like)
        if searching and examples:
            return str(rng.choice(examples))
        if "email" in name:
            return newcomer.email
        if "phone" in name:
            return newcomer.phone(rng.choice(examples) if examples else "")
        if name.removeprefix("new_") in self._names:
            return newcomer.name
        return self._choice(name, described, examples, rng)

    def _choice(self, name: str, described: str, examples: Sequence[str], rng: random.Random) -> str:
        if is_prose(name):
            sentences = [value for value in examples if " " in value]
            return str(rng.choice(sentences or _REASONS))
        quoted = [word for word in _QUOTED.findall(described) if word != name]
        if len(quoted) > 1:
            return str(rng.choice(quoted))
        if re.search(r"name|title|label", name):
            return rng.choice(_LABELS)
        if "url" in name or _all_match(examples, re.compile(r"https?://.*")):
            return f"https://www.example.org/{rng.choice(_LABELS).lower().replace(' ', '-')}"
        return str(rng.choice(examples or quoted or _LABELS))

    def number(self, slot: Slot, rng: random.Random, like: JSON, figures: Mapping[str, float]) -> float:
        """Draw a number: an amount that look-ups show, a step from the present value, one of the range it may have."""
        name, whole = slot.name, slot.schema.get("type") == "integer"
        amounts = {label: value for label, value in figures.items() if MONEY.search(label) and value > 0}
        if MONEY.search(name) and amounts:
            near = [label for label in amounts if name.endswith(label)]
            if near and rng.random() < 0.7:
                return amounts[rng.choice(near)]
            return _part(rng, amounts[rng.choice(list(amounts))], whole)
        limits = _RANGE.search(str(slot.schema.get("description", "")))
        if isinstance(like, int | float) and not isinstance(like, bool) and not limits:
            return like + (rng.randrange(1, 40) * max(1, int(abs(like)) // 2000) if whole else rng.choice((0.5, 1, 2)))
        examples = self.examples(name, (int, float))
        if examples and rng.random() < 0.8:
            return rng.choice(examples)  # type: ignore[no-any-return]  # numbers
        low, high = (int(limits[1]), int(limits[2])) if limits else (1, 5)
        value = rng.randint(low, max(low, min(high, low + 8)))
        step = re.search(r"multiple of (\d+)", str(slot.schema.get("description", "")))
        return max(low, value // int(step[1]) * int(step[1])) if step else value


def is_prose(name: str) -> bool:
    """Return whether a field of this name holds free text."""
    return bool(_PROSE.search(name)) and not name.endswith(("_id", "_ids", "_type", "_on", "_at"))


def _collect(value: JSON, found: dict[str, dict[JSON, None]]) -> None:
    if not isinstance(value, dict):
        return
    for field, item in value.items():
        for one in item if isinstance(item, list) else [item]:
            if isinstance(one, dict):
                _collect(one, found)
            elif one is not None and not isinstance(one, list):
                found.setdefault(field, {})[one] = None
                if isinstance(item, list):
                    found.setdefault(singular(field), {})[one] = None


def _variants(name: str) -> Iterator[str]:
    parts = name.split("_")
    for start in range(len(parts)):
        yield "_".join(parts[start:])
        yield singular("_".join(parts[start:]))


def _all_match(values: Sequence[Any], pattern: re.Pattern[str]) -> bool:
    return bool(values) and all(isinstance(value, str) and pattern.fullmatch(value[:19]) for value in values[:20])


def _day(rng: random.Random, now: datetime.datetime, like: JSON) -> str:
    base = now.date()
    if isinstance(like, str) and DATE.match(like) and rng.random() < 0.7:
        base = max(base, datetime.date.fromisoformat(like[:10]))
        return (base + datetime.timedelta(days=rng.choice((-2, -1, 1, 2, 3, 4, 7)))).isoformat()
    return (base + datetime.timedelta(days=rng.choice((0, 1, 2, 3, 4, 5, 7, 9, 10, 14, 21)))).isoformat()


def _moment(rng: random.Random, now: datetime.datetime, like: JSON, described: str, sample: Sequence[Any]) -> str:
    day = datetime.date.fromisoformat(_day(rng, now, like)[:10])
    minutes = rng.randrange(8 * 60, 16 * 60, 30)
    moment = datetime.datetime(day.year, day.month, day.day, minutes // 60, minutes % 60)  # noqa: DTZ001 - as stored
    short = "SS" not in described and ":00" not in described and any(len(str(one)) == 16 for one in sample[:3])
    return moment.isoformat(timespec="minutes" if short else "seconds")


def _part(rng: random.Random, amount: float, whole: bool) -> float:
    """Return an amount, all of it or a round part."""
    if rng.random() < 0.65 or amount < 400:
        return int(amount) if whole else amount
    step = 500 if amount > 1500 else 100
    part = rng.randrange(step, int(amount), step)
    return part if whole else float(part)
