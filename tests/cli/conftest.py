"""The command line, run in this process, and a folder of bundles that nobody has reviewed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from typer.testing import CliRunner

from envscaler_gym.cli import app
from tests import toys

Cli: TypeAlias = Callable[..., Any]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Return a function that runs a command, expects an exit code, and returns what came of it."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def run(*arguments: object, code: int = 0, typed: str | None = None) -> Any:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed)
        assert result.exit_code == code, (result.output, result.exception)
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the user's own during the test."""
    monkeypatch.setenv("ENVSCALER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def tea_shop(tmp_path: Path) -> Path:
    """Return the folder of a fresh copy of the tea shop."""
    folder = tmp_path / "bundles" / "fresh_tea"
    toys.tea_shop("fresh/Tea-v0").save(folder)
    return folder
