"""Skeletons that do not fit together are told so, and what follows from one that does is made without a model."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from envscaler_gym.synthesis.environment import manifest_of
from envscaler_gym.synthesis.skeleton import Skeleton, problems
from tests.synthesis import tool_shed
from tests.synthesis.shed_founder import SKELETON


def skeleton(change: Callable[[dict[str, Any]], object] = lambda _: None) -> Skeleton:
    """Return the tool shed's skeleton, changed."""
    data = copy.deepcopy(SKELETON)
    change(data)
    return Skeleton.model_validate_json(json.dumps(data))


def test_the_tool_shed_fits_together() -> None:
    assert problems(skeleton()) == []


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "class name": (lambda s: s.update(class_name="tool_shed"), "camel case"),
    "reserved word": (lambda s: s["operations"][0]["parameters"][0].update(name="class"), "no word of Python"),
    "key": (lambda s: s["entities"][1].update(key="id"), "key 'id' is not one of its attributes"),
    "key type": (lambda s: s["entities"][1]["attributes"][0].update(type="int"), "must have the type str"),
    "reference": (lambda s: s["entities"][2]["attributes"][1].update(references="tool"), "Did you mean 'tools'?"),
    "type name": (lambda s: s["entities"][0]["attributes"][1].update(type="Decimal"), "uses Decimal"),
    "type form": (
        lambda s: s["entities"][0]["attributes"][1].update(type="List[print()]"),
        "is not a type made of|uses",
    ),
    "type text": (lambda s: s["entities"][0]["attributes"][1].update(type="a list"), "is not a Python type"),
    "default": (lambda s: s["operations"][4]["parameters"][1].update(default="nope()"), "not a Python literal"),
    "order": (lambda s: s["operations"][4]["parameters"].reverse(), "comes after one that has"),
    "query writes": (lambda s: s["operations"][0].update(writes=["tools"]), "is a query and writes"),
    "change writes nothing": (lambda s: s["operations"][3].update(writes=[]), "writes nothing"),
    "no precondition": (lambda s: s["operations"][3].update(preconditions=[]), "say when it is refused"),
    "unknown entity": (lambda s: s["operations"][3].update(reads=["tool"]), "which is no entity"),
    "shared name": (lambda s: s["operations"][0].update(name="tools"), "also the name of an entity"),
    "twice": (lambda s: s["operations"].append(s["operations"][0]), "occurs 2 times"),
    "unread": (lambda s: [one.update(reads=["tools", "loans"]) for one in s["operations"]], "no operation reads it"),
    "rules": (lambda s: [rule.update(kind="operation") for rule in s["rules"]], "no rule is of the kind 'state'"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_does_not_fit_is_named(name: str) -> None:
    change, said = CHANGES[name]
    found = problems(skeleton(change))
    assert any(part in problem for problem in found for part in said.split("|")), found


def test_only_what_can_be_seen_in_a_state_becomes_a_rule_of_the_manifest() -> None:
    manifest = manifest_of(skeleton(), "toys")
    assert manifest.id == "toys/ToolShed-v0"
    assert manifest.rules == tool_shed.RULES
    assert manifest.entities[2].references == {"tool_id": "tools", "neighbour_id": "neighbours"}
