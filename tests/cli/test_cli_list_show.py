"""``envscaler list`` and ``envscaler show``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from envscaler_gym import registry
from tests import toys

Cli = Callable[..., Any]


def test_list_has_a_row_for_each_environment(cli: Cli) -> None:
    output = cli("list").stdout
    for id_ in registry.ids():
        assert id_ in output
    assert registry.get_bundle("library").manifest.summary.split(".")[0][:30] in output


def test_list_as_json_counts_tools_and_scenarios(cli: Cli) -> None:
    rows = {row["id"]: row for row in json.loads(cli("list", "--json").stdout)["environments"]}
    assert sorted(rows) == registry.ids()
    row = rows[toys.TEA_SHOP_ID]
    assert row["scenarios"] == {"easy": 1, "medium": 1, "hard": 1, "unrated": 2}
    assert row["tools"] == len(toys.tea_shop().tools)
    assert row["reviewed"] is True


def test_list_says_what_is_not_reviewed(cli: Cli, home: Path) -> None:
    rows = {row["id"]: row for row in json.loads(cli("list", "--json").stdout)["environments"]}
    assert rows[toys.TEA_SHOP_ID]["reviewed"] is False  # the list that says otherwise is in another folder


@pytest.mark.usefixtures("clean_registry")
def test_broken_bundles_are_named_once_with_the_reason(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torn", "changed", "cluttered"):
        toys.tea_shop(f"broken/{name}-v0").save(tmp_path / name)
    (tmp_path / "torn" / "manifest.json").write_text("{")
    with (tmp_path / "changed" / "environment.py").open("a") as file:
        file.write("# more\n")
    (tmp_path / "cluttered" / "notes.txt").write_text("")
    monkeypatch.setenv("ENVSCALER_PATH", str(tmp_path))
    registry.register_all()
    problems = json.loads(cli("list", "--json").stdout)["problems"]
    assert sorted(Path(problem["path"]).name for problem in problems) == ["changed", "cluttered", "torn"]
    output = cli("list").stdout
    assert "has changed since the manifest was written" in output
    assert "unknown file" in output
    assert "envscaler/Library-v0" in output


def test_show_has_rules_records_tools_and_scenarios(cli: Cli) -> None:
    output = cli("show", "Library").stdout
    bundle = registry.get_bundle("library")
    for part in (*bundle.scenarios, *bundle.tools, *(entity.name for entity in bundle.manifest.entities)):
        assert part in output
    squeezed = " ".join(output.split())
    assert " ".join(bundle.manifest.introduction.split()) in squeezed
    assert all(rule in squeezed for rule in bundle.manifest.rules)
    assert "* record_payment(member_id: string" in output
    assert "  get_book(book_id: string)" in output
    assert "Solution" not in output


def test_show_takes_a_path(cli: Cli, tea_shop: Path) -> None:
    assert "fresh/Tea-v0" in cli("show", tea_shop).stdout


def test_show_solutions_of_all_scenarios(cli: Cli, tea_shop: Path) -> None:
    output = cli("show", tea_shop, "--solution").stdout
    assert output.count("Solution of") == 4
    assert "No solution of ungraded" in output


def test_show_scenario(cli: Cli, tea_shop: Path) -> None:
    output = cli("show", tea_shop, "--scenario", "order-sencha").stdout
    assert "Order 100 g of Sencha." in output
    assert "2 teas, 0 orders" in output
    assert "Is 100 g of Sencha ordered?" in output
    assert "Is the Assam untouched?" in output.partition("Guards")[2]
    assert "order_tea(" not in output
    solved = cli("show", tea_shop, "--scenario", "order-sencha", "--solution").stdout
    assert 'order_tea(tea_id="T-1", grams=100, note="gift")' in solved


def test_show_scenario_that_cannot_be_graded(cli: Cli, tea_shop: Path) -> None:
    assert "it cannot be graded" in cli("show", tea_shop, "--scenario", "ungraded").stdout


def test_show_unknown_scenario_suggests_near_ones(cli: Cli, tea_shop: Path) -> None:
    assert "Did you mean 'order-sencha'?" in cli("show", tea_shop, "--scenario", "order-senche", code=2).stderr


def test_escape_sequences_of_a_bundle_are_written_out(cli: Cli, tmp_path: Path) -> None:
    bundle = toys.tea_shop("odd/Tea-v0")
    scenario = bundle.scenarios["both"].model_copy(update={"task": "\x1b]0;owned\x07 Hello"})
    replace(bundle, scenarios={"both": scenario}).save(tmp_path / "odd")
    output = cli("show", tmp_path / "odd", "--scenario", "both").stdout
    assert "\x1b" not in output
    assert "\\x1b]0;owned\\x07 Hello" in output
