"""What grown scenarios say and ask: names, phrases, values, and the conditions of their checks."""

from __future__ import annotations

import random
from typing import Any

import pytest

from envscaler_gym.ambient import Ambient
from envscaler_gym.checks import Check, run_checks
from envscaler_gym.errors import BundleError
from envscaler_gym.registry import get_bundle
from envscaler_gym.state import copy_state
from envscaler_gym.synthesis.graph import ToolGraph, learn_graph
from envscaler_gym.synthesis.graph.tables import Tables
from envscaler_gym.synthesis.growth.chain import Step
from envscaler_gym.synthesis.growth.conditions import Outcome
from envscaler_gym.synthesis.growth.expectations import make_checks, make_guards
from envscaler_gym.synthesis.growth.naming import Naming
from envscaler_gym.synthesis.growth.saying import Currency, join_words, quote, say
from envscaler_gym.synthesis.growth.task_text import write_request, write_task
from envscaler_gym.synthesis.growth.templates import render
from envscaler_gym.synthesis.growth.unphrased import Part, say_by_name
from envscaler_gym.synthesis.growth.wording import Wording
from tests.synthesis.kennel import kennel, state

CURRENCY = Currency(kennel())


@pytest.fixture(scope="module")
def graph() -> ToolGraph:
    return learn_graph(kennel(phrases=True), trust=True)


def naming(*, entities: bool = True, **changed: Any) -> Naming:
    world = {**state(), **changed}
    return Naming(Tables(kennel(entities=entities), [world]), world, CURRENCY)


# Names


def test_people_of_the_same_name_are_told_apart() -> None:
    names = naming()
    assert names.full(("owners", "OW-2")) == "Bo Lind"
    assert names.full(("owners", "OW-1")) == "Ada Berg (ada@example.org)"


def test_records_are_named_by_what_they_refer_to() -> None:
    assert naming().full(("stays", "ST-0002")) == "the stay for Bo Lind's Rex"
    assert naming(entities=False).full(("dogs", "DG-3")) == 'the dog "Rex" (owner Bo Lind)'


def test_a_detail_that_is_true_of_both_tells_nothing() -> None:
    dogs = state()["dogs"]
    dogs["DG-5"] = {**dogs["DG-2"], "dog_id": "DG-5", "breed": "poodle"}
    assert naming(dogs=dogs).full(("dogs", "DG-5")) == "Ada Berg's Fly (breed poodle)"


def test_a_record_that_is_like_another_has_no_name() -> None:
    dogs = state()["dogs"]
    dogs["DG-5"] = {**dogs["DG-2"], "dog_id": "DG-5"}
    names = naming(dogs=dogs)
    assert names.full(("dogs", "DG-5")) is None
    assert names.full(("dogs", "DG-9")) is None
    assert names.full(("dogs", "DG-4")) == "Ada Berg's Kit"


def test_keys_that_no_tool_shows_are_said() -> None:
    world = state()
    names = Naming(Tables(kennel(), [world]), world, CURRENCY, {"owners"})
    assert names.full(("owners", "OW-2")) == "Bo Lind (OW-2)"


# Values


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("due_on", "2025-03-09", "9 March 2025"),
        ("starts_at", "2025-03-09T09:30:00", "9 March 2025 at 09:30"),
        ("starts_at", "2025-03-09T09:30:07", "9 March 2025 at 09:30:07"),
        ("price_cents", 250, "2.50 euros"),
        ("price_cents", 1200, "12 euros"),
        ("status", "in_repair", "in repair"),
        ("reason", "too late", '"too late"'),
        ("reason", "guest_request", "guest request"),
        ("name", "Ada Berg", "Ada Berg"),
        ("tags", ["a", "b", "c"], "a, b and c"),
        ("flag", True, "yes"),
        ("timestamp", 1716528000.0, "24 May 2024 at 05:20 UTC (1716528000.0)"),
        ("nights", 3, "3"),
        ("note", None, "nothing"),
    ],
)
def test_values_are_said_as_people_say_them(name: str, value: Any, said: str) -> None:
    assert say(name, value, CURRENCY) == said


def test_amounts_have_the_currency_of_the_bundle_or_none() -> None:
    assert Currency(get_bundle("envscaler/HotelFrontDesk-v0")).name == "euros"
    plain = kennel()
    silent = Currency(plain)
    silent.name = ""
    assert silent.say(1200) == "12.00"
    assert quote('say "hi"') == '“say "hi"”'
    assert join_words(["one"]) == "one"


