"""``envscaler trust``: read an environment's code, and let it run without a worker."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.syntax import Syntax

from envscaler_gym.bundle import ENVIRONMENT, INVARIANTS, Bundle
from envscaler_gym.cli.console import heading, stdout, text
from envscaler_gym.cli.options import Name
from envscaler_gym.isolation.lint import lint_bundle
from envscaler_gym.registry import get_bundle
from envscaler_gym.trust import is_reviewed, own_list, record_review

__all__ = ["trust"]


def trust(
    name: Name,
    reviewer: Annotated[str | None, typer.Option(metavar="WHO", help="Who has read the code; you by default.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Neither show the code nor ask.")] = False,
) -> None:
    """Read an environment's code and what stands out in it, and let exactly this code run without a worker."""
    bundle, console = get_bundle(name), stdout()
    if is_reviewed(bundle):
        console.print(text(f"{bundle.id} has been reviewed already: {bundle.digest}"), soft_wrap=True)
        return
    if not yes:
        _show_code(console, bundle)
    findings = lint_bundle(bundle)
    console.print(heading(f"What stands out in the code: {len(findings) or 'nothing'}"))
    for finding in findings:
        console.print(text(f"  {finding}", "yellow"), soft_wrap=True)
    console.print(text(f"\n{bundle.id}\n{bundle.path}\n{bundle.digest}"), soft_wrap=True)
    console.print(
        "Trusted code runs in the process that asks for it, with all of your rights. A changed byte voids it."
    )
    if not yes:
        typer.confirm("Trust it?", abort=True)
    record_review(bundle, reviewer or getpass.getuser(), own_list())
    console.print(text(f"recorded in {own_list()}"), soft_wrap=True)


def _show_code(console: Console, bundle: Bundle) -> None:
    if console.is_terminal:
        with console.pager():
            _print_code(console, bundle)
    else:
        _print_code(console, bundle)


def _print_code(console: Console, bundle: Bundle) -> None:
    for title, source in _sources(bundle):
        console.rule(text(title))
        console.print(Syntax(text(source).plain, "python", line_numbers=True, word_wrap=True))


def _sources(bundle: Bundle) -> Iterator[tuple[str, str]]:
    yield ENVIRONMENT, bundle.source
    if bundle.invariants_source is not None:
        yield INVARIANTS, bundle.invariants_source
    for scenario in bundle.scenarios.values():
        for check in (*(scenario.checks or ()), *scenario.guards):
            yield f"{scenario.id}: {check.text}", check.source
