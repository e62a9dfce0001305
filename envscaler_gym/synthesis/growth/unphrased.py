"""Requests made from the names of tools and parameters alone, for tools of which the manifest has no phrase.

``update_reminder_message`` becomes "update the message of Alice Chan's reminder to …", ``add_tag_to_bookmark`` becomes
"add the tag … to the bookmark …": the nouns of records stand for the records, what follows a record is a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from envscaler_gym.synthesis.graph.tables import singular, words
from envscaler_gym.synthesis.growth.saying import quote

__all__ = ["Part", "say_by_name"]

_LINKS = frozenset({"of", "to", "from", "in", "on", "for", "with", "by", "as", "and", "or", "at", "into"})
_PARTICLES = frozenset({"in", "out", "up", "off", "on", "over", "back", "away", "down"})
_NAMES = frozenset({"name", "title", "label", "full name"})


class Part(NamedTuple):
    """An argument, said.

    Attributes:
        name: Name of the parameter.
        text: What is said of its value.
        noun: What the record is called that the value stands for; empty for a value of its own.
        many: Whether it is a list.
    """

    name: str
    text: str
    noun: str
    many: bool

    @property
    def words(self) -> str:
        """The parameter's name in words, without what says that it is an id or a new value."""
        return (
            singular(re.sub(r"^(new|target) (?!ids?$)| ids?$", "", words(self.name)))
            if self.noun
            else (words(self.name).removeprefix("new "))
        )


def say_by_name(tool: str, parts: Sequence[Part]) -> str:
    """Return a clause in the imperative.

    Args:
        tool: Name of the tool.
        parts: Its arguments.
    """
    tokens: list[str | Part] = list(words(tool).split())
    loose = [part for part in parts if not _put(tokens, part)]
    verb, rest = str(tokens[0]), tokens[1:]
    own = [part for part in loose if not part.noun]
    at = next((place for place, token in enumerate(rest) if isinstance(token, Part)), None)
    if at is None and loose and loose[0].noun and all(token in _PARTICLES for token in rest):
        return _finish(" ".join([verb, *map(_text, rest), loose[0].text]), loose[1:])
    if at is None:
        return _finish(_bare(verb, rest), loose, naming=True)
    before, record, after = rest[:at], rest[at], rest[at + 1 :]
    tail = " ".join(token for token in after if isinstance(token, str))
    if after and not isinstance(after[0], Part) and after[0] not in _LINKS and len(after) == len(tail.split()):
        value = next((part for part in own if _is_same(part.words, tail)), None)
        if value is not None:
            field = max(value.words, tail, key=len)
            clause = f"{verb} the {field} of {_text(record)} to {_shown(value)}"
            return _finish(clause, [part for part in loose if part != value])
        if own:
            return _finish(f"{verb} {_text(record)}", loose)
        return _finish(f"{verb} the {tail} of {_text(record)}", loose)
    if len(own) == 1 and not before and not after and verb in ("update", "set", "change", "modify", "edit"):
        clause = f"{verb} the {own[0].words} of {_text(record)} to {_shown(own[0])}"
        return _finish(clause, [part for part in loose if part != own[0]])
    adjectives = " ".join(_text(token) for token in before)
    if before and before[-1] not in _LINKS and not after:
        state = f" as {adjectives}" if verb in ("report", "mark", "flag", "record") else ""
        return _finish(f"{verb} {_text(record)}{state}", loose)
    return _finish(" ".join([verb, *(_text(token) for token in rest)]), loose)


def _put(tokens: list[str | Part], part: Part) -> bool:
    """Put a record in the place of its noun in a tool's name; return whether the name has one."""
    if not part.noun or part.words not in (part.noun, part.noun.split()[-1]):
        return False  # the parent of a folder is not the folder that is meant
    for noun in (part.noun.split(), part.noun.split()[-1:]):
        for at in range(1, len(tokens) - len(noun) + 1):
            found = tokens[at : at + len(noun)]
            names = [singular(token) if isinstance(token, str) else "" for token in found]
            if names == [singular(word) for word in noun]:
                tokens[at : at + len(noun)] = [part]
                return True
    return False


def _is_same(parameter: str, tail: str) -> bool:
    return (
        parameter == tail
        or tail.endswith(f" {parameter}")
        or parameter.endswith(f" {tail}")
        or (parameter.startswith(f"{tail} "))
    )


def _bare(verb: str, rest: Sequence[str | Part]) -> str:
    """Return verb and object, with an article where it can have one."""
    text = " ".join(_text(token) for token in rest)
    first = text.split(" ")[0]
    if not first or first in _LINKS or first in ("the", "all"):
        return f"{verb} {text}".strip()
    last = text.split(" ")[-1]
    return f"{verb} {text}" if last.endswith("s") and not last.endswith("ss") else f"{verb} a {text}"


def _finish(clause: str, loose: Sequence[Part], *, naming: bool = False) -> str:
    """Add the arguments that have no place in the clause."""
    for part in loose:
        if part.noun:
            link = "for" if part.words in (part.noun, part.noun.split()[-1]) else f"with {part.words}"
            clause += f" {link} {part.text}" if link == "for" else f", {link} {part.text}"
        elif naming and part.words in _NAMES:
            clause += f" named {_shown(part)}"
        else:
            clause += f", {part.words} {_shown(part)}"
    return clause


def _shown(part: Part) -> str:
    """Return a value, in quotation marks where it could be taken for words of the request."""
    plain = re.fullmatch(r"[a-z0-9]+( [a-z0-9]+)?|[\d.,:]+( \w+)?|\d+ \w+ \d{4}( at [\d:]+)?|\S*[@/]\S*", part.text)
    return part.text if plain or part.many or part.text[:1] in '"“' else quote(part.text)


def _text(token: str | Part) -> str:
    return token if isinstance(token, str) else token.text
