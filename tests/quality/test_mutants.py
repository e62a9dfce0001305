"""Mutants and equivalents of a solved state, by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from envscaler_gym.quality.checks.equivalents import differing_paths, generated_keys, states_like
from envscaler_gym.quality.checks.mutants import Mutant, Solved, mutants
from envscaler_gym.quality.scenarios.edits import fresh_key, put, rename, show_path, without
from envscaler_gym.quality.scenarios.plausible import moved, neighbours, other_values, same
from envscaler_gym.quality.scenarios.records import Records
from envscaler_gym.quality.scenarios.rehearsal import Play, Rehearsal, later
from envscaler_gym.state import copy_state
from envscaler_gym.types import JSON
from tests.quality import ferries
from tests.toys import solution

RECORDS = Records(ferries.bundle())


@pytest.fixture(scope="module")
def play() -> Play:
    with Rehearsal(ferries.bundle(), seed=0, trust=True) as rehearsal:
        return rehearsal.play(ferries.SCENARIO)


def described(found: list[Mutant]) -> set[tuple[str, str]]:
    return {(mutant.kind, show_path(mutant.path)) for mutant in found}


def test_every_kind_of_mutant_of_every_change(play: Play) -> None:
    before = copy_state(dict(play.final))
    found = mutants(Solved(play.initial, play.final), RECORDS)
    assert play.final == before
    assert all(mutant.state != play.final for mutant in found)
    kinds = described(found)
    assert {kind for kind, _ in kinds} == {
        "put back",
        "other value",
        "missing record",
        "record twice",
        "record still there",
        "changed record gone",
        "swapped reference",
        "neighbour changed instead",
        "neighbour removed instead",
    }
    made = {path for _, path in kinds if path.startswith("tickets['TKT-007'].")}
    fields = ("traveller_id", "ferry_id", "seats", "total", "status", "note", "booked_at")
    assert made == {f"tickets['TKT-007'].{field}" for field in fields}  # but the key itself
    assert not any("TKT-002" in path or "travellers" in path for _, path in kinds)


def test_what_differs_between_equal_solutions_is_exempt(play: Play) -> None:
    with Rehearsal(ferries.bundle(), seed=0, trust=True) as rehearsal:
        replay = rehearsal.play(ferries.SCENARIO, like=play, clock=later(ferries.SCENARIO.clock, 61))
    exempt = differing_paths(play, [replay])
    assert exempt == {("tickets", "TKT-007", "booked_at")}
    found = described(mutants(Solved(play.initial, play.final, ["TKT-007"], exempt), RECORDS))
    assert ("other value", "tickets['TKT-007'].booked_at") not in found
    assert ("other value", "tickets['TKT-007'].status") in found


def test_a_mutant_that_only_exchanges_made_up_ids_is_none() -> None:
    initial: dict[str, Any] = {"travellers": {}, "tickets": {}, "ferries": {"F-PM": {"ferry_id": "F-PM"}}}
    people = {key: {"traveller_id": key, "name": "Sam"} for key in ("TR-1", "TR-2")}
    final = initial | {
        "travellers": people,
        "tickets": {"TKT-1": {"ticket_id": "TKT-1", "traveller_id": "TR-1", "ferry_id": "F-PM"}},
    }
    swapped = ("swapped reference", "tickets['TKT-1'].traveller_id")
    assert swapped in described(mutants(Solved(initial, final), RECORDS))
    assert swapped not in described(mutants(Solved(initial, final, ["TR-1", "TR-2", "TKT-1"]), RECORDS))


def test_changes_at_any_depth() -> None:
    initial: dict[str, Any] = {"open": False, "_next": 1, "boats": {"b": {"crew": ["x"], "log": {"at": 1}, "old": 1}}}
    final: dict[str, Any] = {
        "open": True,
        "_next": 2,
        "boats": {"b": {"crew": ["x", "y"], "log": {"at": 2, "by": "z"}}},
    }
    found = mutants(Solved(initial, final), RECORDS)
    states = [mutant.state for mutant in found]
    assert described(found) >= {
        ("put back", "open"),
        ("put back", "boats['b'].crew"),
        ("put back", "boats['b'].log.at"),
        ("put back", "boats['b'].log.by"),
        ("put back", "boats['b'].old"),
        ("other value", "boats['b'].log.by"),
    }
    assert put(final, ("boats", "b", "crew"), ["x"]) in states
    assert without(final, ("boats", "b", "log", "by")) in states
    assert put(final, ("boats", "b", "old"), 1) in states
    assert all(state["_next"] == 2 for state in states)  # an attribute that is nobody's business


def test_keys_that_were_given_are_not_made_up(play: Play) -> None:
    assert generated_keys(ferries.SCENARIO, play) == ["TKT-007"]
    named = ferries.scenario(task="Book it as TKT-007.")
    assert generated_keys(named, play) == []
    source = ferries.SOURCE.replace('f"TKT-{len(self.tickets) + 1:03}"', 'f"{traveller_id}/{ferry_id}"')
    with Rehearsal(ferries.bundle(source=source), seed=0, trust=True) as rehearsal:
        assert generated_keys(ferries.SCENARIO, rehearsal.play(ferries.SCENARIO)) == []


def test_equivalents_mean_the_same_and_are_written_otherwise(play: Play) -> None:
    found = {equivalent.defect: equivalent.state for equivalent in states_like(play, ["TKT-007"], RECORDS)}
    ordered = found["a check depends on the order of keys"]
    assert ordered == play.final
    assert list(ordered["tickets"]) == list(play.final["tickets"])[::-1]
    numbers = found["a check tells 1 from 1.0"]
    assert numbers == play.final
    assert type(numbers["tickets"]["TKT-007"]["total"]) is int
    assert type(numbers["tickets"]["TKT-007"]["seats"]) is int  # an integer by its type stays one
    renamed = found["a check depends on a generated id"]
    assert renamed["tickets"]["TKT-507"]["ticket_id"] == "TKT-507"
    assert "TKT-007" not in str(renamed)
    assert rename(renamed, {"TKT-507": "TKT-007"}) == play.final


def test_a_replay_uses_the_ids_that_it_is_given() -> None:
    source = ferries.SOURCE.replace('f"TKT-{len(self.tickets) + 1:03}"', '"TKT-" + uuid.uuid4().hex[:6]').replace(
        "from datetime", "import uuid\nfrom datetime"
    )
    bundle = ferries.bundle(source=source)
    with Rehearsal(bundle, seed=0, trust=True) as rehearsal:
        [(_, key)] = rehearsal.play(ferries.scenario(solution=solution(ferries.BOOK))).steps[0].created
        scenario = ferries.scenario(solution=solution(ferries.BOOK, ("cancel_ticket", {"ticket_id": key})))
        first = rehearsal.play(scenario)
        again = rehearsal.play(scenario, like=first, seed="another")
    assert not again.refused
    other = again.steps[1].call.arguments["ticket_id"]
    assert other != key
    assert again.names_in(first) == {other: key}
    assert first.names_in(first) == {}


@pytest.mark.parametrize(
    ("value", "schema", "others", "expected"),
    [
        (2, {"type": "integer"}, [2, 7], [3, 1, 7]),
        (2.5, {"type": "number"}, [], [3.5, 1.5]),
        (True, {"type": "boolean"}, [True], [False]),
        ("b", {"enum": ["a", "b", "c"]}, [], ["c", "a"]),
        ("2025-02-28", {"type": "string"}, [], ["2025-03-01", "2025-02-27", "2025-02-28 2"]),
        ("red", {"type": "string"}, ["red", "blue"], ["blue"]),
        ("red", {"type": "string"}, [], ["red 2"]),
        ("", {"type": "string"}, [], ["other"]),
        (None, {"anyOf": [{"type": "string"}, {"type": "null"}]}, [None, "x"], ["x"]),
        (None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}, [], [1]),
        ("x", {"anyOf": [{"type": "string"}, {"type": "null"}]}, ["y"], ["y", None]),
        (["a", "b"], {"type": "array"}, [["c"]], [["a"], ["a", "c"], ["a", "b", "c"], ["c"]]),
        (1, {}, ["1"], [2, 0]),
    ],
)
def test_other_values(value: JSON, schema: dict[str, JSON], others: list[JSON], expected: list[JSON]) -> None:
    assert other_values(value, schema, others) == expected


def test_small_things() -> None:
    assert same(1, 1.0)
    assert not same(1, True)
    assert not same("1", 1)
    assert same({"a": [1]}, {"a": [1]})
    assert neighbours(["a", "b", "c", "d"], "b") == ["c", "a", "d"]
    assert neighbours(["a", "b"], "z") == ["b", "a"]
    assert moved("2025-12-31T10:00:00", 1) == "2026-01-01T10:00:00"
    assert moved("2025 was good", 1) is None
    assert moved("RES-2025-01", 1) is None
    assert fresh_key("G-009x", "G-509x") == "G-1009x"
    assert fresh_key("alice", "") == "alicex"
    assert later("2025-01-01T23:59:30", 61) == "2025-01-01T23:58:29"
    assert later("2025-01-01T09:00:00", 61) == "2025-01-01T09:01:01"
    assert rename({"a-1": ["see a-1, a-11", 3]}, {"a-1": "b"}) == {"b": ["see b, a-11", 3]}
    assert show_path(("rooms", "101", "beds", 0, "size")) == "rooms['101'].beds[0].size"
