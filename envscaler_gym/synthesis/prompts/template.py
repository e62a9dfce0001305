"""Prompts as files.

::

    ---
    version: 1
    ---
    # System

    Text, with {{> another_file}} put in whole.

    # User

    Text with {{placeholders}}.

A value that is not text is written as indented JSON. What the answer must look like is no part of a prompt: the schema
is made from the class of the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from pydantic import BaseModel

from envscaler_gym.llm.model import ChatMessage
from envscaler_gym.state import digest
from envscaler_gym.types import JSON

__all__ = ["Prompt", "all_prompts", "load_prompt"]

_FILE = re.compile(r"---\nversion: (\d+)\n---\n+# System\n+(.*?)\n+# User\n+(.*?)\n*", re.DOTALL)
_INCLUDE = re.compile(r"\{\{> (\w+)\}\}")
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt, with what it includes put in.

    Attributes:
        name: Name of its file, without the ending.
        version: Its version, counted up when what it asks for changes.
        system: Text of the system message.
        user: Text of the user message.
    """

    name: str
    version: int
    system: str
    user: str

    @property
    def digest(self) -> str:
        """SHA-256 over everything that a model may see of it."""
        return digest([self.name, self.version, self.system, self.user])

    @property
    def placeholders(self) -> frozenset[str]:
        """Names of the values that it needs."""
        return frozenset(_PLACEHOLDER.findall(self.system + self.user))

    def messages(self, values: Mapping[str, object]) -> tuple[ChatMessage, ChatMessage]:
        """Return the messages with values in place of the placeholders.

        Raises:
            ValueError: A value is missing, or one has no place.
        """
        if set(values) != self.placeholders:
            raise ValueError(f"prompt {self.name!r} takes {sorted(self.placeholders)}, got {sorted(values)}")
        texts = {name: as_text(value) for name, value in values.items()}
        system, user = (_PLACEHOLDER.sub(lambda found: texts[found[1]], part) for part in (self.system, self.user))
        return ChatMessage(role="system", content=system), ChatMessage(role="user", content=user)


def as_text(value: object) -> str:
    """Return a value as a prompt shows it: text as it is, everything else as indented JSON."""
    return value if isinstance(value, str) else json.dumps(_json(value), indent=1, ensure_ascii=False)


def _json(value: object) -> JSON:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return value


@lru_cache(maxsize=64)
def load_prompt(name: str) -> Prompt:
    """Read a prompt.

    Args:
        name: Name of its file, without the ending.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not in the form that this module describes.
    """
    found = _FILE.fullmatch(_read(name))
    if found is None:
        raise ValueError(f"prompts/{name}.md: must hold a version, '# System' and '# User', in this order")
    system, user = (_INCLUDE.sub(lambda include: _read(include[1]).strip(), part) for part in found.group(2, 3))
    return Prompt(name, int(found[1]), system, user)


def all_prompts() -> tuple[Prompt, ...]:
    """Return every prompt, by name; files without a version are parts of others."""
    names = sorted(entry.name.removesuffix(".md") for entry in _folder().iterdir() if entry.name.endswith(".md"))
    return tuple(load_prompt(name) for name in names if _read(name).startswith("---"))


def _folder() -> resources.abc.Traversable:
    return resources.files(__package__)


def _read(name: str) -> str:
    return (_folder() / f"{name}.md").read_text("utf-8")