# Phrases


def said(path: tuple[str, ...], value: Any) -> str:
    return f"{'.'.join(path)}:{value}"


@pytest.mark.parametrize(
    ("phrase", "arguments", "text"),
    [
        ("lend {a} to {b}", {"a": 1, "b": 2}, "lend a:1 to b:2"),
        ("lend {a}", {"a": 1, "b": 2}, None),
        ("lend {a} to {b}", {"a": 1}, None),
        ("lend {a}<, for {b}>", {"a": 1}, "lend a:1"),
        ("lend {a}<, for {b}>", {"a": 1, "b": 2}, "lend a:1, for b:2"),
        ("stop {a}{b=off|no}", {"a": 1, "b": "off"}, "stop a:1"),
        ("stop {a}{b=off|no}", {"a": 1, "b": "on"}, None),
        ("stop {a}<{b=*}>", {"a": 1, "b": "on"}, "stop a:1"),
        ("extend {years} years{years=2|3}", {"years": 3}, "extend years:3 years"),
        ("extend {years} years{years=2|3}", {"years": 1}, None),
        ("pay {items[{n} of {p}]}", {"items": [{"n": 1, "p": "x"}, {"n": 2, "p": "y"}]},
         "pay items.n:1 of items.p:x and items.n:2 of items.p:y"),
        ("pay {items[{n}]}", {"items": [{"n": 1, "p": "x"}]}, None),
        ("on{flag=true}", {"flag": True}, "on"),
    ],
)  # fmt: skip
def test_a_phrase_fits_a_call_when_it_has_a_place_for_every_argument(
    phrase: str, arguments: dict[str, Any], text: str | None
) -> None:
    assert render(phrase, arguments, said) == text


@pytest.mark.parametrize("phrase", ["lend {a", "lend {a[x}", "lend <{a}", "lend {a=1", "lend {}>{a"])
def test_a_malformed_phrase_is_told(phrase: str) -> None:
    with pytest.raises(BundleError, match="phrase"):
        render(phrase, {"a": 1}, said)


@pytest.mark.parametrize("name", ["envscaler/Library-v0", "envscaler/HotelFrontDesk-v0", "envscaler/RepairShop-v0"])
def test_each_reference_solution_of_a_shipped_bundle_fits_a_phrase(name: str) -> None:
    bundle = get_bundle(name)
    phrases = {entry.name: entry.phrases for entry in bundle.manifest.tools}
    for scenario in bundle.scenarios.values():
        for call in scenario.solution:
            if bundle.tools[call.name].kind == "state_change":
                fitting = [p for p in phrases[call.name] if render(p, dict(call.arguments), said) is not None]
                assert fitting, (scenario.id, call)


def part(name: str, text: str, noun: str = "") -> Part:
    return Part(name, text, noun, False)


@pytest.mark.parametrize(
    ("tool", "parts", "clause"),
    [
        ("cancel_order", [part("order_id", "Ana's order", "order")], "cancel Ana's order"),
        ("add_tag_to_bookmark", [part("bookmark_id", "the bookmark", "bookmark"), part("tag_id", "the tag", "tag")],
         "add the tag to the bookmark"),
        ("update_reminder_message", [part("reminder_id", "it", "reminder"), part("new_message", '"Hello"')],
         'update the message of it to "Hello"'),
        ("update_reminder_time", [part("reminder_id", "it", "reminder"), part("new_scheduled_time", "9 March 2025")],
         "update the scheduled time of it to 9 March 2025"),
        ("check_out", [part("stay_id", "the stay", "stay")], "check out the stay"),
        ("report_lost_copy", [part("copy_id", "my copy", "copy")], "report my copy as lost"),
        ("renew_loans", [part("loan_ids", "one and another", "loan")], "renew one and another"),
        ("create_folder", [part("name", "Reading list")], 'create a folder named "Reading list"'),
        ("create_folder", [part("name", "x"), part("parent_folder_id", "the top", "folder")],
         "create a folder named x, with parent folder the top"),
        ("create_loan", [part("user_id", "Ana", "user"), part("due_date", "9 March 2025")],
         "create a loan for Ana, due date 9 March 2025"),
    ],
)  # fmt: skip
def test_tools_without_phrases_are_said_by_their_names(tool: str, parts: list[Part], clause: str) -> None:
    assert say_by_name(tool, parts) == clause


