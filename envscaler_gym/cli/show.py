"""``envscaler show``: one environment, or one of its scenarios."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import Check
from envscaler_gym.cli.console import grid, heading, indent, stdout, table, text
from envscaler_gym.cli.episode_view import call_text, first_sentence
from envscaler_gym.cli.options import Name, ScenarioId
from envscaler_gym.registry import get_bundle
from envscaler_gym.scenario import Scenario
from envscaler_gym.trust import is_reviewed

__all__ = ["show"]

_TASK_LENGTH = 45


def show(
    name: Name,
    scenario: ScenarioId = None,
    solution: Annotated[bool, typer.Option("--solution", help="Show reference solutions too.")] = False,
) -> None:
    """Show an environment: what it is, its rules, tools and scenarios. Or one of its scenarios."""
    bundle, console = get_bundle(name), stdout()
    if scenario is None:
        _print_environment(console, bundle)
        _print_tools(console, bundle)
        _print_scenarios(console, bundle)
        chosen = tuple(bundle.scenarios.values())
    else:
        chosen = (bundle.scenario(scenario),)
        _print_scenario(console, bundle, chosen[0])
    for each in chosen if solution else ():
        _print_solution(console, each)


def _print_environment(console: Console, bundle: Bundle) -> None:
    manifest = bundle.manifest
    console.print(Text.assemble(text(bundle.id, "bold cyan"), "  ", text(manifest.summary)))
    reviewed = "reviewed" if is_reviewed(bundle) else "not reviewed, so its code runs in locked-down workers"
    console.print(text(f"{manifest.provenance.method}, {reviewed}, {bundle.path}", "dim"), soft_wrap=True)
    console.print(heading("Introduction"))
    console.print(indent(text(manifest.introduction)))
    if manifest.rules:
        console.print(heading("Rules"))
        _print_list(console, manifest.rules)
    if manifest.entities:
        console.print(heading("Records"))
        entities = grid(2)
        for entity in manifest.entities:
            references = sorted(set(entity.references.values()))
            refers = f" (refers to {', '.join(references)})" if references else ""
            entities.add_row(text(entity.name, "bold"), Text.assemble(text(entity.description), text(refers, "dim")))
        console.print(indent(entities))


def _print_tools(console: Console, bundle: Bundle) -> None:
    console.print(heading("Tools (* changes the state)"))
    for tool in bundle.tools.values():
        mark = "*" if tool.kind == "state_change" else " "
        parameters = tool.signature.removeprefix(tool.name)
        console.print(Text.assemble((f"{mark} ", "yellow"), text(tool.name, "bold cyan"), text(parameters)))
        sentence = first_sentence(tool.spec.description)
        if sentence:
            console.print(indent(text(sentence, "dim"), 4))


def _print_scenarios(console: Console, bundle: Bundle) -> None:
    console.print(heading("Scenarios"))
    scenarios = table(
        "scenario", "level", "split", "calls", "checks", "task", numbers=("calls", "checks"), wraps="task"
    )
    for scenario in bundle.scenarios.values():
        scenarios.add_row(
            text(scenario.id, "bold"),
            scenario.difficulty or "-",
            scenario.split,
            str(len(scenario.solution) or "-"),
            str(len(scenario.checks or ()) or "-"),
            text(textwrap.shorten(scenario.task, _TASK_LENGTH, placeholder=" …"), "dim"),
        )
    console.print(indent(scenarios))


def _print_scenario(console: Console, bundle: Bundle, scenario: Scenario) -> None:
    console.print(Text.assemble(text(bundle.id, "bold cyan"), "  ", text(scenario.id, "bold")))
    clock = scenario.clock.replace("T", " ")
    limit = f"at most {scenario.max_steps} steps"
    console.print(text(f"{scenario.difficulty or 'unrated'}, {scenario.split}, {clock} UTC, {limit}", "dim"))
    console.print(heading("Task"))
    console.print(indent(text(scenario.task)))
    console.print(heading(f"Start state {scenario.start_state}"))
    state = bundle.start_states[scenario.start_state].state
    sizes = (f"{len(value)} {key}" if isinstance(value, dict | list) else key for key, value in state.items())
    console.print(indent(text(", ".join(sizes))))
    console.print(heading("Checks" if scenario.checks else "No checks: it cannot be graded"))
    _print_checks(console, scenario.checks or ())
    if scenario.guards:
        console.print(heading("Guards"))
        _print_checks(console, scenario.guards)


def _print_checks(console: Console, checks: Iterable[Check]) -> None:
    _print_list(console, (check.text for check in checks))


def _print_solution(console: Console, scenario: Scenario) -> None:
    console.print(heading(f"Solution of {scenario.id}" if scenario.solution else f"No solution of {scenario.id}"))
    calls = grid(2)
    for number, call in enumerate(scenario.solution, 1):
        calls.add_row(f"{number}.", call_text({"name": call.name, "arguments": call.arguments}))
    console.print(indent(calls))


def _print_list(console: Console, lines: Iterable[str]) -> None:
    bullets = grid(2)
    for line in lines:
        bullets.add_row("-", text(line))
    console.print(indent(bullets))
