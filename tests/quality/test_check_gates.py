"""The gates over checks catch weak ones and fragile ones, and pass those that are neither."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import Check
from envscaler_gym.quality.checks.gates import check_gates
from envscaler_gym.quality.reports import GateResult
from envscaler_gym.quality.scenarios.rehearsal import Rehearsal
from envscaler_gym.scenario import Scenario
from tests.quality import ferries
from tests.quality.ferries import BOOK, BOOKED, CANCEL, CANCELLED, DROP, DROPPED, NEW_TICKETS, SEATS, defects
from tests.toys import check, solution

GATES = ("checks-run", "check-mutants", "equivalent-states-pass", "collateral")
EQUIVALENT = "equivalent-states-pass"
ALL = (BOOKED, CANCELLED, SEATS, DROPPED)


def results(bundle: Bundle, *, trust: bool = True, **options: Any) -> dict[str, GateResult]:
    found = check_gates(bundle, tuple(bundle.scenarios.values()), seed=0, trust=trust, **options)
    return {result.gate: result for result in found}


def of(gate: str, *scenarios: Scenario, **changes: Any) -> GateResult:
    return results(ferries.bundle(*scenarios, **changes))[gate]


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    found = results(ferries.bundle())
    assert tuple(found) == GATES
    assert [(result.findings, result.notes, result.skipped) for result in found.values()] == [((), (), "")] * 4
    figures = found["check-mutants"].figures
    assert figures["mutants"] == figures["mutants_killed"] > 25
    assert figures["kill_rate"] == 1.0


def test_what_is_not_solved_cannot_be_mutated() -> None:
    for unsolved in (ferries.scenario(solution=()), ferries.scenario(solution=solution(BOOK))):
        found = results(ferries.bundle(unsolved))
        assert [gate for gate in GATES if found[gate].skipped] == list(GATES[1:])
        assert all(result.passed for result in found.values())


# --- checks-run -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ('return final_state["tickets"]["TKT-007"]["seats"] == 2', "at the start"),
        ('return "TKT-007" not in final_state["tickets"] or final_state["boats"] == {}', "after the solution"),
        ('return "TKT-007" in final_state["tickets"] and final_state["tickets"]["TKT-001"] != {}', "on a mutant"),
        ('return final_state["tickets"].get("TKT-007")', "after the solution"),
    ],
)
def test_a_check_that_does_not_answer(body: str, where: str) -> None:
    result = of("checks-run", ferries.scenario(guards=(check(body, "What about it?"),)))
    assert defects(result)[f"a check has no answer {where}"] == ["evening-boat"]
    assert any(f"'What about it?' has no answer {where}: " in finding.message for finding in result.findings)


def test_a_scenario_without_checks() -> None:
    ungraded = ferries.scenario(checks=None)
    assert defects(of("checks-run", ungraded)) == {"no checks": ["evening-boat"]}
    imported = of("checks-run", ungraded, method="imported")
    assert imported.passed
    assert [note.defect for note in imported.notes] == ["no checks"]


def test_a_check_that_hangs_in_its_worker() -> None:
    hanging = check('while "TKT-001" in final_state["tickets"]:\n    pass\nreturn False', "When?")
    bundle = ferries.bundle(ferries.with_checks(*ALL, hanging))
    result = results(bundle, trust=False)["checks-run"]
    assert defects(result) == {"the environment fails while its checks are tried": ["evening-boat"]}
    assert "WorkerTimeout" in result.findings[0].message


# --- check-mutants ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("checks", "survivor"),
    [
        ((CANCELLED, SEATS, DROPPED), "missing record: tickets['TKT-007'] is None instead of {"),
        ((CANCELLED, SEATS, DROPPED), "record twice: tickets['TKT-507'] is {"),
        ((CANCELLED, SEATS, DROPPED), "other value: tickets['TKT-007'].seats is 3 instead of 2"),
        ((CANCELLED, SEATS, DROPPED), "other value: tickets['TKT-007'].status is 'boarded' instead of 'open'"),
        ((CANCELLED, SEATS, DROPPED), "swapped reference: tickets['TKT-007'].ferry_id is 'F-NN' instead of 'F-PM'"),
        ((BOOKED, SEATS, DROPPED), "put back: tickets['TKT-001'].status is 'open' instead of 'cancelled'"),
        ((BOOKED, SEATS, DROPPED), "neighbour changed instead: tickets['TKT-001'] is 'TKT-002' instead of 'TKT-001'"),
        ((BOOKED, CANCELLED, DROPPED), "put back: ferries['F-PM'].seats is 8 instead of 6"),
        ((BOOKED, CANCELLED, DROPPED), "other value: ferries['F-AM'].seats is 23 instead of 22"),
        ((BOOKED, SEATS), "record still there: tickets['TKT-004'] is {"),
        ((BOOKED, SEATS), "neighbour removed instead: tickets['TKT-004'] is 'TKT-005' instead of None"),
    ],
)
def test_a_mutant_that_no_check_catches(checks: tuple[Check, ...], survivor: str) -> None:
    result = of("check-mutants", ferries.with_checks(*checks))
    assert set(defects(result)) == {"a mutant that no check catches"}
    assert any(finding.message.startswith(survivor) for finding in result.findings)
    assert all(finding.message.endswith(", and every check passes") for finding in result.findings)
    assert result.figures["mutants_killed"] == result.figures["mutants"] - len(result.findings)
    assert result.figures["kill_rate"] < 0.95


def test_the_share_of_mutants_to_catch_can_be_set() -> None:
    weak = ferries.bundle(ferries.with_checks(BOOKED, SEATS, DROPPED))
    failed = results(weak)["check-mutants"]
    passed = results(weak, kill_rate=0.5)["check-mutants"]
    assert passed.passed
    assert passed.notes == failed.findings
    assert passed.figures == failed.figures


# --- equivalent-states-pass -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "defect"),
    [
        (
            'return list(final_state["tickets"])[-1] not in initial_state["tickets"]',
            "a check depends on the order of keys",
        ),
        (
            NEW_TICKETS + 'return [str(total) for _, _, _, total, _, _ in got] == ["31.0"]',
            "a check tells 1 from 1.0",
        ),
        ('return "TKT-007" in final_state["tickets"]', "a check depends on a generated id"),
        (
            'return any(t["booked_at"] == "2025-09-01T09:00:03" for t in final_state["tickets"].values())',
            "the solution works at one time only",
        ),
    ],
)
def test_a_check_that_depends_on_what_nobody_asked_for(body: str, defect: str) -> None:
    result = of(EQUIVALENT, ferries.with_checks(*ALL, check(body, "Is it just so?")))
    assert defects(result)[defect] == ["evening-boat"]
    finding = next(finding for finding in result.findings if finding.defect == defect)
    assert finding.message == "the score is 0.8; not passed: 'Is it just so?'"


RANDOM_IDS = ferries.SOURCE.replace(
    'f"TKT-{len(self.tickets) + 1:03}"', '"TKT-" + str(random.randrange(100, 1000))'
).replace("from datetime", "import random\nfrom datetime")


def test_ids_that_are_drawn() -> None:
    """Also where the solution goes on to use one of them, which another seed makes another."""
    scenario = ferries.scenario()
    with Rehearsal(ferries.bundle(source=RANDOM_IDS), seed=0, trust=True) as rehearsal:
        [(_, key)] = rehearsal.play(scenario).steps[2].created
    cancelled = check(
        'return [t["status"] for k, t in final_state["tickets"].items() if k not in initial_state["tickets"]] '
        '== ["cancelled"]'
    )
    again = ("cancel_ticket", {"ticket_id": key})
    used = ferries.scenario(checks=(cancelled,), solution=solution(BOOK, again))
    assert of(EQUIVALENT, used, source=RANDOM_IDS).passed
    by_key = check(f'return "{key}" in final_state["tickets"]')
    found = defects(of(EQUIVALENT, ferries.with_checks(*ALL, by_key), source=RANDOM_IDS))
    assert set(found) == {"the solution works for one seed only", "a check depends on a generated id"}


def test_a_solution_that_another_seed_refuses() -> None:
    source = ferries.SOURCE.replace("if not 0 < seats", "if random.random() < 0.7 or not 0 < seats")
    source = source.replace("from datetime", "import random\nfrom datetime")
    bundle = ferries.bundle(source=source)
    seeds = [seed for seed in range(20) if not _refused(bundle, seed)]
    found = {seed: check_gates(bundle, (ferries.SCENARIO,), seed=seed, trust=True)[2] for seed in seeds[:3]}
    messages = [finding.message for result in found.values() for finding in result.findings]
    assert any(message.startswith("call 3 (book_ticket) was refused") for message in messages)


def _refused(bundle: Bundle, seed: int) -> bool:
    with Rehearsal(bundle, seed=seed, trust=True) as rehearsal:
        return bool(rehearsal.play(ferries.SCENARIO).refused)


def test_a_read_that_spoils_the_solution() -> None:
    spoiling = ferries.with_source(
        '        """List the ferries."""\n',
        '        """List the ferries."""\n        self.ferries["F-NN"]["seats"] -= 1\n',
        ferries.with_checks(
            BOOKED,
            CANCELLED,
            DROPPED,
            check('return [f["seats"] for f in final_state["ferries"].values()][1:2] == [14]'),
        ),
    )
    assert set(defects(results(spoiling)[EQUIVALENT])) == {"a read before the solution spoils it"}


TWO = solution(BOOK, ("book_ticket", {"traveller_id": "TR-2", "ferry_id": "F-NN", "seats": 1}), CANCEL)
TWO_BOOKED = check(NEW_TICKETS + 'return sorted(t[:3] for t in got) == [("TR-1", "F-PM", 2), ("TR-2", "F-NN", 1)]')
FIRST_BOOKED = check(
    'new = [t for k, t in sorted(final_state["tickets"].items()) if k not in initial_state["tickets"]]\n'
    'return len(new) == 2 and new[0]["ferry_id"] == "F-PM"',
    "Was the evening boat booked first?",
)
TIMELESS = ferries.SOURCE.replace('datetime.now().isoformat(timespec="seconds")', '"today"')


def test_records_made_in_another_order() -> None:
    defect = "a check depends on the order of independent calls"
    loose = ferries.scenario(checks=(TWO_BOOKED,), solution=TWO)
    strict = ferries.scenario(checks=(TWO_BOOKED, FIRST_BOOKED), solution=TWO)
    assert defects(of(EQUIVALENT, loose, source=TIMELESS)) == {}
    assert defects(of(EQUIVALENT, strict, source=TIMELESS)) == {defect: ["evening-boat"]}
    timed = of(EQUIVALENT, strict)  # each ticket says when it was booked, and perhaps the task cares
    assert timed.passed
    assert [note.defect for note in timed.notes] == [defect]
    assert of(EQUIVALENT, loose).notes == ()


# --- collateral -------------------------------------------------------------------------------------------------------


def test_what_guards_notice_is_measured() -> None:
    guarded = of("collateral", ferries.SCENARIO).figures
    alone = of("collateral", ferries.scenario(guards=())).figures
    assert guarded["collateral_damages"] == alone["collateral_damages"] > 10
    assert guarded["collateral_noticed_by_guards"] > 0.5
    assert alone["collateral_noticed_by_guards"] == 0
    assert guarded["collateral_noticed_by_checks"] == alone["collateral_noticed_by_checks"] < 1


@pytest.mark.parametrize(
    ("body", "idle"),
    [
        ('return len(final_state) == 3 and "TKT-006" in initial_state["tickets"]', True),
        ('return final_state["ferries"]["F-AM"]["name"] == "Morning boat"', False),
        ('return final_state["tickets"].get("TKT-002", {}).get("note") is None', False),
        ('return not any(t["ferry_id"] == "F-NN" for k, t in final_state["tickets"].items() if k > "TKT-007")', False),
    ],
)
def test_a_guard_that_guards_nothing(body: str, idle: bool) -> None:
    result = of("collateral", ferries.scenario(guards=(ferries.OTHERS_KEPT, check(body, "Is it guarded?"))))
    expected = {"a guard that no damage violates": ["evening-boat"]} if idle else {}
    assert defects(result) == expected


def test_a_guard_over_records_of_which_there_are_none() -> None:
    state = ferries.HARBOR | {"tickets": {"TKT-004": ferries.ticket("TKT-004", "TR-2", "F-NN", 3, 11.5, "cancelled")}}
    gone = check('return "TKT-004" not in final_state["tickets"]')
    none_made = check('return not [t for t in final_state["tickets"].values() if t["ferry_id"] == "F-AM"]')
    scenario = ferries.scenario(checks=(gone,), guards=(none_made,), solution=solution(DROP))
    result = of("collateral", scenario, harbor=state)
    assert result.passed
    assert result.figures["collateral_noticed_by_guards"] == 0


# --- all of them ------------------------------------------------------------------------------------------------------

WEAK = (
    ferries.with_checks(BOOKED, SEATS, DROPPED, check('return "TKT-007" in final_state["tickets"]')),
    ferries.scenario(id="fragile", guards=(check('return final_state["tickets"]["TKT-001"]["seats"] == 2'),)),
)


def test_unreviewed_code_is_tried_in_a_worker_and_found_to_be_the_same() -> None:
    bundle = ferries.bundle(*WEAK)
    assert results(bundle, trust=False) == results(bundle)
    assert {gate for gate, result in results(bundle).items() if not result.passed} >= {"checks-run", EQUIVALENT}


def test_equal_seeds_give_equal_results_in_any_process(run_python: Callable[..., str]) -> None:
    code = (
        "from tests.quality import ferries, test_check_gates\n"
        "from envscaler_gym.quality.checks.gates import check_gates\n"
        "from envscaler_gym.quality.scenarios.gates import scenario_gates\n"
        "from envscaler_gym.quality.rules.gate import invariant_gate\n"
        "bundle = ferries.bundle(*test_check_gates.WEAK)\n"
        "scenarios = tuple(bundle.scenarios.values())\n"
        "for gates in (check_gates, scenario_gates):\n"
        "    print(*[result.model_dump_json() for result in gates(bundle, scenarios, seed=3, trust=True)])\n"
        "print(invariant_gate(bundle, seed=3, trust=True).model_dump_json())\n"
    )
    first = run_python(code, PYTHONHASHSEED="1")
    assert first == run_python(code, PYTHONHASHSEED="2")
    assert "a mutant that no check catches" in first


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    bundle = ferries.bundle(*WEAK)
    check_gates(bundle, tuple(bundle.scenarios.values()), seed=0, trust=True, on_progress=lambda *now: told.append(now))
    assert told == [("checks", 0, 2), ("checks", 1, 2)]
