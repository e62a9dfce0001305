"""``envscaler doctor``: what this machine can do to lock up code that nobody has reviewed."""

from __future__ import annotations

import typer

from envscaler_gym.cli.console import print_json, stdout, text
from envscaler_gym.cli.options import Json
from envscaler_gym.isolation import doctor as diagnose

__all__ = ["doctor"]


def doctor(json: Json = False) -> None:
    """Try what workers need: system calls filtered, files out of reach, an end when their host ends."""
    findings = diagnose()
    works = all(finding.ok for finding in findings if finding.required)
    if json:
        print_json({"works": works, "findings": [finding._asdict() for finding in findings]})
    else:
        console = stdout()
        for finding in findings:
            mark, style = ("ok", "green") if finding.ok else ("no", "red" if finding.required else "yellow")
            console.print(text(mark, style), text(f"{finding.name:<14}", "bold"), text(finding.detail), soft_wrap=True)
        console.print(
            "Code that nobody has reviewed runs here, in workers."
            if works
            else "Code that nobody has reviewed does not run here, unless you read it and pass --trust."
        )
    if not works:
        raise typer.Exit(1)
