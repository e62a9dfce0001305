"""What is drawn fits schemas and types, meets what the state holds, also what it does not, and shrinks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import gymnasium as gym
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from envscaler_gym import registry
from envscaler_gym.bundle import Bundle, load_bundle
from envscaler_gym.env import ToolEnv
from envscaler_gym.errors import BundleError, UnknownNameError
from envscaler_gym.invariants import load_invariants
from envscaler_gym.manifest import Entity
from envscaler_gym.quality import strategies
from envscaler_gym.quality.properties.schema_values import Candidates, values
from envscaler_gym.quality.state_types import StateTypes
from envscaler_gym.registry import get_bundle
from envscaler_gym.scenario import Scenario
from envscaler_gym.state import copy_state
from envscaler_gym.types import JSON, ToolCall
from tests import toys

SHIPPED = registry.shipped_ids()
FEW = settings(max_examples=60)
TEAS = toys.TEAS


@pytest.mark.parametrize("environment", [*SHIPPED, toys.TEA_SHOP_ID])
def test_calls_fit_their_schemas(environment: str) -> None:
    bundle = get_bundle(environment)

    @given(strategies.calls(bundle))
    def run(call: ToolCall) -> None:
        bundle.tools[call.name].validate(call.arguments)  # raises where they do not

    run()


def test_arguments_are_mostly_of_the_state_and_now_and_then_are_not() -> None:
    drawn: Counter[str] = Counter()

    @FEW
    @given(st.lists(strategies.calls(toys.tea_shop(), TEAS, tools=["get_tea"]), min_size=10, max_size=10))
    def run(calls: list[ToolCall]) -> None:
        drawn.update("known" if call.arguments["tea_id"] in TEAS["teas"] else "unknown" for call in calls)

    run()
    assert drawn["known"] > 2 * drawn["unknown"] > 0


def test_every_tool_is_called_and_only_those_that_are_asked_for() -> None:
    bundle = toys.tea_shop()
    seen: set[str] = set()

    @settings(max_examples=400)
    @given(strategies.calls(bundle))
    def run(call: ToolCall) -> None:
        seen.add(call.name)

    run()
    assert seen == set(bundle.tools)
    with pytest.raises(NoSuchExample):
        find(strategies.calls(bundle, tools=["surprise"]), lambda call: call.name != "surprise", settings=FEW)


def test_arguments_shrink_to_the_first_record_small_numbers_and_nothing_optional() -> None:
    tool = toys.tea_shop().tools["order_tea"]
    assert find(strategies.arguments(tool, TEAS), lambda _: True) == {"tea_id": "T-1", "grams": 0}
    assert find(strategies.arguments(tool), lambda _: True) == {"tea_id": "", "grams": 0}
    more = find(strategies.arguments(tool, TEAS), lambda arguments: arguments["grams"] > 700)
    assert more == {"tea_id": "T-1", "grams": 701}
    noted = find(strategies.arguments(tool, TEAS), lambda arguments: arguments.get("note"))
    assert noted == {"tea_id": "T-1", "grams": 0, "note": "0"}


SCHEMAS: list[tuple[dict[str, JSON], Any]] = [
    ({"type": "string"}, lambda value: isinstance(value, str)),
    ({"type": "integer"}, lambda value: type(value) is int),
    ({"type": "number"}, lambda value: type(value) in (int, float)),
    ({"type": "boolean"}, lambda value: type(value) is bool),
    ({"type": "null"}, lambda value: value is None),
    ({"const": 7}, lambda value: value == 7),
    ({"enum": ["a", "b"]}, lambda value: value in ("a", "b")),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, lambda value: value is None or type(value) is int),
    ({"anyOf": [{"type": "string"}, {"type": "boolean"}]}, lambda value: isinstance(value, str | bool)),
    ({"type": "array", "items": {"const": 1}}, lambda value: value == [1] * len(value)),
    (
        {"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 2}}, "required": ["b"]},
        lambda value: value in ({"b": 2}, {"a": 1, "b": 2}),
    ),
    ({"type": "object", "additionalProperties": {"const": 1}}, lambda value: set(value.values()) <= {1}),
    ({"type": "object"}, lambda value: isinstance(value, dict)),
    ({}, lambda value: value is None or isinstance(value, str | int | float | bool | list | dict)),
]


@pytest.mark.parametrize(("schema", "fits"), SCHEMAS, ids=lambda value: "fits" if callable(value) else str(value)[:40])
def test_each_kind_of_schema(schema: dict[str, JSON], fits: Any) -> None:
    @FEW
    @given(values(schema, "x", Candidates({"x": [3, "three", 3.5, True]})))
    def run(value: JSON) -> None:
        assert fits(value)

    run()


@pytest.mark.parametrize("environment", [*SHIPPED, toys.TEA_SHOP_ID])
def test_sequences_lead_the_environment_where_they_say(environment: str) -> None:
    env = gym.make(environment, reward="none", max_steps=100)
    world = env.unwrapped
    assert isinstance(world, ToolEnv)
    outcomes: Counter[str] = Counter()
    longest = 0

    @FEW
    @given(strategies.call_sequences(world.bundle))
    def run(sequence: strategies.CallSequence) -> None:
        nonlocal longest
        env.reset(seed=0, options={"scenario": sequence.scenario})
        for call in sequence.calls:
            outcomes[env.step(call.to_action())[4]["outcome"]] += 1
        assert world.episode.world.state() == sequence.state
        longest = max(longest, len(sequence.calls))

    run()
    assert set(outcomes) == {"success", "refused"}
    assert 5 < longest <= 12


def test_sequences_use_what_they_made_and_shrink_to_it() -> None:
    bundle = toys.tea_shop()

    def cancels_what_it_ordered(sequence: strategies.CallSequence) -> bool:
        last = sequence.calls[-1] if sequence.calls else None
        return last is not None and last.name == "cancel_order" and len(last.arguments["order_id"]) == len(str(uuid4()))

    found = find(strategies.call_sequences(bundle, max_size=4), cancels_what_it_ordered)
    assert [call.name for call in found.calls] == ["order_tea", "cancel_order"]
    assert found.state == TEAS


FRAGILE = """
class Fragile:
    def __init__(self):
        self.taken = 0

    def take(self, count: int):
        self.taken += 1
        if count > 3:
            raise ValueError(count)
        return {"success": True, "message": "Taken."}
