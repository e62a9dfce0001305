"""Tasks that a model writes are looked at, tried by a solver in the real world, and shipped when they are solved."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from envscaler_gym.checks import Check
from envscaler_gym.errors import MissingCompletion
from envscaler_gym.llm.model import CompletionRequest
from envscaler_gym.scenario import DIFFICULTIES, Scenario, SolutionCall
from envscaler_gym.synthesis.scenarios import GeneratedScenarios
from envscaler_gym.synthesis.scenarios.artefacts import SettledState, SolvedTask, Task, TaskList
from envscaler_gym.synthesis.scenarios.generation import generate_scenarios
from envscaler_gym.synthesis.scenarios.replaying import replay
from envscaler_gym.synthesis.scenarios.solutions import needed_calls, successful_calls
from envscaler_gym.synthesis.scenarios.solver import solve
from envscaler_gym.synthesis.scenarios.tasks import task_problems, write_tasks
from envscaler_gym.synthesis.scenarios.written import scenario_of
from tests.synthesis import shed_author, tool_shed
from tests.synthesis.shed_author import BOTH, LEND, RETURN, Author, at_desk, call, text_of, workshop

BUNDLE = tool_shed.bundle(mill=tool_shed.state())
SETTLED = SettledState(BUNDLE.start_states["mill"], tool_shed.CLOCK, "train", "sha256:0")


def task(text: str, **fields: Any) -> Task:
    return Task.model_validate(shed_author.task("some-task", text, **fields))


def checks(text: str) -> tuple[Check, ...]:
    return tuple(Check.model_validate(each) for each in shed_author.CHECKS[text])


SLIPS = {
    "id": (task("Please take back the loan LN-104 of Cleo Quinn, all is well."), "names the record 'LN-104' by its id"),
    "id in a request": (task(LEND, requests=[LEND, "N-07, that is."]), "names the record 'N-07' by its id"),
    "tool": (task("Ada Byrne wants the trimmer for three days: lend_tool should do it."), "names the tool 'lend_tool'"),
    "short": (task("Lend it to Ada."), "the task has 15 characters"),
    "number lost": (task(f"{LEND} It is for 12 Mill Lane.", requests=[LEND]), "requests leave out 12"),
    "no such id": (task(LEND, known_ids=["LN-104"]), "known_ids lists 'LN-104', which does not stand in the task"),
    "id in a fact": (task(LEND, facts={"who": "I am N-07."}), "names the record 'N-07' by its id"),
    "slug": (task(LEND).model_copy(update={"id": "Some Task"}), "the id 'Some Task' must be"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_each_slip_of_a_task_is_named(slip: str) -> None:
    faulty, expected = SLIPS[slip]
    assert expected in "\n".join(task_problems(BUNDLE, SETTLED.start.state, faulty))


@pytest.mark.parametrize(
    "fine", [task(LEND), task("The slip here says LN-104, Cleo Quinn is done with it.", known_ids=["LN-104"])]
)
def test_tasks_of_people_are_fine(fine: Task) -> None:
    assert task_problems(BUNDLE, SETTLED.start.state, fine) == []


def test_faulty_tasks_alone_go_back_and_are_mended() -> None:
    shown: list[str] = []

    def drafts(request: CompletionRequest) -> dict[str, Any]:
        if "cannot be used as they are" not in request.messages[-1].content:
            twin = shed_author.task("lend-again", LEND.replace("would like", "would love"))
            return {
                "tasks": [shed_author.TASKS[0], twin, shed_author.task("open", "Take back LN-104 from Cleo Quinn.")]
            }
        shown.append(request.messages[-1].content.partition("as they are:")[2])
        return {"tasks": [shed_author.TASKS[1], shed_author.TASKS[2]]}

    shop = workshop(Author(TaskDrafts=drafts))
    listed = at_desk(shop, "tasks", TaskList, lambda desk: write_tasks(desk, BUNDLE, SETTLED, ["easy"] * 3))
    assert [each.task for each in listed.tasks] == [LEND, RETURN, BOTH]
    assert listed.rejected == ()
    assert len(shown) == 1
    assert "says nearly the same as: Ada Byrne" in shown[0]
    assert "names the record 'LN-104' by its id" in shown[0]
    assert "lend-trimmer" not in shown[0]


def test_tasks_that_stay_faulty_are_rejected_and_the_others_kept() -> None:
    faulty = shed_author.task("open", "Take back LN-104 from Cleo Quinn, please.")

    def drafts(request: CompletionRequest) -> dict[str, Any]:
        again = "cannot be used as they are" in request.messages[-1].content
        return {"tasks": [faulty] if again else [shed_author.TASKS[0], faulty]}

    shop = workshop(Author(TaskDrafts=drafts), mendings=1)
    listed = at_desk(shop, "tasks", TaskList, lambda desk: write_tasks(desk, BUNDLE, SETTLED, ["easy"] * 2))
    assert [each.id for each in listed.tasks] == ["lend-trimmer"]
    (rejection,) = listed.rejected
    assert (rejection.kind, rejection.subject) == ("task", "open")
    assert rejection.reason.startswith("names the record 'LN-104' by its id")


def solved(turns: list[list[dict[str, Any]]], text: str = LEND, **settings: Any) -> tuple[SolvedTask, list[Any]]:
    def turn(request: CompletionRequest) -> dict[str, Any]:
        number = len(request.messages) // 2 - 1
        return {"calls": turns[number]} if number < len(turns) else {"done": True}

    shop = workshop(Author(SolverTurn=turn), **settings)
    result = at_desk(shop, "solver", SolvedTask, lambda desk: solve(desk, BUNDLE, SETTLED, task(text), checks(text)))
    return result, shop.model.requests  # type: ignore[attr-defined]


def test_a_success_becomes_the_solution_without_what_failed_or_led_nowhere() -> None:
    result, requests = solved(shed_author.TURNS[LEND])
    assert [(each.name, each.arguments) for each in result.solution] == [
        ("find_tools", {"name": "trimmer"}),
        ("find_neighbours", {"name": "ada"}),
        ("lend_tool", {"tool_id": "T-31", "neighbour_id": "N-07", "days": 3}),
    ]
    assert result.tries == 1
    # The solver saw what the tools said, a refusal among it, and neither checks nor state.
    last = shed_author.text_of(requests[-1])
    assert '1. lend_tool: {"success":false,"error":"The tool is not on the shelf."}' in last
    assert "check_func" not in last
    assert "Dov Stern" not in last


def test_an_unsolved_task_says_what_was_missing_in_each_try() -> None:
    wrong = [[call("lend_tool", tool_id="T-31", neighbour_id="N-12", days=3)]]
    result, requests = solved(wrong, solver_tries=2)
    assert result.solution == ()
    assert result.reason == (
        "try 1: 1 of 2 checks passed; not: Is the hedge trimmer lent to Ada Byrne until 8 May 2025?; "
        "try 2: 1 of 2 checks passed; not: Is the hedge trimmer lent to Ada Byrne until 8 May 2025?"
    )
    assert len({request.digest for request in requests}) == len(requests) == 4


def test_a_solver_that_never_ends_is_stopped() -> None:
    endless = [[call("find_tools", name="saw")]] * 50
    result, requests = solved(endless, solver_tries=1, solver_turns=3)
    assert result.solution == ()
    assert len(requests) == 3


def test_a_success_that_needs_a_refused_call_is_none() -> None:
    careless = tool_shed.SOURCE.replace(
        '            return {"success": False, "error": "There is no such open loan."}',
        '            self.tools["T-55"]["status"] = "on_shelf"\n'
        '            return {"success": False, "error": "There is no such open loan."}',
    )
    calls = [call("return_tool", loan_id="LN-999"), call("lend_tool", tool_id="T-55", neighbour_id="N-07", days=3)]
    lent = Check.model_validate(
        shed_author.check("Is the sander lent?", "final_state['tools']['T-55']['status'] == 'lent'")
    )
    shop = workshop(Author(SolverTurn=lambda _: {"calls": calls, "done": True}), solver_tries=1)
    result = at_desk(
        shop,
        "solver",
        SolvedTask,
        lambda desk: solve(desk, replace(BUNDLE, source=careless), SETTLED, task(LEND), [lent]),
    )
    assert result.solution == ()
    assert result.reason == "try 1: passes only because of calls that were refused"


def test_calls_that_no_tool_takes_are_answered() -> None:
    odd = [[call("lend", tool="x"), call("lend_tool", tool_id=3)], *shed_author.TURNS[LEND]]
    result, requests = solved(odd)
    assert [each.name for each in result.solution] == ["find_tools", "find_neighbours", "lend_tool"]
    assert "Unknown tool 'lend'" in shed_author.text_of(requests[1])


def test_queries_stay_only_where_a_later_call_uses_what_they_show() -> None:
    calls = [
        SolutionCall(name=name, arguments=arguments)
        for name, arguments in (
            ("find_tools", {"name": "saw"}),
            ("find_neighbours", {"name": "okafor"}),
            ("find_neighbours", {"name": "ben"}),
            ("list_loans", {"neighbour_id": "N-11"}),
            ("return_tool", {"loan_id": "LN-101", "broken": True}),
            ("list_loans", {"neighbour_id": "N-11"}),
        )
    ]
    reached = replay(BUNDLE, SETTLED.start, scenario_of(SETTLED, task(RETURN), checks(RETURN)), calls)
    assert reached.solved
    needed = needed_calls(BUNDLE.tools, RETURN, *successful_calls(calls, reached.turns))
    assert needed == (calls[1], calls[3], calls[4])
    told = needed_calls(BUNDLE.tools, f"{RETURN} It is LN-101.", *successful_calls(calls, reached.turns))
    assert told == (calls[4],)


def generated(author: Author, **settings: Any) -> GeneratedScenarios:
    shop = workshop(author, start_states=1, written=1.0, rewrite=False, **settings)
    return asyncio.run(generate_scenarios(shop, "tool_shed", tool_shed.bundle()))


def test_unsolved_tasks_are_reported_and_the_others_shipped() -> None:
    author = Author()

    def turn(request: CompletionRequest) -> Any:
        return {"done": True} if author.topic(request) == RETURN else author.turn(request)

    author.answers["SolverTurn"] = turn
    result = generated(author, scenarios=3, solver_tries=2)
    written = [scenario for scenario in result.scenarios.values() if not scenario.id.startswith("grown")]
    assert [scenario.task for scenario in written] == [LEND, BOTH]
    (rejection,) = [each for each in result.rejected if each.kind == "task"]
    assert rejection.subject == "broken-saw"
    assert rejection.reason.startswith("not solved: try 1: 0 of 2 checks passed; not: Is Ben Okafor's loan")


def test_the_same_answers_give_the_same_scenarios() -> None:
    first, second = (generated(Author(), scenarios=3) for _ in range(2))
    assert first.scenarios == second.scenarios
    assert [each.digest for each in first.artefacts] == [each.digest for each in second.artefacts]


def test_an_environment_with_scenarios_keeps_them_and_gets_more_in_the_same_start_states() -> None:
    had = Scenario(id="lend-trimmer", start_state="mill", task="Look.", clock="2025-05-05T10:00:00", split="test")
    bundle = replace(BUNDLE, scenarios={had.id: had})
    shop = workshop(Author(), written=1.0, scenarios=3, rewrite=False)
    result = asyncio.run(generate_scenarios(shop, "tool_shed", bundle))
    written = [scenario for scenario in result.scenarios.values() if scenario.id.partition("-")[0] != "grown"]
    assert [scenario.id for scenario in written] == [
        "lend-trimmer",
        "lend-trimmer-2",
        "broken-saw",
        "barrow-for-ladder",
    ]
    assert result.scenarios["lend-trimmer"] == had
    assert {(scenario.start_state, scenario.split, scenario.clock) for scenario in written} == {
        ("mill", "test", "2025-05-05T10:00:00")
    }
    assert "StateDraft" not in {shed_author.asked(request) for request in shop.model.requests}  # type: ignore[attr-defined]


def test_requests_that_nobody_would_make_are_replaced() -> None:
    objected: list[str] = []

    def rewording(request: CompletionRequest) -> Any:
        answer: Any = Author().rewording(request)
        if not objected:
            objected.append(answer["task"].removeprefix("Hello! "))
            return answer | {"objection": "Nobody would."}
        return answer

    shop = workshop(Author(Rewording=rewording), start_states=1, written=0.0, scenarios=4)
    result = asyncio.run(generate_scenarios(shop, "tool_shed", tool_shed.bundle()))
    assert len(result.scenarios) == 4
    assert objected[0] not in {scenario.task.removeprefix("Hello! ") for scenario in result.scenarios.values()}
    (rejection,) = [each for each in result.rejected if each.reason.startswith("objected to")]
    assert (rejection.kind, rejection.reason) == ("grown scenario", "objected to: Nobody would.")


@pytest.mark.parametrize("states", [2, 3, 4])
def test_every_start_state_gets_every_difficulty_in_its_turn(states: int) -> None:
    asked: list[str] = []

    def none(request: CompletionRequest) -> Any:
        asked.append(text_of(request).partition("in this order: ")[2].partition(".")[0])
        return MissingCompletion("that is enough")

    def another(request: CompletionRequest) -> Any:
        street = text_of(request).partition("Setting: ")[2].partition("\n")[0]
        return {"id": f"street-{len(street)}", "clock": tool_shed.CLOCK, "state": tool_shed.state(street)}

    author = Author(TaskDrafts=none, StateDraft=another)
    shop = workshop(author, start_states=states, written=1.0, scenarios=4 * states)
    with pytest.raises(MissingCompletion, match="that is enough"):
        asyncio.run(generate_scenarios(shop, "tool_shed", tool_shed.bundle()))
    order = [*DIFFICULTIES, *DIFFICULTIES]
    assert sorted(asked) == sorted(", ".join(order[first : first + 4]) for first in range(states))


def test_a_start_state_that_holds_the_same_as_another_is_rejected() -> None:
    def same(_: CompletionRequest) -> Any:
        return {"id": "mill-lane", "clock": tool_shed.CLOCK, "state": tool_shed.state()}

    shop = workshop(Author(StateDraft=same), start_states=2, written=1.0, scenarios=1, rewrite=False)
    result = asyncio.run(generate_scenarios(shop, "tool_shed", tool_shed.bundle()))
    assert list(result.start_states) == ["mill-lane"]
    assert [(each.kind, each.subject, each.reason) for each in result.rejected] == [
        ("start state", "mill-lane", "it holds the same as mill-lane")
    ]
