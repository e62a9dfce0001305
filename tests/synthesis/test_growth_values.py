"""Values of grown calls come from the place at hand, and nobody is given words that are somebody else's."""

from __future__ import annotations

import datetime
import random
import re
from dataclasses import replace
from typing import Any

import pytest

from envscaler_gym.scenario import StartState
from envscaler_gym.synthesis.graph.literals import Literals, Newcomer
from envscaler_gym.synthesis.graph.slots import Slot
from envscaler_gym.synthesis.graph.tables import Tables
from envscaler_gym.synthesis.growth import grow
from tests.synthesis.kennel import kennel, state

BUNDLE = kennel()
NOW = datetime.datetime(2025, 9, 1, 9)  # noqa: DTZ001 - as the virtual clock is


def elsewhere() -> Any:
    """Return another place: other breeds, other notes."""
    there = state()
    for dog in there["dogs"].values():
        dog["breed"] = "Braque d'Auvergne"
    for stay in there["stays"].values():
        stay["note"] = "Aboie après le facteur"
    return there


def drawn(literals: Literals, name: str, description: str = "") -> set[str]:
    """Return what is drawn for a text in many draws."""
    slot = Slot((name,), {"type": "string", "description": description}, True, ())
    rngs = map(random.Random, range(40))
    return {literals.text(slot, rng, Newcomer(rng), NOW, None, ["stays"], searching=False) for rng in rngs}


def test_values_are_those_of_the_place_at_hand() -> None:
    tables = Tables(BUNDLE, [state()])
    both = Literals(tables, [state(), elsewhere()])
    assert drawn(both, "note") == {"Barks at the postman", "Aboie après le facteur"}
    assert drawn(Literals(tables, [state()], both), "note") == {"Barks at the postman"}
    assert drawn(Literals(tables, [elsewhere()], both), "note") == {"Aboie après le facteur"}


def test_what_a_place_has_none_of_is_taken_from_others() -> None:
    tables = Tables(BUNDLE, [state()])
    empty = state() | {"stays": {}}
    silent = state()
    for stay in silent["stays"].values():
        stay["note"] = ""
    for here in (empty, silent):
        assert drawn(Literals(tables, [here], Literals(tables, [elsewhere()])), "note") == {"Aboie après le facteur"}


def test_each_start_state_grows_with_its_own_values() -> None:
    starts = {"summer": StartState(id="summer", state=state()), "autumn": StartState(id="autumn", state=elsewhere())}
    required = BUNDLE.source.replace("note: Optional[str] = None", "note: str")
    bundle = replace(BUNDLE, start_states=starts, source=required)
    report = grow(bundle, count=16, seed=3, trust=True)
    notes = {
        (scenario.start_state.partition("-")[0], call.arguments["note"])
        for scenario in report.scenarios
        for call in scenario.solution
        if call.name == "book_stay"
    }
    assert notes == {("summer", "Barks at the postman"), ("autumn", "Aboie après le facteur")}


def test_notes_that_nobody_has_to_give_are_not_given() -> None:
    report = grow(BUNDLE, count=16, seed=3, trust=True)
    booked = [call for each in report.scenarios for call in each.solution if call.name == "book_stay"]
    assert booked
    assert not any("note" in call.arguments for call in booked)


def test_look_alikes_are_people_and_nothing_else() -> None:
    report = grow(BUNDLE, count=8, seed=3, trust=True)
    assert any(len(start.state["owners"]) > 3 for start in report.start_states)
    assert all(len(start.state["dogs"]) == 4 for start in report.start_states)


@pytest.mark.parametrize(
    ("description", "form"), [("The hour, HH:MM.", r"\d\d:\d\d"), ("At YYYY-MM-DDTHH:MM.", r".*T.*")]
)
def test_a_time_of_day_is_no_moment(description: str, form: str) -> None:
    found = drawn(Literals(Tables(BUNDLE, [state()]), [state()]), "fetched_at", description)
    assert len(found) > 1
    assert all(re.fullmatch(form, value) for value in found)


def test_times_of_day_are_like_those_that_there_are() -> None:
    timed = state()
    for stay in timed["stays"].values():
        stay["fetched_at"] = "07:45"
    assert drawn(Literals(Tables(BUNDLE, [timed]), [timed]), "fetched_at", "The hour, HH:MM.") == {"07:45"}