"""


def test_a_sequence_ends_with_the_call_that_failed() -> None:
    scenario = Scenario(id="s", start_state="s", task="Take.")
    kinds = {"take": "state_change"}
    bundle = toys.make_bundle(FRAGILE, "Fragile", [scenario], {"s": {"taken": 0}}, kinds=kinds)
    failed = 0

    @given(strategies.call_sequences(bundle, trust=True))
    def run(sequence: strategies.CallSequence) -> None:
        nonlocal failed
        raising = [call.arguments["count"] > 3 for call in sequence.calls]
        assert not any(raising[:-1])
        assert sequence.state == {"taken": raising.count(False)}
        failed += any(raising)

    run()
    assert failed


@pytest.mark.parametrize("environment", SHIPPED)
def test_rules_hold_in_states_that_are_reached(environment: str) -> None:
    bundle = get_bundle(environment)
    rules = load_invariants(bundle.invariants_source or "")
    starts = [start.state for start in bundle.start_states.values()]
    others = 0

    @FEW
    @given(strategies.states(bundle))
    def run(state: dict[str, Any]) -> None:
        nonlocal others
        assert [rule.name for rule in rules if rule.violations(state)] == []
        others += state not in starts

    run()
    assert others > 10


@pytest.mark.parametrize("environment", SHIPPED)
def test_typed_states_fit_types_keys_and_references(environment: str) -> None:
    bundle = get_bundle(environment)
    types = StateTypes.of(bundle)
    records = 0

    @settings(max_examples=30)
    @given(strategies.states(bundle, reachable=False, max_size=4))
    def run(state: dict[str, Any]) -> None:
        nonlocal records
        assert types.problems(state) == []
        for entity in bundle.manifest.entities:
            assert len(state[entity.name]) <= 4
            for key, record in state[entity.name].items():
                records += 1
                assert entity.key is None or record[entity.key] == key
                for field, target in entity.references.items():
                    named = record.get(field)
                    for one in named if isinstance(named, list) else [named]:
                        assert one is None or one in state[target]

    run()
    assert records > 100


def test_typed_states_break_rules_that_types_do_not_know() -> None:
    bundle = get_bundle("envscaler/Library-v0")
    rules = load_invariants(bundle.invariants_source or "")
    broken: set[str] = set()

    @settings(max_examples=40)
    @given(strategies.states(bundle, reachable=False, max_size=4))
    def run(state: dict[str, Any]) -> None:
        broken.update(rule.name for rule in rules if rule.violations(state))

    run()
    assert len(broken) > len(rules) / 2
    assert "keys_and_references" not in broken


REFERENCES = """
from typing import Dict, List, Optional, TypedDict

class Node(TypedDict):
    node_id: str
    above: str
    beside: Optional[str]
    below: List[str]

class Leaf(TypedDict, total=False):
    on: str

class Tree:
    def __init__(self):
        self.nodes: Dict[str, Node] = {}
        self.leaves: Dict[str, Leaf] = {}
        self.roots: Dict[str, dict] = {}
        self.free = None
        self.count: int = 0

    def look(self):
        return {"success": True, "data": None}
