"""Scenarios as data: what they refuse, and the simulated user who speaks for them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from envscaler_gym.scenario import MAX_WORDS, Scenario, SolutionCall, StartState
from envscaler_gym.spaces import TextSpace
from envscaler_gym.users import ScriptedUser
from tests.toys import tea_shop

GOOD = {"id": "s", "start_state": "x", "task": "t"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"task": ""},
        {"task": "x" * (MAX_WORDS + 1)},
        {"task": "\ud800"},
        {"requests": ["x" * (MAX_WORDS + 1)]},
        {"requests": "one"},
        {"checks": []},
        {"guards": [{"text": "?", "source": ""}]},
        {"solution": [{"name": "f"}]},
        {"solution": [{"name": "f", "arguments": []}]},
        {"difficulty": "trivial"},
        {"split": None},
        {"clock": "noon"},
        {"max_steps": 0},
        {"max_steps": True},
        {"goal": "x"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_malformed_fields_are_refused(wrong: dict[str, Any]) -> None:
    Scenario.model_validate(GOOD)
    with pytest.raises(ValidationError) as caught:
        Scenario.model_validate(GOOD | wrong)
    assert caught.value.errors()[0]["loc"][0] == next(iter(wrong))


def test_the_longest_words_fit_into_an_observation() -> None:
    assert Scenario.model_validate(GOOD | {"task": "\U0001f375" * MAX_WORDS}).task in TextSpace()


def test_fields_have_the_documented_defaults() -> None:
    scenario = Scenario.model_validate(GOOD)
    assert (scenario.checks, scenario.guards, scenario.solution, scenario.requests) == (None, (), (), ())
    assert (scenario.difficulty, scenario.split, scenario.max_steps) == (None, "train", 30)


def test_data_is_frozen() -> None:
    for value, field in (
        (Scenario.model_validate(GOOD), "task"),
        (StartState(id="x", state={}), "id"),
        (SolutionCall(name="f", arguments={}), "name"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(value, field, "other")


def test_the_scripted_user_says_one_request_after_the_other() -> None:
    scenario = tea_shop().scenario("both")
    user, said = ScriptedUser(), ()  # type: tuple[ScriptedUser, tuple[str, ...]]
    heard = []
    while (turn := user.reply(scenario, said)) is not None:
        heard.append(turn)
        said = (*said, turn, "Done.")
    assert tuple(heard) == scenario.requests
