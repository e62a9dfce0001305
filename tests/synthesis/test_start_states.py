"""Start states are put through everything that holds of a state, and mended where they do not hold up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from envscaler_gym.llm.model import CompletionRequest
from envscaler_gym.quality.probing import make_prober
from envscaler_gym.synthesis.scenarios.artefacts import WrittenState
from envscaler_gym.synthesis.scenarios.start_states import StateChanges, changed, write_start_state
from envscaler_gym.synthesis.scenarios.state_problems import state_problems
from tests.synthesis import shed_author, tool_shed

BUNDLE = tool_shed.bundle()

Spoil = Callable[[dict[str, Any]], object]

SLIPS: dict[str, tuple[Spoil, str]] = {
    "unknown attribute": (lambda s: s.update(tolls={}), "tolls: the class has no such attribute"),
    "missing attribute": (lambda s: s.pop("loans"), "loans: is missing"),
    "wrong type": (lambda s: s["tools"]["T-31"].update(status="gone"), "tools['T-31'].status: input should be"),
    "missing field": (lambda s: s["tools"]["T-31"].pop("name"), "tools['T-31'].name: field required"),
    "wrong key": (lambda s: s["tools"]["T-31"].update(tool_id="T-1"), "must be the key 'T-31'"),
    "dangling reference": (lambda s: s["loans"]["LN-103"].update(tool_id="T-99"), "which is no key of tools"),
    "broken rule": (lambda s: s["tools"]["T-31"].update(status="lent"), "breaks the rule 'Exactly the lent tools"),
    "too small": (lambda s: (s["loans"].clear(), s["tools"].clear()), "it must hold at least 9"),
}


def problems(state: dict[str, Any]) -> list[str]:
    with make_prober(BUNDLE) as prober:
        return state_problems(BUNDLE, prober, state, tool_shed.CLOCK, 9)


def test_a_state_that_keeps_every_rule_has_no_problems() -> None:
    assert problems(tool_shed.state()) == []


@pytest.mark.parametrize("slip", SLIPS)
def test_each_slip_is_named(slip: str) -> None:
    spoil, expected = SLIPS[slip]
    state = tool_shed.state()
    spoil(state)
    assert expected in "\n".join(problems(state))


def test_a_slip_goes_back_with_its_reason_and_is_mended() -> None:
    shown = []

    def spoiled(_: CompletionRequest) -> dict[str, Any]:
        state = tool_shed.state()
        state["tools"]["T-31"]["status"] = "lent"
        state["loans"]["LN-104"]["tool_id"] = "T-61"
        return {"id": "mill-lane", "clock": tool_shed.CLOCK, "state": state}

    def mend(request: CompletionRequest) -> dict[str, Any]:
        shown.append(request.messages[-1].content)
        if "T-61" in shown[-1].partition("does not hold up")[2]:
            return {"set": [{"path": ["loans", "LN-104", "tool_id"], "value": "T-60"}], "remove": []}
        return {"set": [{"path": ["tools", "T-31", "status"], "value": "on_shelf"}], "remove": []}

    shop = shed_author.workshop(shed_author.Author(StateDraft=spoiled, StateChanges=mend))
    written = shed_author.at_desk(shop, "start-states", WrittenState, lambda desk: write_start_state(desk, BUNDLE, 0))
    assert written.start is not None
    assert written.start.state == tool_shed.state()
    assert (written.clock, written.mended) == (tool_shed.CLOCK, 2)
    assert "names 'T-61', which is no key of tools" in shown[0]
    assert "tools['T-31'] is 'lent' and has 0 open loans" in shown[1]


def test_what_cannot_be_mended_is_rejected_with_its_reason() -> None:
    def spoiled(_: CompletionRequest) -> dict[str, Any]:
        return {"id": "mill-lane", "clock": tool_shed.CLOCK, "state": tool_shed.state() | {"tolls": {}}}

    def nothing(_: CompletionRequest) -> dict[str, Any]:
        return {"set": [], "remove": []}

    shop = shed_author.workshop(shed_author.Author(StateDraft=spoiled, StateChanges=nothing), mendings=2)
    written = shed_author.at_desk(shop, "start-states", WrittenState, lambda desk: write_start_state(desk, BUNDLE, 0))
    assert written.start is None
    assert written.mended == 2
    assert written.reason == "mill-lane: tolls: the class has no such attribute; it has neighbours, tools, loans"


def test_changes_are_made_at_their_places() -> None:
    state = {"a": {"x": {"list": [1, 2, 3]}}, "b": None}
    edits: dict[str, Any] = {
        "set": [
            {"path": ["a", "x", "list", "1"], "value": 20},
            {"path": ["a", "x", "list", "3"], "value": 4},
            {"path": ["a", "y"], "value": {"list": []}},
        ],
        "remove": [["a", "x", "list", "0"], ["b"]],
    }
    result = changed(state, StateChanges.model_validate(edits))
    assert result == {"a": {"x": {"list": [20, 3, 4]}, "y": {"list": []}}}
    assert state == {"a": {"x": {"list": [1, 2, 3]}}, "b": None}


@pytest.mark.parametrize("path", [["a", "z", "deep"], ["a", "x", "list", "9"], ["a", "x", "list", "one"], ["b", "c"]])
def test_a_path_that_leads_nowhere_is_refused(path: list[str]) -> None:
    edits = StateChanges.model_validate({"set": [{"path": path, "value": 0}], "remove": []})
    with pytest.raises(ValueError, match="leads nowhere"):
        changed({"a": {"x": {"list": [1]}}, "b": None}, edits)


def test_nothing_is_removed_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="nothing to remove"):
        changed({"a": {}}, StateChanges.model_validate({"set": [], "remove": [["a", "x"]]}))
