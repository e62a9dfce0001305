"""Phrases name fields and parameters that there are, fit every call, and go back until they do."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Any

import pytest

from envscaler_gym.synthesis.artefacts import Made
from envscaler_gym.synthesis.environment import manifest_of
from envscaler_gym.synthesis.phrasing import Phrasing, phrasing_problems, write_phrases
from envscaler_gym.synthesis.skeleton import Operation, Parameter, Skeleton
from tests.synthesis.shed_author import at_desk, workshop
from tests.synthesis.shed_founder import PHRASING, SKELETON, Founder

PLAN = Skeleton.model_validate(SKELETON)


def problems(change: Callable[[Any], object]) -> list[str]:
    """Return what is said of the phrases after a change."""
    given = copy.deepcopy(PHRASING)
    change(given)
    return phrasing_problems(PLAN, Phrasing.model_validate(given))


def test_phrases_that_fit_have_no_problems() -> None:
    assert problems(lambda _: None) == []


def set_tool(number: int, *phrases: str) -> Callable[[Any], object]:
    return lambda given: given["tools"][number].update(phrases=phrases)


def set_record(number: int, phrase: str) -> Callable[[Any], object]:
    return lambda given: given["records"][number].update(phrase=phrase)


SLIPS: dict[str, tuple[Callable[[Any], object], str]] = {
    "missing": (lambda given: given["tools"].pop(), "operation 'return_tool' stands there 0 times"),
    "unknown": (lambda given: given["records"][0].update(entity="neighbors"), "Did you mean 'neighbours'?"),
    "a query": (lambda given: given["tools"][0].update(tool="find_tools"), "no state-changing operation 'find_tools'"),
    "no field": (set_record(0, "the neighbour"), "names no field"),
    "a field that is none": (set_record(0, "{nam}"), "neighbours have no field 'nam'. Did you mean 'name'?"),
    "no reference": (set_record(2, "{status.name}"), "'status.name' goes on behind a field that refers to no entity"),
    "no place": (set_tool(0, "hand {tool_id} out<, for {days} days>"), "no phrase fits a call with tool_id='…', neigh"),
    "an optional place": (
        set_tool(0, "hand {tool_id} to {neighbour_id}"),
        "fits a call with tool_id='…', neighbour_id",
    ),
    "one of two choices": (set_tool(1, "take {loan_id} back<, broken{broken=true}>"), "broken=False"),
    "malformed": (set_tool(1, "take {loan_id back<{broken}>"), "'}' is missing"),
    "a parameter that is none": (set_tool(1, "take {loan} back", "return {loan_id}< {broken}>"), "no parameter 'loan'"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_each_slip_is_named(slip: str) -> None:
    change, expected = SLIPS[slip]
    assert expected in "\n".join(problems(change))


def test_every_choice_of_a_closed_set_has_a_phrase() -> None:
    way = Parameter(name="way", type='Literal["post", "desk"]', description="", default="")
    plan = PLAN.operation("lend_tool").model_copy(update={"parameters": (way,), "name": "send"})
    skeleton = PLAN.model_copy(update={"operations": (plan,)})
    given = PHRASING | {"tools": [{"tool": "send", "phrases": ["send it by post{way=post}"]}]}
    (problem,) = phrasing_problems(skeleton, Phrasing.model_validate(given))
    assert "no phrase fits a call with way='desk'" in problem
    assert isinstance(plan, Operation)


def test_a_call_with_all_of_its_options_has_a_phrase() -> None:
    options = [Parameter(name=name, type="str", description="", default='""') for name in ("note", "day")]
    plan = PLAN.operation("lend_tool").model_copy(update={"parameters": tuple(options), "name": "send"})
    skeleton = PLAN.model_copy(update={"operations": (plan,)})
    phrases = ["send it", "send it with the note {note}", "send it on {day}"]
    given = PHRASING | {"tools": [{"tool": "send", "phrases": phrases}]}
    (problem,) = phrasing_problems(skeleton, Phrasing.model_validate(given))
    assert "no phrase fits a call with note='…', day='…'" in problem


def written(*answers: object) -> tuple[Phrasing, int]:
    """Return the phrases that a model's answers come to, and how often it was asked."""
    asked = []

    def answer(_: object) -> Any:
        asked.append(1)
        return answers[min(len(asked), len(answers)) - 1]

    shop = workshop(Founder(Phrasing=answer))
    skeleton = at_desk(shop, "skeleton", Skeleton, _plan)
    artefact = shop.artefacts[-1]
    made = asyncio.run(write_phrases(shop, "tool_shed", Made(skeleton, artefact)))
    return made.value, len(asked)


async def _plan(_: object) -> Skeleton:
    return PLAN


WRONG = PHRASING | {"records": []}


def test_phrases_that_do_not_fit_go_back() -> None:
    assert written(WRONG, PHRASING) == (Phrasing.model_validate(PHRASING), 2)


def test_without_usable_phrases_names_stand_in_for_them() -> None:
    assert written(WRONG) == (Phrasing(), 3)


def test_a_manifest_takes_the_phrases() -> None:
    manifest = manifest_of(PLAN, "toys", Phrasing.model_validate(PHRASING))
    assert [entity.phrase for entity in manifest.entities] == [one["phrase"] for one in PHRASING["records"]]
    assert {tool.name: list(tool.phrases) for tool in manifest.tools if tool.phrases} == {
        one["tool"]: one["phrases"] for one in PHRASING["tools"]
    }
