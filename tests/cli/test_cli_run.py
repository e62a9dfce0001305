"""``envscaler run`` and ``envscaler demo``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envscaler_gym import registry
from envscaler_gym.isolation import Runtime, make_runtime
from tests import toys

Cli = Callable[..., Any]


def run_json(cli: Cli, *arguments: object, code: int = 0) -> Any:
    return json.loads(cli("run", *arguments, "--json", code=code).stdout)


def test_reference_solutions_earn_everything(cli: Cli) -> None:
    data = run_json(cli, "teashop", "library", "--policy", "reference")
    assert {episode["reward"] for episode in data["episodes"]} == {1.0}
    solved = [s for name in ("teashop", "library") for s in registry.get_bundle(name).scenarios.values() if s.solution]
    assert [episode["scenario"] for episode in data["episodes"]] == [scenario.id for scenario in solved]
    assert [row["mean"] for row in data["summary"]] == [1.0] * len(data["summary"])


def test_the_table_has_a_row_per_environment_and_difficulty(cli: Cli) -> None:
    output = cli("run", "teashop", "--policy", "noop").stdout
    rows = [line.split() for line in output.splitlines() if toys.TEA_SHOP_ID in line]
    assert [row[1:] for row in rows] == [
        ["easy", "1", "0.00", "0.00", "0.00", "1.0", "0"],
        ["medium", "1", "0.00", "0.00", "0.00", "1.0", "0"],
        ["hard", "1", "0.00", "0.00", "0.00", "1.0", "0"],
        ["-", "1", "0.33", "0.33", "0.33", "1.0", "0"],
    ]


def test_the_same_seed_gives_the_same_episodes(cli: Cli) -> None:
    first = run_json(cli, "teashop", "--policy", "random", "--seed", 3)
    assert first == run_json(cli, "teashop", "--policy", "random", "--seed", 3)
    assert first["episodes"] != run_json(cli, "teashop", "--policy", "random", "--seed", 4)["episodes"]


def test_number_of_episodes_and_filters(cli: Cli) -> None:
    data = run_json(cli, "teashop", "--policy", "noop", "--episodes", 7)
    assert len(data["episodes"]) == 7
    data = run_json(cli, "teashop", "--policy", "noop", "--split", "test", "--difficulty", "medium")
    assert [episode["scenario"] for episode in data["episodes"]] == ["restock-assam"]


def test_a_filter_that_nothing_fits_is_an_error(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "has no scenario with" in cli("run", "teashop", "--difficulty", "expert", code=2).stderr
    toys_alone = {id_: registry.find(id_) for id_ in registry.ids() if id_ not in registry.shipped_ids()}
    monkeypatch.setattr(registry, "_paths", toys_alone)
    result = cli("run", "all", "--difficulty", "expert", code=2)
    assert result.stderr.count("left out") == len(toys_alone) > 1
    assert "nothing to play" in result.stderr


@pytest.mark.parametrize("option", ["--policy", "--split", "--difficulty"])
def test_unknown_choices_are_errors(cli: Cli, option: str) -> None:
    assert "best" in cli("run", "teashop", option, "best", code=2).stderr


def test_a_failure_of_the_environment_is_the_exit_code(cli: Cli) -> None:
    result = cli("run", toys.HOSTILE_ID, "--policy", "noop", "--split", "test", code=1)
    assert "unloadable" in result.stdout
    assert "boom at load" in result.stdout
    assert "failed" in result.stdout
    data = run_json(cli, toys.HOSTILE_ID, "--policy", "noop", code=1)
    assert [episode["failure"] is None for episode in data["episodes"]] == [True, False]


@pytest.mark.usefixtures("clean_registry")
def test_all_leaves_out_a_broken_bundle_and_fails(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.tea_shop("broken/Tea-v0").save(tmp_path / "tea")
    (tmp_path / "tea" / "scenarios.jsonl").write_text("")
    monkeypatch.setenv("ENVSCALER_PATH", str(tmp_path))
    registry.register_all()
    result = cli("run", "all", "--policy", "noop", "--difficulty", "easy", code=1)
    assert "left out: " in result.stderr
    assert str(tmp_path) in result.stderr
    assert "envscaler/Library-v0" in result.stdout


def test_unreviewed_code_runs_in_a_worker_or_with_trust(
    cli: Cli, tea_shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[str] = []

    def spy(*arguments: Any, **options: Any) -> Runtime:
        runtime = make_runtime(*arguments, **options)
        levels.append(runtime.level)
        return runtime

    monkeypatch.setattr("envscaler_gym.env.make_runtime", spy)
    cli("run", tea_shop, "--policy", "reference", "--difficulty", "easy")
    cli("run", tea_shop, "--policy", "reference", "--difficulty", "easy", "--trust")
    assert levels == ["worker", "process"]


def test_demo_shows_a_solved_episode_and_what_others_earn(cli: Cli) -> None:
    output = cli("demo").stdout
    assert "reward 1  (6 of 6 checks)" in output
    assert "> return_copy(" in output
    rows = {line.split("  ")[1].strip(): line.split() for line in output.splitlines() if " of 6  " in line}
    assert rows["reference solution"][2] == "1.000"
    assert rows["doing nothing"][2] == "0.000"
    assert "random calls" in rows
    assert 'gym.make("envscaler/Library-v0")' in output
    assert output == cli("demo").stdout


@pytest.mark.parametrize("width", [80, 120])
def test_demo_fits_the_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = cli("demo").stdout.splitlines()
    assert max(map(len, lines)) <= width
    (new_record,) = [number for number, line in enumerate(lines) if line.startswith("    + payments.")]
    assert lines[new_record].endswith("…")  # cut where the line ends, not continued on the next
    assert lines[new_record + 1] == ""


def test_demo_draws_the_same_picture_each_time(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("demo", "--svg", tmp_path / "a.svg")
    monkeypatch.setenv("COLUMNS", "80")
    cli("demo", "--svg", tmp_path / "b.svg")
    picture = (tmp_path / "a.svg").read_text("utf-8")
    assert picture == (tmp_path / "b.svg").read_text("utf-8")
    assert picture.startswith("<svg")
    assert "return_copy" in picture
