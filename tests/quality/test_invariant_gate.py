"""Invariants are shown to fail; those that never do, or that fail where nothing is wrong, are found."""

from __future__ import annotations

from typing import Any

import pytest

from envscaler_gym.bundle import Bundle
from envscaler_gym.quality.reports import GateResult
from envscaler_gym.quality.rules.corruptions import double_corruptions, simple_corruptions
from envscaler_gym.quality.rules.gate import invariant_gate
from envscaler_gym.quality.scenarios.records import Records
from envscaler_gym.state import canonical_json, copy_state
from tests.quality import ferries
from tests.quality.ferries import INVARIANTS, RULES, defects
from tests.toys import solution

RULE = "Boats are boats."


def gate(*, trust: bool = True, **changes: Any) -> GateResult:
    return invariant_gate(ferries.bundle(**changes), seed=0, trust=trust)


def one_more(body: str, rule: str = RULE) -> dict[str, Any]:
    """Return what makes a bundle with one more invariant."""
    function = f'\n\ndef boats_are_boats(state):\n    """{rule}"""\n    {body}\n'
    return {"invariants": INVARIANTS + function, "rules": (*RULES, RULE)}


def test_invariants_with_teeth_pass_and_what_broke_them_is_told() -> None:
    result = gate()
    assert result.passed
    assert result.figures["invariants"] == 3
    assert [note.subject for note in result.notes] == ["references_resolve", "totals_add_up", "at_most_three_open"]
    assert all(": " in note.message for note in result.notes)


def test_without_invariants_there_is_nothing_to_try() -> None:
    assert gate(invariants=None).skipped


@pytest.mark.parametrize(
    "body",
    [
        "return []",
        'return [] if state["ferries"] is not None else ["No boats."]',
        'return [key for key, ticket in state["tickets"].items() if ticket["seats"] == 123456789]',
        'return [f"{1 / 0}" for key, ticket in state["tickets"].items() if ticket["seats"] < 0]',  # it only raises
    ],
)
def test_an_invariant_that_nothing_breaks(body: str) -> None:
    result = gate(**one_more(body))
    assert defects(result) == {"vacuous invariant": ["boats_are_boats"]}
    assert result.findings[0].message == f"it holds in each of {result.figures['corruptions']} corrupted states"


@pytest.mark.parametrize(
    "body",
    [
        'return [k for k, f in state["ferries"].items() if f["seats"] < 0]',
        'return [k for k, f in state["ferries"].items() if f["price"] >= 1000000]',
        'return [k for k, f in state["ferries"].items() if f["ferry_id"] != k]',
        'return [] if "F-PM" in state["ferries"] else ["No evening boat."]',
        'return [] if len(state["ferries"]) >= 3 else ["Too few."]',
        'return [] if len({t["name"].lower() for t in state["travellers"].values()}) == 3 else ["One of them twice."]',
        'return [k for k, t in state["tickets"].items() if t["note"] is not None]',
        'return [k for k, t in state["tickets"].items() if not t["booked_at"]]',
        'return [k for k, t in state["tickets"].items() if t["booked_at"] > "2025-09-20"]',
        'return [k for k, t in state["tickets"].items() if t["status"] not in ("open", "boarded", "cancelled")]',
        'return [] if len(state["tickets"]) < 9 else ["Too many."]',
        # Two things at once, in one record and in one that it refers to.
        'return [k for k, t in state["tickets"].items() if t["status"] == "boarded" and t["note"] and t["seats"] == 1]',
        'return [k for k, t in state["tickets"].items() if t["note"] and not state["ferries"][t["ferry_id"]]["seats"]]',
    ],
)
def test_an_invariant_that_some_corruption_breaks(body: str) -> None:
    assert gate(**one_more(body)).passed


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('return ["Ines is there."] if "TR-1" in state["travellers"] else []', "start state 'harbor': Ines is there."),
        ('return ["It is."] if "TKT-007" in state["tickets"] else []', "the end of 'evening-boat': It is."),
        ('return [] if state["boats"] else ["!"]', "start state 'harbor': raised KeyError"),
    ],
)
def test_an_invariant_that_fails_where_nothing_is_wrong(body: str, told: str) -> None:
    result = gate(**one_more(body))
    assert defects(result)["an invariant fails where nothing is wrong"] == ["boats_are_boats"]
    assert told in result.findings[0].message


def test_every_rule_has_an_invariant_and_every_invariant_a_rule() -> None:
    result = gate(rules=(*RULES, RULE))
    assert defects(result) == {"rule without an invariant": ["toys/Ferries-v0"]}
    assert RULE in result.findings[0].message
    result = gate(**one_more('return [k for k in state["ferries"] if k == "nobody"]', "Ferries are boats."))
    assert defects(result)["rule without an invariant"] == ["toys/Ferries-v0"]
    assert defects(result)["invariant without a rule"] == ["boats_are_boats"]
    assert gate(**one_more('return [] if "F-PM" in state["ferries"] else ["!"]')).passed


def test_invariants_that_cannot_be_run() -> None:
    assert defects(gate(invariants="1 / 0")) == {"the invariants cannot be run": ["toys/Ferries-v0"]}


def test_a_solution_that_cannot_be_played_is_left_to_other_gates() -> None:
    raising = ferries.SOURCE.replace("del self.tickets[ticket_id]", "del self.tickets[0]")
    result = invariant_gate(ferries.bundle(source=raising), seed=0, trust=True)
    assert result.passed
    assert result.figures["invariants"] == 3


def test_unreviewed_invariants_are_tried_in_a_worker_and_found_to_be_the_same() -> None:
    for changes in ({}, one_more("return []"), one_more("return state['boats']")):
        assert gate(trust=False, **changes) == gate(**changes)


def test_corruptions_leave_the_state_alone_and_differ_from_it() -> None:
    bundle = ferries.bundle()
    state = bundle.start_states["harbor"].state
    before = copy_state(dict(state))
    records = Records(bundle)
    simple = list(simple_corruptions(state, records))
    double = list(double_corruptions(state, records))
    assert state == before
    assert 300 < len(simple) < 3000
    assert len(double) > len(simple)
    unchanged = [corruption.what for corruption in (*simple, *double) if corruption.state == before]
    assert all(what.startswith("all ") for what in unchanged)  # what all have already
    for corruption in simple:
        canonical_json(corruption.state)


def test_corruptions_of_what_is_no_table_of_records() -> None:
    bundle = ferries.bundle()
    state = {"open": True, "count": 3, "name": "Pier", "names": ["a"], "nothing": None, "tickets": {}}
    told = [corruption.what for corruption in simple_corruptions(state, Records(bundle))]
    assert {"open = False", "count = -1", "name = ''", "names = []", "count is gone"} <= set(told)


def test_a_bundle_without_scenarios() -> None:
    empty = ferries.bundle(ferries.scenario(solution=solution()))
    assert invariant_gate(_without_scenarios(empty), seed=0, trust=True).figures["corruptions"] == 0


def _without_scenarios(bundle: Bundle) -> Bundle:
    return Bundle(bundle.manifest, bundle.source, bundle.invariants_source, bundle.start_states, {})
