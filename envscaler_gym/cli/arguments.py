"""Asking a person for the arguments of a tool."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

from rich.console import Console
from rich.text import Text

from envscaler_gym.cli.console import text
from envscaler_gym.tools import InvalidArguments, Tool, type_name
from envscaler_gym.types import JSON

__all__ = ["Back", "ask_arguments"]


class Back(Exception):
    """The person wants another tool."""


def ask_arguments(console: Console, tool: Tool) -> dict[str, JSON]:
    """Ask for each argument of a tool until it fits.

    Raises:
        Back: The person entered ``:back``.
        EOFError: The input has ended.
    """
    for paragraph in tool.spec.description.split("\n\n"):
        if not paragraph.startswith("Returns:"):
            console.print(text(" ".join(paragraph.split()), "dim"))
    schema = tool.spec.parameters
    arguments: dict[str, JSON] = {}
    for name, prop in schema["properties"].items():
        required = name in schema.get("required", ())
        _print_parameter(console, name, prop, required=required)
        entry = _ask(console, name, required=required)
        while entry and (problem := _take(tool, name, entry, arguments)):
            console.print(text(f"  {problem}", "red"))
            entry = _ask(console, name, required=required)
    return arguments


def _print_parameter(console: Console, name: str, prop: dict[str, JSON], *, required: bool) -> None:
    value = prop.get("default")
    default = "" if value is None else f", default {json.dumps(value, ensure_ascii=False)}"
    optional = "" if required else f", may be left out{default}"
    description = f": {prop['description']}" if "description" in prop else ""
    console.print(Text.assemble(text(name, "bold"), text(f" ({type_name(prop)}{optional}){description}", "dim")))


def _ask(console: Console, name: str, *, required: bool) -> str:
    """Return what is entered; empty only where the argument may be left out."""
    while True:
        entry = console.input(text(f"  {name} = ")).strip()
        if entry == ":back":
            raise Back
        if entry or not required:
            return entry
        console.print(text(f'  {name} is required; an empty text is written "".', "red"))


def _take(tool: Tool, name: str, entry: str, arguments: dict[str, JSON]) -> str:
    """Put what an entry stands for into the arguments; return what is wrong with it where nothing fits."""
    problem = ""
    for value in _readings(entry):
        try:
            tool.validate_argument(name, value)
        except InvalidArguments as error:
            problem = problem or str(error)
        else:
            arguments[name] = value
            return ""
    return problem


def _readings(entry: str) -> Iterator[JSON]:
    """Yield what an entry may stand for: the JSON that it is, where it is JSON, and the text that it is."""
    with suppress(ValueError, RecursionError):
        yield json.loads(entry)
    yield entry
