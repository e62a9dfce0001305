"""From words to calls: what is mentioned, what is meant, and what is called with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from envscaler_gym.types import ToolSpec
from envscaler_gym.wrappers.grounding import Grounding, Mentions, Words, candidate_of, generate

STATE: dict[str, Any] = {
    "members": {
        "M-1": {"member_id": "M-1", "name": "Ann Lee", "status": "active"},
        "M-2": {"member_id": "M-2", "name": "Bo Çelik", "status": "active"},
        "M-3": {"member_id": "M-3", "name": "Cy Dunn", "status": "suspended"},
    },
    "fines": {
        "F-1": {"fine_id": "F-1", "member_id": "M-1", "amount": 250},
        "F-2": {"fine_id": "F-2", "member_id": "M-2", "amount": 475},
    },
    "payments": {"P-1": {"payment_id": "P-1", "member_id": "M-2", "amount": 999}},
    "notes": ["no table"],
    "rate": 3,
}


def tool(tool_name: str, /, required: tuple[str, ...] = (), **properties: Any) -> ToolSpec:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return ToolSpec(tool_name, "", schema, "state_change")


STRING, INTEGER = {"type": "string"}, {"type": "integer"}


def calls(text: str, spec: ToolSpec, state: dict[str, Any] = STATE, most: int = 50) -> list[dict[str, Any]]:
    found = generate([spec], Grounding(Words(text), state), per_tool=most, seed=0)
    return [json.loads(candidate.arguments) for candidate in found]


def test_words_are_compared_without_case_accents_and_endings() -> None:
    words = Words("Please SUSPEND Señor Celik, renewing two cards; 12.50 and 7 euros.")
    assert words.share("suspended") == words.share("senor") == words.share("renewed card") == 1.0
    assert words.share("Bo Çelik") == 0.5
    assert words.share("the of") == 0.0
    assert (words.numbers, words.cents) == ((1250, 7, 2), (125000, 700, 200))


def test_phrases_are_what_is_quoted_addresses_and_names() -> None:
    words = Words('Register Ann Mary Lee, ann@mail.example, reason "too late" or “no reason”.')
    assert set(words.phrases) == {"too late", "no reason", "ann@mail.example", "Register Ann Mary Lee"}


def test_records_are_meant_if_they_or_what_they_refer_to_is_mentioned() -> None:
    mentions = Mentions(Words("Ann Lee pays."), STATE)
    scores = {key: mentions.of(key) for key in ("M-1", "M-2", "F-1", "F-2")}
    assert scores["M-1"] == 1.0
    assert (scores["F-1"] or 0) > 0.8
    assert scores["M-2"] == scores["F-2"] == 0.0
    assert mentions.of("M-9") is None
    assert mentions.of(3) is None
    assert [record.key for record in mentions.ranked()][:2] == ["M-1", "F-1"]


def test_what_many_records_share_says_little() -> None:
    mentions = Mentions(Words("all active members"), STATE)
    assert 0 < (mentions.of("M-1") or 0) < 0.7


def test_a_reference_that_many_share_says_less_than_one_of_few() -> None:
    beds = {f"B-{i}": {"bed_id": f"B-{i}", "room_id": "R-1" if i else "R-2"} for i in range(5)}
    rooms = {"R-1": {"room_id": "R-1", "name": "North"}, "R-2": {"room_id": "R-2", "name": "South"}}
    mentions = Mentions(Words("a bed, north or south"), {"rooms": rooms, "beds": beds})
    assert (mentions.of("B-0") or 0) > (mentions.of("B-1") or 1) > 0.3


def test_arguments_that_belong_together_come_first() -> None:
    pay = tool("pay", ("member_id", "fine_id"), member_id=STRING, fine_id=STRING)
    found = calls("Ann Lee and Bo Çelik both pay.", pay)
    assert {(call["member_id"], call["fine_id"]) for call in found[:2]} == {("M-1", "F-1"), ("M-2", "F-2")}


def test_objects_take_their_fields_from_one_record() -> None:
    item = {"type": "object", "properties": {"fine_id": STRING, "amount": INTEGER}, "required": ["fine_id", "amount"]}
    pay = tool("pay", ("items",), items={"type": "array", "items": item})
    found = calls("Bo Çelik pays.", pay)
    assert found[0] == {"items": [{"fine_id": "F-2", "amount": 475}]}
    assert {"items": [{"fine_id": "F-2", "amount": 475}, {"fine_id": "F-1", "amount": 250}]} in found
    strange = [{"fine_id": "F-2", "amount": amount} for amount in (250, 999)]
    assert not any(item in call["items"] for call in found for item in strange)


def test_optional_arguments_are_given_where_the_text_mentions_them() -> None:
    spec = tool(
        "set_status",
        ("member_id",),
        member_id=STRING,
        status={"enum": ["active", "suspended"]},
        reason={"anyOf": [STRING, {"type": "null"}]},
        years=INTEGER,
        loud={"type": "boolean"},
    )
    found = calls('Suspend Cy Dunn, reason "noise", for 3 years.', spec)
    assert found[0] == {"member_id": "M-3", "status": "suspended", "reason": "noise", "years": 3}
    assert {"member_id": "M-3", "status": "suspended", "reason": "noise", "years": 300} in found[1:]
    assert {"member_id": "M-3"} in found
    assert not any(call.get("status") == "active" or "loud" in call for call in found)


def test_a_tool_that_nothing_suggests_a_call_of_gets_drawn_ones() -> None:
    spec = tool("paint", ("colour",), colour=INTEGER)
    found = calls("Hello.", spec)
    assert 1 <= len(found) <= 4
    assert found == calls("Hello.", spec)


def test_tools_without_parameters_are_called() -> None:
    assert calls("Hello.", tool("run")) == [{}]


def test_no_tool_takes_all_places() -> None:
    many = tool("move", ("member_id",), member_id=STRING, fine_id=STRING)
    grounding = Grounding(Words("Ann Lee, Bo Çelik and Cy Dunn"), STATE)
    found = generate([many, tool("run")], grounding, per_tool=2, seed=0)
    assert sorted(candidate.name for candidate in found) == ["move", "move", "run"]


def test_calls_from_elsewhere_are_scored_alike() -> None:
    pay = tool("pay", ("member_id",), member_id=STRING)
    grounding = Grounding(Words("Ann Lee pays."), STATE)
    generated = next(c for c in generate([pay], grounding, per_tool=9, seed=0) if "M-1" in c.arguments)
    assert candidate_of(pay, {"member_id": "M-1"}, grounding) == generated


@pytest.mark.parametrize(
    "state", [{}, {"rows": []}, {"table": {}}, {"t": {"k": {"list": [["x"], {"y": 1}], "n": None}}}]
)
def test_odd_states_are_taken(state: dict[str, Any]) -> None:
    spec = tool("do", ("name", "items"), name=STRING, items={"type": "array", "items": {"type": "object"}})
    assert calls("Do it.", spec, state)
