"""How tools and an episode look: its task, its steps, its score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from envscaler_gym.cli.console import heading, indent, one_line, text
from envscaler_gym.render import action_text, changes_text
from envscaler_gym.scenario import Scenario
from envscaler_gym.state import Change
from envscaler_gym.types import JSON

__all__ = ["call_text", "first_sentence", "print_changes", "print_outcome", "print_score", "print_step", "print_task"]

_CHANGE_STYLES = {"+": "green", "-": "red", "~": "yellow"}


def first_sentence(description: str) -> str:
    """Return the first sentence of a tool's description."""
    paragraph = " ".join(description.partition("\n\n")[0].split())
    sentence, end, _ = paragraph.partition(". ")
    return sentence + end.strip()


def print_task(console: Console, environment: str, scenario: Scenario, observation: str) -> None:
    """Print what the agent is told first, in a box that says where it is."""
    details = ", ".join(filter(None, (scenario.difficulty, scenario.clock.replace("T", " "))))
    title = Text.assemble(text(environment, "bold"), "  ", text(scenario.id, "bold cyan"), text(f" ({details})"))
    console.print(Panel(text(observation), title=title, title_align="left", padding=(0, 1)))


def call_text(action: object) -> Text:
    """Return an action in one line, with the tool's name standing out."""
    name, bracket, arguments = action_text(action).partition("(")
    return Text.assemble(text(name, "bold cyan"), text(bracket + arguments))


def print_step(console: Console, action: object, observation: str, outcome: str, changes: Iterable[Change]) -> None:
    """Print a step: the action, the beginning of its result, and what it changed."""
    console.print(Text.assemble("\n> ", call_text(action)))
    print_outcome(console, outcome)
    console.print(indent(one_line(text(observation, "dim")), 4))
    print_changes(console, changes, brief=True)


def print_outcome(console: Console, outcome: str) -> None:
    """Say what became of an action, unless it was a success or a message."""
    if outcome not in ("success", "message"):
        console.print(indent(text(outcome.replace("_", " "), "bold red"), 4))


def print_changes(console: Console, changes: Iterable[Change], *, brief: bool = False) -> None:
    """Print each change of the state, on one line where it is to be brief."""
    for change in changes_text(changes):
        line = text(change, _CHANGE_STYLES.get(change[0], ""))
        console.print(indent(one_line(line) if brief else line, 4))


def print_score(console: Console, score: Mapping[str, JSON]) -> None:
    """Print the answer to each check and the reward.

    Args:
        console: Where to.
        score: ``info["score"]`` of an episode's last step.
    """
    console.print(heading("Checks"))
    for result in score["checks"]:
        _print_result(console, result, "" if result["counted"] else "  (true from the start: not counted)")
    for result in score["guards"]:
        _print_result(console, result, "  (guard)")
    style = "bold green" if score["reward"] == 1 else "bold yellow" if score["reward"] else "bold red"
    passed = f"({score['passed']} of {score['total']} checks)"
    console.print(Text.assemble("\n", text(f"reward {score['reward']:g}", style), f"  {passed}"))


def _print_result(console: Console, result: Mapping[str, JSON], note: str) -> None:
    mark, style = ("yes", "green") if result["passed"] else ("no ", "red")
    error = f"  [{result['error']}]" if result["error"] else ""
    line = Text.assemble(f"{mark} ", text(result["text"]), text(note, "dim"), text(error, "red"))
    line.stylize(style, 0, len(mark))
    console.print(indent(line))
