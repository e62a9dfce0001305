"""What all commands share: help, version, errors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import envscaler_gym
from envscaler_gym.cli import app
from envscaler_gym.cli.console import text

Cli = Callable[..., Any]


def test_help_names_every_command_with_a_sentence(cli: Cli) -> None:
    output = cli("--help").stdout
    names = {str(command.name) for command in app.registered_commands}
    assert names >= {"demo", "list", "show", "play", "run", "import", "export", "seal", "trust", "doctor"}
    for name in names:
        assert name in output
        assert "Usage" in cli(name, "--help").stdout


def test_version(cli: Cli) -> None:
    assert cli("--version").stdout == f"envscaler-gym {envscaler_gym.__version__}\n"


def test_the_module_is_the_command_line() -> None:
    command = [sys.executable, "-m", "envscaler_gym", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("envscaler-gym ")


def test_the_library_imports_neither_typer_nor_rich(run_python: Callable[..., str]) -> None:
    code = "import sys, envscaler_gym; print([m for m in ('typer', 'rich', 'envscaler_gym.cli') if m in sys.modules])"
    assert run_python(code) == "[]\n"


@pytest.mark.parametrize(
    "command", [["show"], ["play"], ["run"], ["trust"], ["export", "--out", "/nonexistent"]], ids=lambda c: c[0]
)
def test_a_wrong_name_is_one_line_with_near_names(cli: Cli, command: list[str]) -> None:
    result = cli(*command, "librry", code=2)
    assert result.stdout == ""
    assert result.stderr.startswith("error: There is no environment 'librry'. Did you mean 'library'")
    assert result.stderr.count("\n") == 1


def test_an_error_of_the_file_system_is_one_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = cli("export", "teashop", "--out", tmp_path / "file" / "out", code=2)
    assert result.stderr.startswith("error: ")
    assert str(tmp_path / "file") in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\u202eb", "a\\u202eb"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\u00a0Müller - 東京\n\tx", "\u00a0Müller - 東京\n\tx"),
        ("[bold]kept[/bold] :smile:", "[bold]kept[/bold] :smile:"),
    ],
)
def test_text_of_unknown_origin_cannot_steer_the_terminal(value: str, shown: str) -> None:
    assert text(value).plain == shown