def test_a_goal_names_a_record_once_and_a_new_one_as_new(graph: ToolGraph) -> None:
    final = state()
    final["stays"]["ST-0003"] = {**final["stays"]["ST-0002"], "stay_id": "ST-0003"}
    steps = [
        Step("book_stay", {"dog_id": "DG-3", "nights": 2}, (("dogs", "DG-3"),), created=(("stays", "ST-0003"),)),
        Step("check_in", {"stay_id": "ST-0003"}, (("stays", "ST-0003"),)),
        Step("check_in", {"stay_id": "ST-0002"}, (("stays", "ST-0002"),)),
        Step("check_out", {"stay_id": "ST-0002"}, (("stays", "ST-0002"),)),
    ]
    wording = Wording(graph, naming(), final, CURRENCY, random.Random(0))
    assert wording.goal(steps) == [
        "book 2 nights for Bo Lind's Rex",
        "check in the new stay",
        "check in the stay for Bo Lind's Rex",
        "check out that stay",
    ]
    assert list(wording.facts) == ["2", "Bo Lind's Rex", "the stay for Bo Lind's Rex"]


def test_requests_are_sentences() -> None:
    for seed in range(40):
        rng = random.Random(seed)
        task = write_task([["call Ana", "tell her"], ["write to Bo Ltd."]], rng)
        assert all(clause in task.casefold() for clause in ("call ana", "tell her", "write to bo ltd."))
        assert ".." not in task
        turn = write_request(["call Ana", "tell her"], seed % 3, rng)
        assert turn[0].isupper()
        assert turn.endswith((".", "?"))


# Checks


def outcome() -> Outcome:
    """Return a chain's outcome: a stay begun, one removed, two booked of which the second names a new dog."""
    start, final = state(), state()
    final["stays"]["ST-0001"] |= {"status": "here", "booked_at": "2025-09-01T09:00:01"}
    del final["stays"]["ST-0002"]
    final["dogs"]["DG-5"] = {"dog_id": "DG-5", "owner_id": "OW-2", "name": "Rex", "breed": "poodle"}
    new = {"nights": 1, "status": "booked", "note": "Sleeps  late.", "booked_at": "2025-09-01T09:00:02"}
    final["stays"]["ST-0008"] = {"stay_id": "ST-0008", "dog_id": "DG-4", "tags": ["b", "a"], **new}
    final["stays"]["ST-0009"] = {"stay_id": "ST-0009", "dog_id": "DG-5", **new}
    other = copy_state(final)
    for key in ("ST-0001", "ST-0008", "ST-0009"):
        other["stays"][key]["booked_at"] = "2025-09-01T09:07:00"
    return Outcome(start, final, other, frozenset({"Sleeps  late."}))


def renamed(final: dict[str, Any]) -> dict[str, Any]:
    """Return the same state with other keys for what is new, in another order."""
    dog = final["dogs"].pop("DG-5")
    final["dogs"]["DG-7"] = {**dog, "dog_id": "DG-7"}
    stays = {key: final["stays"].pop(key) for key in ("ST-0009", "ST-0008")}
    final["stays"]["ST-0002"] = {**stays["ST-0009"], "stay_id": "ST-0002", "dog_id": "DG-7"}  # a removed one's key
    final["stays"]["ST-0021"] = {**stays["ST-0008"], "stay_id": "ST-0021"}
    return final


def change(path: str, value: Any) -> Any:
    """Return a function that puts a value at a place of a state; ``None`` of a whole record removes it."""
    table, key, *field = path.split(".")

    def changed(final: dict[str, Any]) -> dict[str, Any]:
        if field:
            final[table][key][field[0]] = value
        elif value is None:
            del final[table][key]
        else:
            final[table][key] = value
        return final

    return changed


def failing(final: dict[str, Any], of: tuple[Check, ...] | None = None) -> list[str]:
    found = outcome()
    tables = Tables(kennel(), [found.start])
    checks = of or make_checks(found, tables, naming(), CURRENCY)
    results = run_checks(checks, found.start, final, Ambient("2025-09-01T09:00:00", "x"))
    assert [result.error for result in results if result.error] == []
    return [result.text for result in results if not result.passed]


def final_state() -> Any:
    return copy_state(dict(outcome().final))


