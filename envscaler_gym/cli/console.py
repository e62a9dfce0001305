"""Where the commands print to, and how text of unknown origin, headings and tables look."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable

import typer
from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from envscaler_gym.types import JSON

__all__ = ["grid", "heading", "indent", "one_line", "print_json", "stderr", "stdout", "table", "text"]


def stdout(width: int | None = None, *, record: bool = False) -> Console:
    """Return a console on standard output that prints strings as they are.

    Args:
        width: Number of columns; ``None`` for the terminal's.
        record: Whether what is printed can be exported.
    """
    return Console(width=width, record=record, markup=False, emoji=False, highlight=False)


def stderr() -> Console:
    """Return a console on standard error that prints strings as they are."""
    return Console(stderr=True, markup=False, emoji=False, highlight=False)


def text(value: object, style: str = "") -> Text:
    """Return text of unknown origin: characters that steer a terminal or hide what is there are written out."""
    return Text("".join(c if _is_plain(c) else ascii(c)[1:-1] for c in str(value)), style)


def _is_plain(character: str) -> bool:
    return character.isprintable() or character in "\n\t" or unicodedata.category(character) == "Zs"


def heading(title: str) -> Text:
    """Return a heading, with an empty line above it."""
    return text(f"\n{title}", "bold")


def indent(content: RenderableType, columns: int = 2) -> Padding:
    """Return something moved to the right."""
    return Padding(content, (0, 0, 0, columns), expand=False)


def one_line(content: Text) -> Text:
    """Return text that is cut where the line ends."""
    content.no_wrap, content.overflow = True, "ellipsis"
    return content


def table(*columns: str, numbers: Iterable[str] = (), wraps: str = "") -> Table:
    """Return an empty table.

    Args:
        columns: Its headings.
        numbers: Those of them below which numbers stand.
        wraps: The one of them below which long text stands.
    """
    right = frozenset(numbers)
    result = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        result.add_column(
            column, justify="right" if column in right else "left", no_wrap=column != wraps, overflow="fold"
        )
    return result


def grid(columns: int) -> Table:
    """Return an empty table without lines and headings."""
    result = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(columns):
        result.add_column(overflow="fold")
    return result


def print_json(value: JSON) -> None:
    """Print a value as JSON in ASCII."""
    typer.echo(json.dumps(value, indent=2))
