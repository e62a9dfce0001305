"""Every gate over scenarios catches the defect it is for, and passes where it is not there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from envscaler_gym.bundle import Bundle
from envscaler_gym.quality.reports import GateResult
from envscaler_gym.quality.scenarios.gates import scenario_gates
from envscaler_gym.scenario import Scenario
from tests.quality import ferries
from tests.quality.ferries import BOOK, BOOKED, CANCEL, CANCELLED, DROP, DROPPED, FIND_INES, FIND_OLAF, SEATS, defects
from tests.toys import check, solution

GATES = (
    "start-states",
    "reference-solution",
    "do-nothing",
    "checks-false-at-start",
    "checks-true-at-end",
    "guards",
    "every-write-matters",
    "findable-ids",
    "distinct-scenarios",
    "splits",
)
SOLVED_ALREADY = check('return final_state["ferries"]["F-NN"]["seats"] == 15', "Is the noon boat left alone?")


def results(bundle: Bundle, *, trust: bool = True) -> dict[str, GateResult]:
    found = scenario_gates(bundle, tuple(bundle.scenarios.values()), seed=0, trust=trust)
    return {result.gate: result for result in found}


def of(gate: str, *scenarios: Scenario, **changes: Any) -> GateResult:
    return results(ferries.bundle(*scenarios, **changes))[gate]


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    found = results(ferries.bundle())
    assert tuple(found) == GATES
    assert [result.findings for result in found.values()] == [()] * len(GATES)
    assert [gate for gate, result in found.items() if result.skipped] == ["splits"]
    assert found["reference-solution"].figures == {"scenarios": 1, "scenarios_solved": 1}
    assert found["every-write-matters"].figures == {"writes_left_out": 3}


def test_without_scenarios_every_gate_is_skipped() -> None:
    found = scenario_gates(ferries.bundle(), (), seed=0, trust=True)
    assert tuple(result.gate for result in found) == GATES
    assert all(result.skipped for result in found)


@pytest.mark.parametrize(
    ("tables", "defect", "told"),
    [
        (
            {"ferries": {"F-NN": {"ferry_id": "F-NN", "name": "Noon boat", "seats": "15", "price": 11.5}}},
            "a start state does not fit its types",
            "ferries['F-NN'].seats: ",
        ),
        (
            {"tickets": {"TKT-002": ferries.ticket("TKT-002", "TR-9", "F-PM", 1, 15.5)}},
            "a reference in a start state leads nowhere",
            "tickets['TKT-002'].traveller_id is 'TR-9'",
        ),
        (
            {"tickets": {"TKT-002": ferries.ticket("TKT-020", "TR-3", "F-PM", 1, 15.5)}},
            "a reference in a start state leads nowhere",
            "tickets['TKT-002'].ticket_id is 'TKT-020', not the record's key",
        ),
        (
            {"tickets": {f"TKT-01{n}": ferries.ticket(f"TKT-01{n}", "TR-3", "F-AM", 1, 12.0) for n in range(2)}},
            "a start state breaks a rule",
            "at_most_three_open: TR-3 has 4 open tickets.",
        ),
        (
            {"travellers": {"TR-4": {"traveller_id": "TR-4", "name": ("a", "tuple")}}},
            "a start state is not JSON",
            "travellers['TR-4'].name is ('a', 'tuple')",
        ),
    ],
)
def test_a_start_state_with_something_wrong_in_it(tables: dict[str, Any], defect: str, told: str) -> None:
    result = of("start-states", harbor=ferries.with_state(**tables))
    assert defects(result)[defect] == ["harbor"]
    assert told in next(finding.message for finding in result.findings if finding.defect == defect)


def test_a_start_state_that_cannot_be_loaded() -> None:
    bundle = ferries.with_source("        self.ferries: Dict", "        1 / 0\n        self.ferries: Dict")
    assert defects(results(bundle)["start-states"]) == {"a start state cannot be loaded": ["harbor"]}


@pytest.mark.parametrize(
    ("changes", "defect", "told"),
    [
        (
            {"solution": solution(BOOK, ("cancel_ticket", {"ticket_id": "TKT-006"}), CANCEL, DROP)},
            "a call of the reference solution is refused",
            "call 2 (cancel_ticket) was refused",
        ),
        (
            {"solution": solution(BOOK, ("cancel_ticket", {"ticket": "TKT-001"}), CANCEL, DROP)},
            "a call of the reference solution is refused",
            "required argument 'ticket_id' is missing",
        ),
        (
            {"solution": solution(BOOK, CANCEL)},
            "the reference solution does not score 1.0",
            "it scores 0.5; not passed: \"Is Olaf's open ticket cancelled?\"; 'Is his old one deleted?'",
        ),
        ({"max_steps": 6}, "too few steps for the reference solution", "6 calls"),
        ({"solution": ()}, "unsolved: no reference known", "no reference solution"),
    ],
)
def test_a_reference_solution_that_is_none(changes: dict[str, Any], defect: str, told: str) -> None:
    result = of("reference-solution", ferries.scenario(**changes))
    assert defects(result) == {defect: ["evening-boat"]}
    assert told in result.findings[0].message


def test_steps_that_are_just_enough() -> None:
    assert of("reference-solution", ferries.scenario(max_steps=7)).passed


def test_a_solution_on_which_a_tool_raises() -> None:
    bundle = ferries.with_source("        del self.tickets[ticket_id]\n", '        del self.tickets["TKT-999"]\n')
    result = results(bundle)["reference-solution"]
    assert defects(result) == {"the reference solution fails the environment": ["evening-boat"]}
    assert "ToolFailure" in result.findings[0].message


def test_what_others_left_unsolved_is_noted_only() -> None:
    result = of("reference-solution", ferries.scenario(solution=()), method="imported")
    assert result.passed
    assert [note.defect for note in result.notes] == ["unsolved: no reference known"]


def test_doing_nothing_is_rewarded() -> None:
    found = results(ferries.bundle(ferries.with_checks(BOOKED, SOLVED_ALREADY)))
    assert defects(found["do-nothing"]) == {"do-nothing agent is rewarded": ["evening-boat"]}
    assert found["do-nothing"].figures == {"do_nothing_reward": 0.5}
    assert defects(found["checks-false-at-start"]) == {"check already true at the start": ["evening-boat"]}
    assert found["checks-false-at-start"].figures == {"checks": 2, "checks_true_at_start": 1}
    assert "noon boat" in found["checks-false-at-start"].findings[0].message


def test_a_check_that_is_false_at_the_end() -> None:
    wrong = check('return "TKT-001" not in final_state["tickets"]', "Is it gone?")
    result = of("checks-true-at-end", ferries.with_checks(BOOKED, CANCELLED, SEATS, DROPPED, wrong))
    assert defects(result) == {"check false after the reference solution": ["evening-boat"]}
    assert "'Is it gone?'" in result.findings[0].message


@pytest.mark.parametrize(
    ("body", "defect"),
    [
        ('return "TKT-009" in final_state["tickets"]', "guard violated at the start"),
        (
            'return final_state["tickets"] == initial_state["tickets"]',
            "guard violated after the reference solution",
        ),
    ],
)
def test_a_guard_that_is_violated_by_nothing_wrong(body: str, defect: str) -> None:
    result = of("guards", ferries.scenario(guards=(ferries.OTHERS_KEPT, check(body, "Is it guarded?"))))
    assert "evening-boat" in defects(result)[defect]
    assert result.figures == {"guards": 2}


def test_a_write_that_no_check_asks_for() -> None:
    found = results(ferries.bundle(ferries.with_checks(BOOKED, CANCELLED, SEATS)))
    result = found["every-write-matters"]
    # The old ticket is Olaf's too, so that the check of his open one needs it deleted.
    assert result.passed
    loose = check('return final_state["tickets"]["TKT-001"]["status"] == "cancelled"', "Is it cancelled?")
    result = of("every-write-matters", ferries.with_checks(BOOKED, loose, SEATS))
    assert defects(result) == {"a write that nothing depends on": ["evening-boat"]}
    assert "without call 6 (drop_ticket)" in result.findings[0].message
    program = result.findings[0].example
    compile(program, "example", "exec")
    assert "'cancel_ticket'" in program
    assert "'drop_ticket'" not in program


def test_a_solution_that_only_reads() -> None:
    at_end = check("return True", "Is it over?")
    result = of("every-write-matters", ferries.scenario(checks=(at_end,), solution=solution(("list_ferries", {}))))
    assert defects(result) == {"nothing has to be changed": ["evening-boat"]}


HIDDEN = ('"tickets": tickets}', '"tickets": len(tickets)}')


def test_ids_that_nothing_shows() -> None:
    result = results(ferries.with_source(*HIDDEN))["findable-ids"]
    assert defects(result) == {"an id that cannot be found": ["evening-boat"] * 2}
    assert "call 5 (cancel_ticket) uses 'TKT-001'" in result.findings[0].message


def test_ids_that_the_task_gives() -> None:
    told = ferries.scenario(task="Two seats on the evening boat for Ines. Cancel TKT-001 and delete TKT-004.")
    assert results(ferries.with_source(*HIDDEN, told))["findable-ids"].passed
    asked = ferries.scenario(requests=("Cancel TKT-001.", "And delete TKT-004."))
    assert results(ferries.with_source(*HIDDEN, asked))["findable-ids"].passed


def test_ids_that_the_solution_did_not_look_up_and_an_agent_can() -> None:
    assert of("findable-ids", ferries.scenario(solution=solution(BOOK, CANCEL, DROP))).passed


def test_ids_that_only_a_result_leads_to() -> None:
    by_id = '''\
    def get_traveller(self, traveller_id: str) -> Dict[str, Any]:
        """Show a traveller's tickets."""
        tickets = [dict(t) for t in self.tickets.values() if t["traveller_id"] == traveller_id]
        return {"success": True, "data": tickets}

    def book_ticket('''
    source = ferries.SOURCE.replace(*HIDDEN).replace("    def book_ticket(", by_id)
    bundle = ferries.bundle(source=source)
    tool = bundle.manifest.tools[0].model_copy(update={"name": "get_traveller"})
    manifest = bundle.manifest.model_copy(update={"tools": (*bundle.manifest.tools, tool)})
    assert results(replace(bundle, manifest=manifest))["findable-ids"].passed


def test_ids_of_records_that_the_solution_makes_itself() -> None:
    again = ("cancel_ticket", {"ticket_id": "TKT-007"})
    done = check(
        'return any(k not in initial_state["tickets"] and t["status"] == "cancelled" '
        'for k, t in final_state["tickets"].items())'
    )
    assert of("findable-ids", ferries.scenario(checks=(done,), solution=solution(FIND_INES, BOOK, again))).passed


def test_scenarios_that_are_equal() -> None:
    again = ferries.scenario(id="again", task=ferries.SCENARIO.task.replace(" ", "\n"))
    other = ferries.scenario(id="other", task="Something else.")
    result = of("distinct-scenarios", ferries.SCENARIO, again, other)
    assert defects(result) == {"equal scenarios": ["again"]}
    assert "'evening-boat'" in result.findings[0].message
    assert of("distinct-scenarios", ferries.SCENARIO, other).passed


def test_splits_that_share_a_start_state() -> None:
    test = ferries.scenario(id="test", split="test")
    copied = ferries.scenario(id="copied", split="test", start_state="copy")
    fresh = ferries.scenario(id="fresh", split="test", start_state="fresh")
    states: dict[str, Any] = {
        "copy": ferries.HARBOR,
        "fresh": ferries.with_state(travellers={"TR-4": {"traveller_id": "TR-4", "name": "Aya Mori"}}),
    }
    result = of("splits", ferries.SCENARIO, test, copied, fresh, **states)
    assert defects(result) == {"train and test share a start state": ["test", "copied"]}
    result = of("splits", ferries.SCENARIO, fresh, **states)
    assert result.passed
    assert not result.skipped
    assert of("splits", ferries.SCENARIO, test, method="imported").skipped


def test_unreviewed_code_is_tried_in_a_worker_and_found_to_be_the_same() -> None:
    planted = (
        ferries.with_checks(BOOKED, SOLVED_ALREADY),
        ferries.scenario(id="guarded", guards=(SOLVED_ALREADY, DROPPED)),
        ferries.scenario(id="refused", solution=solution(FIND_OLAF, DROP, DROP)),
    )
    bundle = ferries.bundle(*planted, harbor=ferries.with_state(travellers={"TR-5": {"traveller_id": "TR-6"}}))
    assert results(bundle, trust=False) == results(bundle)
    assert sum(len(result.findings) for result in results(bundle).values()) > 5