def test_there_is_a_check_for_each_change_and_each_is_false_at_first() -> None:
    found = failing(state())
    assert len(found) == 6  # status, time, removal, a new dog, two new stays
    assert failing(final_state()) == []
    assert 'For the stay for Ada Berg\'s Rex: is status now "here"?' in found
    assert "Is the stay for Bo Lind's Rex gone?" in found
    assert "For the stay for Ada Berg's Rex: is booked at now another one?" in found  # any other moment passes
    assert 'Is there exactly one new dog with owner Bo Lind, name "Rex", breed "poodle"?' in found
    stay = 'nights 1, status "booked", note "Sleeps  late."?'  # and nothing of when, which nobody can repeat
    assert f"Is there exactly one new stay with dog Ada Berg's Kit, {stay}" in found
    assert f"Is there exactly one new stay with dog the new dog, {stay}" in found


def test_a_reference_that_is_emptied_is_no_new_record() -> None:
    start = state()
    final = change("stays.ST-0001.dog_id", "")(copy_state(start))
    (check,) = make_checks(Outcome(start, final, final, frozenset()), Tables(kennel(), [start]), naming(), CURRENCY)
    assert check.text == "For the stay for Ada Berg's Rex: is dog id now empty?"


@pytest.mark.parametrize(
    "same",
    [
        renamed,
        change("stays.ST-0008.booked_at", "2025-09-01T10:00:00"),
        change("stays.ST-0001.booked_at", "2025-09-01T10:00:00"),
        change("stays.ST-0008.note", "sleeps late"),
        change("stays.ST-0008.tags", ["a", "b"]),
        change("stays.ST-0008.nights", 1.0),
        lambda final: dict(reversed(final.items())),
    ],
)
def test_what_comes_to_the_same_passes(same: Any) -> None:
    assert failing(same(final_state())) == []


@pytest.mark.parametrize(
    "wrong",
    [
        change("stays.ST-0001.status", "booked"),
        change("stays.ST-0001", None),
        change("stays.ST-0001.booked_at", "2025-08-30T10:00:00"),
        change("stays.ST-0002", state()["stays"]["ST-0002"]),
        change("stays.ST-0008", None),
        change("stays.ST-0008.nights", 2),
        change("stays.ST-0008.nights", True),
        change("stays.ST-0008.note", "Sleeps late and barks."),
        change("stays.ST-0008.tags", ["a"]),
        change("stays.ST-0008.dog_id", "DG-3"),
        change("stays.ST-0008.booked_at", None),
        change("stays.ST-0009.dog_id", "DG-4"),
        change("dogs.DG-5.breed", "collie"),
        change("dogs.DG-5", None),
        change("stays.ST-0010", {**outcome().final["stays"]["ST-0008"], "stay_id": "ST-0010"}),
        lambda _final: {},
        lambda _final: {"stays": {}, "dogs": {}, "owners": {}},
    ],
)
def test_what_falls_short_fails(wrong: Any) -> None:
    assert failing(wrong(final_state()))


@pytest.mark.parametrize(
    ("damage", "caught"),
    [
        (lambda final: final, False),
        (renamed, False),
        (change("owners.OW-2.name", "Bob"), True),
        (change("dogs.DG-1", None), True),
        (change("owners.OW-9", {"owner_id": "OW-9"}), True),
        (change("stays.ST-0001.nights", 9), False),  # the task touches this record, and the checks know what it wants
    ],
)
def test_guards_catch_damage(damage: Any, caught: bool) -> None:
    found = outcome()
    guards = make_guards(found, Tables(kennel(), [found.start]))
    assert failing(copy_state(dict(found.start)), guards) == []
    assert bool(failing(damage(final_state()), guards)) == caught


def test_records_that_refer_to_each_other_are_checked_all_the_same() -> None:
    start: dict[str, Any] = {"a": {"A-1": {"id": "A-1", "b_id": "B-1"}}, "b": {"B-1": {"id": "B-1", "a_id": "A-1"}}}
    final = copy_state(start)
    final["a"]["A-2"], final["b"]["B-2"] = {"id": "A-2", "b_id": "B-2"}, {"id": "B-2", "a_id": "A-2"}
    tables = Tables(kennel(entities=False), [final])
    assert dict(tables["a"].references) == {"b_id": "b"}
    checks = make_checks(Outcome(start, final, final, frozenset()), tables, Naming(tables, start, CURRENCY), CURRENCY)
    ambient = Ambient("2025-09-01T09:00:00", "x")
    assert [r.passed for r in run_checks(checks, start, final, ambient)] == [True, True]
    final["a"]["A-2"]["b_id"] = "B-1"
    assert not all(r.passed and not r.error for r in run_checks(checks, start, final, ambient))