"""


@pytest.mark.parametrize("roots", [{}, {"R": {}}], ids=["no roots", "a root"])
def test_records_that_must_name_another_need_one(roots: dict[str, Any]) -> None:
    bundle = toys.make_bundle(REFERENCES, "Tree", [], {"s": {"roots": roots}})
    entities = (
        Entity(name="nodes", key="node_id", references={"above": "roots", "beside": "nodes", "below": "leaves"}),
        Entity(name="leaves", references={"on": "roots"}),
    )
    manifest = bundle.manifest.model_copy(update={"entities": entities})
    bundle = Bundle(manifest, bundle.source, None, bundle.start_states, bundle.scenarios)
    seen = Counter[str]()

    @given(strategies.states(bundle, reachable=False, max_size=3))
    def run(state: dict[str, Any]) -> None:
        assert StateTypes.of(bundle).problems(state) == []
        assert state["roots"] == roots
        assert type(state["count"]) is int
        assert "free" not in state
        for node in state["nodes"].values():
            assert node["above"] == "R"
            assert node["beside"] is None or node["beside"] in state["nodes"]
            assert set(node["below"]) <= set(state["leaves"])
            seen["beside"] += node["beside"] is not None
            seen["below"] += bool(node["below"])
        seen["nodes"] += len(state["nodes"])
        seen["leaves"] += len(state["leaves"])
        seen["on"] += sum("on" in leaf for leaf in state["leaves"].values())

    run()
    assert seen["leaves"]
    assert [bool(seen[what]) for what in ("nodes", "beside", "below", "on")] == [bool(roots)] * 4


def test_drawing_leaves_the_bundle_as_it_was(tmp_path: Path) -> None:
    get_bundle(toys.TEA_SHOP_ID).save(tmp_path)
    bundle = load_bundle(tmp_path)
    before = copy_state([start.state for start in bundle.start_states.values()]), bundle.digest

    def spoil(value: Any) -> None:
        for item in list(value.values()) if isinstance(value, dict) else list(value):
            if isinstance(item, dict | list):
                spoil(item)
        value.clear()

    @FEW
    @given(
        st.tuples(
            strategies.calls(bundle).map(lambda call: call.arguments),
            strategies.states(bundle, trust=True),
            strategies.states(bundle, reachable=False),
        )
    )
    def run(drawn: tuple[Any, ...]) -> None:
        for value in drawn:
            spoil(value)

    run()
    assert (copy_state([start.state for start in bundle.start_states.values()]), bundle.digest) == before


def test_values_that_no_argument_can_have_are_not_drawn() -> None:
    tool = toys.tea_shop().tools["order_tea"]
    state = {"teas": {"T-1": {"name": "\ud800", "grams": 10**101, "note": "x" * 100_001, "price": float("nan")}}}

    @given(strategies.arguments(tool, state))
    def run(arguments: dict[str, JSON]) -> None:
        tool.validate(arguments)

    run()


def test_solutions_that_do_not_fit_the_schemas_are_left_out() -> None:
    bundle = toys.tea_shop()
    wrong = bundle.scenario("both").model_copy(update={"solution": toys.solution(("get_tea", {"tea_id": 1}))})
    bundle = Bundle(bundle.manifest, bundle.source, None, bundle.start_states, {"both": wrong})

    @FEW
    @given(st.lists(strategies.calls(bundle, tools=["get_tea"]), min_size=10, max_size=10))
    def run(calls: list[ToolCall]) -> None:
        for call in calls:
            bundle.tools["get_tea"].validate(call.arguments)

    run()


def test_solutions_are_tried_and_shrunk_away() -> None:
    bundle = toys.tea_shop()
    calls = strategies.calls(bundle, tools=["order_tea"])
    solved = {"tea_id": "T-1", "grams": 100, "note": "gift"}
    assert find(calls, lambda call: call.arguments == solved).arguments == solved
    assert find(calls, lambda call: call.arguments["grams"] == 100).arguments == {"tea_id": "T-1", "grams": 100}


def test_there_must_be_something_to_draw_from() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'get_tea'"):
        strategies.calls(toys.tea_shop(), tools=["get_te"])
    empty = toys.make_bundle(toys.TEA_SHOP_SOURCE, "TeaShop", [], {})
    with pytest.raises(BundleError, match="has no scenarios"):
        strategies.call_sequences(empty)
    with pytest.raises(BundleError, match="has no start states"):
        strategies.calls(empty)


def test_the_seed_of_an_episode_is_the_environments() -> None:
    env = gym.make(toys.TEA_SHOP_ID).unwrapped
    assert isinstance(env, ToolEnv)
    env.reset(seed=0, options={"scenario": "both"})
    assert strategies.episode_seed(env.episode.scenario) == env.episode_seed
