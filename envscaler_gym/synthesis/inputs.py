"""What runs start from, read from files: tasks of users, and topics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from envscaler_gym.errors import EnvScalerError, shorten
from envscaler_gym.synthesis.config import TasksSource, TopicsSource
from envscaler_gym.types import JSON

__all__ = ["UnreadableInput", "read_tasks", "read_topics"]

_FIELDS = ("task", "query", "question", "instruction", "request", "prompt", "user_query", "text")
"""Fields that may hold a task's text, the first one that does."""
_CONVERSATIONS = ("conversations", "messages")
_USERS = ("user", "human")
_REPORTED = 8


class UnreadableInput(EnvScalerError):
    """A file of tasks or topics holds something else."""


def read_tasks(path: Path) -> TasksSource:
    """Read tasks of users, in the shapes in which collections of them circulate, such as API-Bank's and ToolACE's.

    The file holds a JSON value a line, or one JSON list. A value is a text, an object with the text in one of its
    fields (``task``, ``query``, ``question``, ``instruction``, …), or one with a conversation, of which the user's
    first turn counts. Texts that occur again count once.

    Raises:
        UnreadableInput: Something else stands somewhere; the message names the lines.
        OSError: The file cannot be read.
    """
    text = path.read_text("utf-8-sig")
    tasks: dict[str, None] = {}
    problems: list[str] = []
    for where, value in _values(path, text):
        found = value if isinstance(value, ValueError) else _task(value)
        if isinstance(found, str):
            tasks.setdefault(found)
        else:
            problems.append(f"{where}: {found}")
    if problems:
        more = f"\n  and {len(problems) - _REPORTED} more" if len(problems) > _REPORTED else ""
        raise UnreadableInput(f"{path} cannot be read as tasks:\n  " + "\n  ".join(problems[:_REPORTED]) + more)
    if not tasks:
        raise UnreadableInput(f"{path} holds no tasks")
    return TasksSource(tasks=tuple(tasks))


def read_topics(given: str) -> TopicsSource:
    """Return topics: the lines of a file where there is one of that name, otherwise the text itself.

    Raises:
        UnreadableInput: There is none.
        OSError: The file cannot be read.
    """
    lines = [given]
    if _is_file(given):
        lines = Path(given).read_text("utf-8-sig").splitlines()
    topics = dict.fromkeys(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))
    if not topics:
        raise UnreadableInput(f"{shorten(given)} holds no topics; give a text, or a file with one topic a line")
    return TopicsSource(topics=tuple(topics))


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # too long for a name, or no name at all
        return False


def _values(path: Path, text: str) -> Iterator[tuple[str, JSON | ValueError]]:
    if text.lstrip().startswith("["):
        try:
            items = json.loads(text)
        except ValueError:
            items = None  # lines that are lists are told of one by one
        if isinstance(items, list) and "\n[" not in text.strip():
            yield from ((f"item {number}", item) for number, item in enumerate(items, 1))
            return
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield f"{path.name}:{number}", json.loads(line)
        except ValueError as error:
            yield f"{path.name}:{number}", ValueError(f"not JSON: {error}; one JSON value a line is wanted")


def _task(value: JSON) -> str | ValueError:
    """Return the text of a task, or what is wrong."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    if not isinstance(value, Mapping):
        return ValueError(f"must be a text or an object, got {shorten(value)}")
    for field in _FIELDS:
        if isinstance(value.get(field), str) and value[field].strip():
            return str(value[field]).strip()
    for field in _CONVERSATIONS:
        for turn in value[field] if isinstance(value.get(field), list) else ():
            said = _said(turn)
            if said:
                return said
    return ValueError(
        f"has no text in {', '.join(_FIELDS)} and no user's turn in {' or '.join(_CONVERSATIONS)}; "
        f"its fields are {sorted(map(str, value))}"
    )


def _said(turn: JSON) -> str:
    """Return what a user says in a turn; nothing where it is somebody else's."""
    if not isinstance(turn, Mapping) or turn.get("role", turn.get("from")) not in _USERS:
        return ""
    content = turn.get("content", turn.get("value"))
    return content.strip() if isinstance(content, str) else ""
