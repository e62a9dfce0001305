"""What a text mentions: words, numbers, and phrases that may be arguments as they stand."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

__all__ = ["Words", "stems"]

_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"(?<![\w.,])(\d{1,7})(?:[.,](\d\d))?(?![\w])")
_QUOTED = re.compile(r'"([^"\n]{1,200})"|“([^”\n]{1,200})”')
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_NAME = re.compile(r"\b[^\W\d_a-z][\w'-]+(?: [^\W\d_a-z][\w'-]+)+")
_SUFFIXES = ("ment", "ing", "ed", "es", "s", "e")
_SHORTEST = 3  # letters that a stem keeps
_NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        "one two three four five six seven eight nine ten eleven twelve".split(),  # noqa: SIM905 - it reads better
        start=1,
    )
}
_STOP = frozenset(
    "a an and are as at be but by for from he her his i in is it not of on or she so the to with".split()  # noqa: SIM905
)


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))
    for suffix in _SUFFIXES:
        if plain.endswith(suffix) and len(plain) - len(suffix) >= _SHORTEST:
            return plain[: -len(suffix)]
    return plain


@lru_cache(maxsize=65536)
def stems(text: str) -> tuple[str, ...]:
    """Return the words of a text without accents, case and endings, less the most frequent ones."""
    return tuple(_stem(word) for word in _WORD.findall(text) if word.casefold() not in _STOP)


class Words:
    """What a text mentions.

    Args:
        text: The text.

    Attributes:
        text: The text.
        stems: Its words without endings.
        numbers: Its numbers.
        cents: The hundredfold of each, since amounts of money are often kept in cents.
        phrases: What it quotes, then email addresses, then names: values that may be arguments as they stand.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.stems = frozenset(stems(text))
        found = [int(whole) * 100 + int(cents) if cents else int(whole) for whole, cents in _NUMBER.findall(text)]
        found += [_NUMBER_WORDS[word] for word in text.casefold().split() if word in _NUMBER_WORDS]
        self.numbers = tuple(dict.fromkeys(found))
        self.cents = tuple(number * 100 for number in self.numbers)
        quoted = [first or second for first, second in _QUOTED.findall(text)]
        self.phrases = tuple(dict.fromkeys([*quoted, *_EMAIL.findall(text), *_NAME.findall(text)]))

    def phrase_score(self, phrase: str) -> float:
        """Return how likely a phrase is an argument as it stands, from 0 to 1; quotes before names."""
        return 0.9 * 0.95 ** self.phrases.index(phrase) if phrase in self.phrases else 0.0

    def share(self, value: str, weight: Callable[[str], float] = lambda _: 1.0) -> float:
        """Return the share of a value's words that the text mentions, from 0 to 1.

        Args:
            value: The value.
            weight: How much a word counts.
        """
        words = stems(value)
        total = sum(map(weight, words))
        return sum(weight(word) for word in words if word in self.stems) / total if total else 0.0
