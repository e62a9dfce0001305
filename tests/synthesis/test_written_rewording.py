"""Requests that a model says again keep every value, add none, and stay as they were where that fails."""

from __future__ import annotations

from typing import Any

import pytest

from envscaler_gym.llm.model import CompletionRequest
from envscaler_gym.scenario import Scenario, SolutionCall
from envscaler_gym.synthesis.scenarios.rewriting import Rewording, reworded, rewording_problems, values_said
from tests.synthesis import tool_shed
from tests.synthesis.shed_author import Author, at_desk, workshop

BUNDLE = tool_shed.bundle(mill=tool_shed.state())
START = BUNDLE.start_states["mill"]
SCENARIO = Scenario(
    id="grown",
    start_state="mill",
    task='Lend the tool "hedge trimmer" to Ada Byrne for 3 days. Do it by Friday, 9 May.',
    requests=('Lend the tool "hedge trimmer" to Ada Byrne.', "It is for 3 days, do it by Friday, 9 May."),
    solution=(SolutionCall(name="lend_tool", arguments={"tool_id": "T-31", "neighbour_id": "N-07", "days": 3}),),
)
FINE = Rewording(
    task="Hi! Ada Byrne asked me for the hedge trimmer, for 3 days; could you see to it by Friday, 9 May?",
    requests=("Hi! Ada Byrne asked me for the hedge trimmer.", "For 3 days, and please by Friday, 9 May."),
)
VALUES = ("3", "9", "Ada Byrne", "Friday", "May", "hedge trimmer")


def test_what_must_stay_is_what_the_task_says_of_state_solution_and_dates() -> None:
    assert values_said(START, SCENARIO) == VALUES
    assert values_said(START, SCENARIO, ["see to it", "Ada"]) == tuple(sorted((*VALUES, "see to it")))


def test_what_surrounds_a_quoted_name_may_be_said_otherwise() -> None:
    facts = ['the loan for the tool "tile saw" (status open)', "the night (date Friday)", "closed"]
    assert values_said(START, SCENARIO, facts) == tuple(sorted((*VALUES, "closed", "tile saw")))


def test_the_numbers_of_a_lists_lines_need_not_stay() -> None:
    listed = SCENARIO.model_copy(update={"task": f"Two things.\n1. {SCENARIO.task}\n2. Then go home."})
    assert values_said(START, listed) == VALUES


def test_the_number_of_a_class_or_a_gate_is_a_part_of_its_name() -> None:
    task = "Lend it to class 5-C for 3 days, for the 120-minute lesson at gate 12-B."
    assert values_said(START, SCENARIO.model_copy(update={"task": task})) == ("120", "3")


def test_a_request_with_every_value_is_fine() -> None:
    assert rewording_problems(START, SCENARIO, VALUES, FINE) == []


SLIPS: dict[str, tuple[dict[str, Any], str]] = {
    "lost": ({"task": FINE.task.replace("Ada Byrne", "Ada")}, "task: lost 'Ada Byrne'"),
    "lost in a part": ({"requests": (FINE.requests[0], "By Friday, 9 May.")}, "requests: lost '3'"),
    "parts": ({"requests": (" ".join(FINE.requests),)}, "requests: there were 2 parts, now 1"),
    "id": ({"task": FINE.task + " She is N-07."}, "names N-07, which the request did not"),
    "number": ({"task": FINE.task + " Charge her 12 euros."}, "task: adds 12, which the request did not say"),
    "length": ({"task": FINE.task + " Really" * 60}, "task: is more than 3 times as long as before"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_each_slip_is_named(slip: str) -> None:
    changes, expected = SLIPS[slip]
    assert expected in rewording_problems(START, SCENARIO, VALUES, FINE.model_copy(update=changes))


def said(answers: list[Rewording]) -> tuple[Rewording, list[str]]:
    heard: list[str] = []

    def answer(request: CompletionRequest) -> Rewording:
        heard.append(request.messages[-1].content)
        return answers[min(len(heard), len(answers)) - 1]

    shop = workshop(Author(Rewording=answer))
    result = at_desk(shop, "rewriting", Rewording, lambda desk: reworded(desk, BUNDLE, START, SCENARIO, (), 0))
    return result, heard


def test_a_slip_goes_back_with_what_was_lost() -> None:
    result, heard = said([FINE.model_copy(update={"task": "Lend Ada the trimmer."}), FINE])
    assert result == FINE
    assert "task: lost '3', '9', 'Ada Byrne', 'Friday', 'May', 'hedge trimmer'" in heard[1]


def test_a_request_that_cannot_be_said_again_stays_as_it_was() -> None:
    result, heard = said([FINE.model_copy(update={"task": "Lend Ada the trimmer."})])
    assert (result.task, result.requests) == (SCENARIO.task, SCENARIO.requests)
    assert len(heard) == 3


def test_an_objection_needs_no_request() -> None:
    objected = FINE.model_copy(update={"task": "-", "requests": (), "objection": "Nobody lends what is broken."})
    assert rewording_problems(START, SCENARIO, VALUES, objected) == []
    result, heard = said([objected])
    assert (result, len(heard)) == (objected, 1)
