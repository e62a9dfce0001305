"""How a person says a value: dates in words, amounts with a currency, free text in quotation marks."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence

from envscaler_gym.bundle import Bundle
from envscaler_gym.synthesis.graph.literals import DATE, DATE_TIME, is_prose
from envscaler_gym.synthesis.graph.tables import words
from envscaler_gym.types import JSON

__all__ = ["Currency", "join_words", "quote", "say"]

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_CURRENCIES = (
    ("euros", r"\beuros?\b|\bEUR\b|€"),
    ("dollars", r"\bdollars?\b|\bUSD\b|\$"),
    ("pounds", r"\bGBP\b|£|\bpounds sterling\b"),
)


_EPOCH = re.compile(r"time|date|_at$|stamp")
_EARLIEST, _LATEST = 946_684_800, 4_102_444_800
"""Seconds of the epoch that are taken for times: from 2000 to 2099."""


class Currency:
    """What amounts in cents are called in a bundle.

    Args:
        bundle: The bundle; its introduction and tools name the currency, or nothing does.
    """

    def __init__(self, bundle: Bundle) -> None:
        text = " ".join([bundle.manifest.introduction, *(tool.spec.description for tool in bundle.tools.values())])
        self.name = next((name for name, pattern in _CURRENCIES if re.search(pattern, text)), "")

    def say(self, cents: int) -> str:
        """Return an amount as a person says it: ``"18.50 euros"``."""
        whole = f"{cents // 100}" if cents % 100 == 0 and self.name else f"{cents / 100:.2f}"
        return f"{whole} {self.name}".strip()


def say(name: str, value: JSON, currency: Currency) -> str:
    """Return a value as a person says it.

    Args:
        name: Name of the field or parameter that holds it.
        value: The value.
        currency: What amounts are called.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name.endswith("_cents"):
        return currency.say(value)
    if isinstance(value, int | float) and _EPOCH.search(name) and _EARLIEST <= value < _LATEST:
        moment = datetime.datetime.fromtimestamp(value, datetime.UTC).replace(tzinfo=None, microsecond=0)
        return f"{say(name, moment.isoformat(), currency)} UTC ({value})"
    if isinstance(value, list):
        return join_words([say(name, item, currency) for item in value]) if value else "none"
    if isinstance(value, dict):
        return join_words([f"{words(key)} {say(key, item, currency)}" for key, item in value.items()])
    if not isinstance(value, str):
        return "nothing" if value is None else f"{value}"
    if DATE_TIME.fullmatch(value[:19]) and len(value) <= 19:
        return f"{_day(value)} at {value[11:16]}" + (f":{value[17:19]}" if value[17:19] not in ("", "00") else "")
    if DATE.fullmatch(value):
        return _day(value)
    if re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", value):
        return words(value)
    return quote(value) if is_prose(name) else value


def quote(value: str) -> str:
    """Return a text in quotation marks that do not occur in it."""
    return f'"{value}"' if '"' not in value else f"“{value}”"


def join_words(parts: Sequence[str]) -> str:
    """Join as in a sentence: ``"a, b and c"``."""
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)


def _day(value: str) -> str:
    day = datetime.date.fromisoformat(value[:10])
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
