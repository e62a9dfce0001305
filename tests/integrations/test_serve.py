"""``envscaler serve``: what it refuses, and what it says where an extra is missing."""

from __future__ import annotations

import sys

import pytest
from typer.testing import CliRunner

from envscaler_gym.cli import app
from tests import toys


def refuse(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["serve", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    return " ".join(result.stderr.split())


def test_a_protocol_must_be_chosen() -> None:
    for both in ([], ["--mcp", "--openenv"]):
        assert "--mcp or --openenv" in refuse(toys.TEA_SHOP_ID, *both)


def test_what_clients_of_openenv_choose_is_no_option() -> None:
    for option in (["--scenario", "both"], ["--seed", "3"], ["--record", "file"]):
        assert "the client chooses scenario and seed in reset()" in refuse(toys.TEA_SHOP_ID, "--openenv", *option)


def test_a_scenario_is_one_environments() -> None:
    assert "give one NAME" in refuse(toys.TEA_SHOP_ID, "Library", "--mcp", "--scenario", "both")


@pytest.mark.parametrize(
    ("protocol", "module", "extra"),
    [("--mcp", "mcp_types", "envscaler-gym[mcp]"), ("--openenv", "openenv.core", "envscaler-gym[openenv]")],
)
def test_a_missing_extra_is_named(protocol: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    for name in [name for name in sys.modules if name.startswith("envscaler_gym.integrations.")]:
        monkeypatch.delitem(sys.modules, name)
    assert f'pip install "{extra}"' in refuse(toys.TEA_SHOP_ID, protocol)


def test_an_environment_that_there_is_not_is_one_line() -> None:
    pytest.importorskip(
        "envscaler_gym.integrations.mcp", reason='pip install "envscaler-gym[mcp]"', exc_type=ImportError
    )
    said = refuse("--mcp", "TeeShop")
    assert said.startswith("error: There is no environment 'TeeShop'. Did you mean")
    assert "error: toys/TeaShop-v0 has no scenario 'nonsense'" in refuse(
        "--mcp", toys.TEA_SHOP_ID, "--scenario", "nonsense"
    )
