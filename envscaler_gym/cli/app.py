"""The application: its commands, and how errors leave it."""

from __future__ import annotations

import io
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from envscaler_gym import __version__
from envscaler_gym.cli.check import check
from envscaler_gym.cli.console import stderr, text
from envscaler_gym.cli.demo import demo
from envscaler_gym.cli.doctor import doctor
from envscaler_gym.cli.eval import eval_
from envscaler_gym.cli.export import export
from envscaler_gym.cli.figures import figures
from envscaler_gym.cli.gallery import gallery
from envscaler_gym.cli.graph import graph
from envscaler_gym.cli.import_ import import_
from envscaler_gym.cli.list import list_environments
from envscaler_gym.cli.play import play
from envscaler_gym.cli.run import run
from envscaler_gym.cli.runs import runs
from envscaler_gym.cli.seal import seal
from envscaler_gym.cli.serve import serve
from envscaler_gym.cli.sft import sft
from envscaler_gym.cli.show import show
from envscaler_gym.cli.synth import synth
from envscaler_gym.cli.trust import trust
from envscaler_gym.cli.view import view
from envscaler_gym.errors import EnvScalerError

__all__ = ["app", "main"]

USAGE_ERROR = 2
"""Exit code of an error that the user can do something about, as for wrong options."""


class _Commands(TyperGroup):
    """The commands, with errors of the library and of the file system told in one line instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # "envscaler list | head": typer knows what to do
            raise
        except (EnvScalerError, OSError) as error:
            stderr().print(text(f"error: {' '.join(str(error).split())}", "bold red"), soft_wrap=True)
            raise typer.Exit(USAGE_ERROR) from None


app = typer.Typer(cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

# One line each, in the order in which --help lists them.
app.command("demo")(demo)
app.command("list")(list_environments)
app.command("show")(show)
app.command("play")(play)
app.command("run")(run)
app.command("eval")(eval_)
app.command("view")(view)
app.command("sft")(sft)
app.command("serve")(serve)
app.command("check")(check)
app.command("graph")(graph)
app.command("figures")(figures)
app.command("gallery")(gallery)
app.command("synth")(synth)
app.add_typer(runs, name="runs")
app.command("import")(import_)
app.command("export")(export)
app.command("trust")(trust)
app.command("seal")(seal)
app.command("doctor")(doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"envscaler-gym {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Environments for language-model agents: list them, look at them, play them, let policies play them."""


def main() -> None:
    """Run the command line; the entry point ``envscaler``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a character shows another one
            stream.reconfigure(errors="replace")
    app(prog_name="envscaler")
