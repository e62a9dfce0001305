"""``envscaler play``: what a person types, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests import toys

Cli = Callable[..., Any]

TOOLS = list(toys.tea_shop().tools)


@pytest.fixture
def play(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that plays a scenario of the tea shop with the given lines and returns the output."""
    monkeypatch.setenv("COLUMNS", "200")  # no line is broken

    def play(*lines: str, scenario: str = "order-sencha") -> str:
        output: str = cli(
            "play", toys.TEA_SHOP_ID, "--scenario", scenario, typed="".join(f"{x}\n" for x in lines)
        ).stdout
        return output

    return play


ORDER = ("order_tea", "T-1", "100", "gift", "")


def test_a_solved_episode(play: Callable[..., str]) -> None:
    output = play(*ORDER, "done")
    assert "Order 100 g of Sencha." in output
    assert "~ teas.T-1.grams: 500 -> 400" in output
    assert '"note":"gift","rush":false' in output
    assert "yes Is 100 g of Sencha ordered?" in output
    assert "reward 1  (2 of 2 checks)" in output


def test_doing_nothing_scores_nothing(play: Callable[..., str]) -> None:
    output = play("done I give up")
    assert "no  Is 100 g of Sencha ordered?" in output
    assert "reward 0  (0 of 2 checks)" in output
    assert "yes Is the Assam untouched?  (guard)" in output


@pytest.mark.parametrize("entry", ["order_tea", "ord", str(TOOLS.index("order_tea") + 1)])
def test_a_tool_by_name_prefix_or_number(play: Callable[..., str], entry: str) -> None:
    assert "reward 1" in play(entry, *ORDER[1:], "done")


@pytest.mark.parametrize(
    ("entry", "answer"),
    [
        ("set_", "'set_' could be set_tags, set_origin."),
        ("ordre_tea", "There is no tool 'ordre_tea'. Did you mean 'order_tea'"),
        ("0", f"The tools have the numbers 1 to {len(TOOLS)}."),
        ("99999", f"The tools have the numbers 1 to {len(TOOLS)}."),
        ("²", "There is no tool '²'."),
        ("_audit", "There is no tool '_audit'."),
        ("order_tea T-1", "There is no tool 'order_tea T-1'."),
    ],
)
def test_what_is_no_tool_is_asked_again(play: Callable[..., str], entry: str, answer: str) -> None:
    output = play(entry, *ORDER, "done")
    assert answer in output
    assert "reward 1" in output


def test_arguments_that_do_not_fit_are_asked_again(play: Callable[..., str]) -> None:
    output = play("order_tea", "", "T-1", "many", "1.5", "100", "", "perhaps", "true", "done")
    assert "tea_id is required" in output
    assert "argument 'grams': input should be a valid integer" in output
    assert "argument 'rush': input should be a valid boolean" in output
    assert '"rush":true' in output
    assert "reward 1" in output


def test_text_that_looks_like_json_is_text_where_text_is_asked_for(play: Callable[..., str]) -> None:
    assert '"note":"2024"' in play("order_tea", "T-1", "100", "2024", "", "done")
    assert '"note":"quoted"' in play("order_tea", "T-1", "100", '"quoted"', "", "done")


def test_structured_arguments_are_json(play: Callable[..., str]) -> None:
    output = play("set_origin", "T-1", '{"country": "Nepal"}', '{"country": "Nepal", "year": 2025}', "done")
    assert "origin.year" in output
    assert '~ teas.T-1.origin.country: "Japan" -> "Nepal"' in output


def test_back_leaves_a_tool_without_calling_it(play: Callable[..., str]) -> None:
    output = play("order_tea", "T-1", ":back", "done")
    assert "->" not in output.partition("order_tea =")[2]
    assert "reward 0" in output


def test_a_refusal_is_shown_as_one(play: Callable[..., str]) -> None:
    output = play("get_tea", "T-9", "done")
    assert "refused" in output
    assert "There is no such tea." in output


def test_task_and_help_again(play: Callable[..., str]) -> None:
    output = play("task", "help", "quit")
    assert output.count("Order 100 g of Sencha.") == 2
    assert output.count("What you can enter") == 2


@pytest.mark.parametrize("lines", [[], ["quit"], ["order_tea"], ["order_tea", "T-1"]], ids=len)
def test_leaving_early_ends_cleanly_without_a_score(play: Callable[..., str], lines: list[str]) -> None:
    output = play(*lines)
    assert "nothing was graded" in output
    assert "reward" not in output


def test_the_last_step_is_graded(play: Callable[..., str]) -> None:
    output = play(*["opening_hours"] * 8)
    assert "last step" in output
    assert "reward 0" in output


def test_an_episode_that_cannot_be_graded_is_refused(cli: Cli) -> None:
    result = cli("play", toys.TEA_SHOP_ID, "--scenario", "ungraded", typed="done\n", code=2)
    assert "has no checks" in result.stderr


def test_a_failure_of_the_environment_is_one_line(cli: Cli) -> None:
    result = cli("play", toys.HOSTILE_ID, "--scenario", "calm", typed="boom\n", code=2)
    assert result.stderr.startswith("error: ")
    assert "boom" in result.stderr


def test_the_seed_chooses_the_scenario(cli: Cli) -> None:
    outputs = {cli("play", "library", "--seed", seed, typed="quit\n").stdout for seed in range(6)}
    assert len(outputs) > 1
    assert cli("play", "library", "--seed", 3, typed="").stdout == cli("play", "library", "--seed", 3, typed="").stdout
