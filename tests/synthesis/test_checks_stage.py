"""Checks are tried before they are trusted, and go back with what exposed them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from envscaler_gym.checks import Check
from envscaler_gym.llm.model import CompletionRequest
from envscaler_gym.scenario import SolutionCall
from envscaler_gym.synthesis.scenarios.artefacts import DraftedChecks, ProvenScenario, SettledState, Task
from envscaler_gym.synthesis.scenarios.check_sources import source_problems
from envscaler_gym.synthesis.scenarios.checks import check_problems, write_checks
from envscaler_gym.synthesis.scenarios.proof import prove
from envscaler_gym.synthesis.scenarios.replaying import replay
from envscaler_gym.synthesis.scenarios.written import collateral_guards, scenario_of
from envscaler_gym.trust import is_reviewed
from tests import toys
from tests.synthesis import shed_author, tool_shed
from tests.synthesis.shed_author import CHECKS, LEND, Author, at_desk, check, workshop

BUNDLE = tool_shed.bundle(mill=tool_shed.state())
SETTLED = SettledState(BUNDLE.start_states["mill"], tool_shed.CLOCK, "train", "sha256:0")
TASK = Task.model_validate(shed_author.TASKS[0])
SOLUTION = [
    SolutionCall(name="find_tools", arguments={"name": "trimmer"}),
    SolutionCall(name="find_neighbours", arguments={"name": "ada"}),
    SolutionCall(name="lend_tool", arguments={"tool_id": "T-31", "neighbour_id": "N-07", "days": 3}),
]
WEAK = check("Is the hedge trimmer lent?", "len(final_state['loans']) > len(initial_state['loans'])")

BAD_SOURCES = {
    "def check_func(final_state)\n    return True": "not Python",
    "import os\ndef check_func(final_state):\n    return bool(final_state)": "import: imports os",
    "def check(final_state):\n    return bool(final_state)": "defines 0",
    "def check_func(final_state, initial_state):\n    return bool(final_state)": "takes (final_state, initial_state)",
    "def check_func(final_state):\n    return True": "never looks at final_state",
    "def check_func(final_state):\n    final_state = {}\n    return not final_state": "final_state is assigned to",
    "def check_func(final_state):\n    print(final_state)\n    return False": "io: ",
}


@pytest.mark.parametrize("source", BAD_SOURCES)
def test_sources_that_cannot_be_tried_are_told_apart(source: str) -> None:
    assert BAD_SOURCES[source] in "\n".join(source_problems(source))


def test_good_sources_have_no_problems() -> None:
    assert [source_problems(each["source"]) for each in CHECKS[LEND]] == [[], []]


def of(*checks: dict[str, str]) -> tuple[Check, ...]:
    return tuple(Check.model_validate(each) for each in checks)


def test_a_check_that_is_true_or_raises_at_the_start_is_named() -> None:
    true = check("Is Ada Byrne known?", "'N-07' in final_state['neighbours']")
    raising = check("Is the loan open?", "final_state['loans']['LN-105']['status'] == 'open'")
    found = check_problems(BUNDLE, SETTLED, TASK, of(true, raising, *CHECKS[LEND]))
    assert found == [
        "Is Ada Byrne known? It is already true at the start, so it proves nothing.",
        "Is the loan open? It raises on the start state: \"KeyError: 'LN-105'\"",
    ]


def test_drafts_go_back_until_they_are_false_at_the_start() -> None:
    answers = [
        [check("Is Ada Byrne known?", "'N-07' in final_state['neighbours']")],
        list(CHECKS[LEND]),
    ]
    said: list[str] = []

    def drafts(request: CompletionRequest) -> dict[str, Any]:
        said.append(request.messages[-1].content)
        checks = answers.pop(0)
        return {"checklist": [each["text"] for each in checks], "checks": checks}

    shop = workshop(Author(CheckDrafts=drafts))
    drafted = at_desk(shop, "checks", DraftedChecks, lambda desk: write_checks(desk, BUNDLE, SETTLED, TASK))
    assert drafted.checks == of(*CHECKS[LEND])
    assert "already true at the start" in said[1]


def test_checks_that_stay_bad_are_given_up_with_the_reason() -> None:
    def drafts(_: CompletionRequest) -> dict[str, Any]:
        return {"checklist": ["Is it done?"], "checks": [check("Is it finished?", "bool(final_state)")]}

    shop = workshop(Author(CheckDrafts=drafts))
    drafted = at_desk(shop, "checks", DraftedChecks, lambda desk: write_checks(desk, BUNDLE, SETTLED, TASK))
    assert drafted.checks == ()
    assert "checks must have the questions of the checklist, word for word" in drafted.reason


def proven(checks: tuple[Check, ...], solution: list[SolutionCall], author: Author, **settings: Any) -> ProvenScenario:
    shop = workshop(author, **settings)
    return at_desk(shop, "checks", ProvenScenario, lambda desk: prove(desk, BUNDLE, SETTLED, TASK, checks, solution))


def test_good_checks_pass_every_gate_at_once() -> None:
    result = proven(of(*CHECKS[LEND]), SOLUTION, Author())
    assert result.reason == ""
    assert result.mended == 0
    assert result.scenario is not None
    assert result.scenario.difficulty == "easy"
    assert len(result.scenario.guards) == 2


def test_a_weak_check_goes_back_with_the_mutant_that_it_let_pass() -> None:
    said: list[str] = []

    def mend(request: CompletionRequest) -> dict[str, Any]:
        said.append(request.messages[-1].content)
        return {"checks": list(CHECKS[LEND])}

    result = proven(of(WEAK), SOLUTION, Author(CheckChanges=mend))
    assert result.mended == 1
    assert result.scenario is not None
    assert result.scenario.checks == of(*CHECKS[LEND])
    assert "a mutant that no check catches" in said[0]
    assert "neighbour_id is" in said[0]
    assert '3. lend_tool({"tool_id":"T-31","neighbour_id":"N-07","days":3})' in said[0]
    assert "+ loans.LN-105" in said[0]


def test_a_check_that_stays_weak_is_rejected_with_the_mutants() -> None:
    result = proven(of(WEAK), SOLUTION, Author(CheckChanges=lambda _: {"checks": [WEAK]}), mendings=2)
    assert result.scenario is None
    assert result.mended == 2
    assert "a mutant that no check catches: " in result.reason


def test_a_write_that_no_check_notices_is_dropped_when_the_task_does_not_ask_for_it() -> None:
    more = [
        *SOLUTION,
        SolutionCall(name="find_neighbours", arguments={"name": "quinn"}),
        SolutionCall(name="list_loans", arguments={"neighbour_id": "N-20"}),
        SolutionCall(name="return_tool", arguments={"loan_id": "LN-104"}),
    ]
    said: list[str] = []

    def mend(request: CompletionRequest) -> dict[str, Any]:
        said.append(request.messages[-1].content)
        return {"checks": list(CHECKS[LEND]), "not_asked_for": [6]}

    result = proven(of(*CHECKS[LEND]), more, Author(CheckChanges=mend))
    assert result.scenario is not None
    assert list(result.scenario.solution) == SOLUTION
    assert "6. return_tool" in said[0]


def test_guards_stand_for_what_the_solution_leaves_alone() -> None:
    scenario = scenario_of(SETTLED, TASK, of(*CHECKS[LEND]), SOLUTION)
    reached = replay(BUNDLE, SETTLED.start, scenario, SOLUTION)
    guarded = scenario_of(
        SETTLED, TASK, of(*CHECKS[LEND]), SOLUTION, collateral_guards(reached.initial_state, reached.final_state)
    )
    careless = [*SOLUTION, SolutionCall(name="return_tool", arguments={"loan_id": "LN-104"})]
    twice = [
        *SOLUTION,
        SolutionCall(name="lend_tool", arguments={"tool_id": "T-41", "neighbour_id": "N-12", "days": 1}),
    ]
    for calls, expected in ((SOLUTION, [True, True]), (careless, [False, True]), (twice, [False, False])):
        score = replay(BUNDLE, SETTLED.start, guarded, calls).score
        assert score is not None
        assert [guard.passed for guard in score.guards] == expected


def test_checks_that_nobody_has_reviewed_never_run_in_this_process() -> None:
    reviewed = toys.tea_shop()
    assert is_reviewed(reviewed)
    here = check("Is this the process of the library?", f"__import__('os').getpid() == {os.getpid()}")
    scenario = reviewed.scenarios["order-sencha"].model_copy(update={"checks": of(here)})
    score = replay(reviewed, reviewed.start_states["shop"], scenario, ()).score
    assert score is not None
    assert not score.checks[0].passed


def test_what_checks_cannot_put_right_is_rejected_at_once() -> None:
    guessed = [SolutionCall(name="lend_tool", arguments={"tool_id": "T-31", "neighbour_id": "N-07", "days": 3})]
    hidden = tool_shed.SOURCE.replace("found = [dict(row)", 'found = [{"name": row["name"]}')
    bundle = replace(BUNDLE, source=hidden)
    shop = workshop(Author())
    result = at_desk(
        shop,
        "checks",
        ProvenScenario,
        lambda desk: prove(desk, bundle, SETTLED, TASK, of(*CHECKS[LEND]), guessed),
    )
    assert result.scenario is None
    assert result.mended == 0
    assert "T-31" in result.reason
