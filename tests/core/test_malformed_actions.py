"""Whatever an agent sends is answered with an observation, and what is not a call leaves no trace."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from envscaler_gym import ToolEnv, registry
from envscaler_gym.state import digest
from tests import toys

IDS = (*registry.shipped_ids(), toys.TEA_SHOP_ID)
UNTOUCHED = {"malformed_action", "unknown_tool", "invalid_arguments"}


@lru_cache
def environment(id_: str, mode: str = "task") -> ToolEnv:
    env = ToolEnv(id_, trust=True, mode=mode, max_steps=10**6)
    env.reset(seed=0)
    return env


def act(env: ToolEnv, action: Any) -> tuple[Any, str]:
    """Take an action that may be anything, and check what holds of every step."""
    if not env._running:
        env.reset(seed=0)
    before = digest(env.episode.world.state()), env.episode._ambient.snapshot()
    observation, reward, terminated, truncated, info = env.step(action)
    after = digest(env.episode.world.state()), env.episode._ambient.snapshot()
    assert observation in env.observation_space
    assert not truncated
    outcome = info["outcome"]
    if terminated or outcome == "message":  # the end, or what the user says
        assert outcome == "message"
        assert before == after
        return observation, outcome
    assert reward == 0.0
    if outcome in UNTOUCHED:
        assert before == after
        refusal = json.loads(observation)
        assert refusal.keys() == {"success", "error"}
        assert refusal["success"] is False
        assert len(observation) < 5000
        return refusal["error"], outcome
    return json.loads(observation), outcome


class Rude(str):
    """A string that wants nothing to do with dictionaries."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # that is what it is for

    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def cyclic_list() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def cyclic_dict() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


def deep(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


ODD: dict[str, Callable[[], Any]] = {
    "huge integer": lambda: 10**5000,
    "long string": lambda: "x" * 200_000,
    "lone surrogate": lambda: "\ud800",
    "rude string": lambda: Rude("list_teas"),
    "no repr": Mute,
    "complex": lambda: 1j,
    "set": lambda: {1, 2},
    "class": lambda: object,
    "range": lambda: range(3),
    "numpy": lambda: np.arange(3),
    "cyclic list": cyclic_list,
    "cyclic dict": cyclic_dict,
    "nested": lambda: deep(40),
    "nested deeper": lambda: deep(2000),
}
TEXT = st.text(st.characters(codec=None), max_size=20)
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.binary(max_size=5)
    | st.sampled_from(sorted(ODD)).map(lambda name: ODD[name]()),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(TEXT | st.integers() | st.none(), children, max_size=3)
        | st.tuples(children)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["_audit", "__init__", "__class__", "__dict__", "__reduce__", "teas", "list_teas ", "List_Teas", "", "self", "step"]
)


@given(JUNK)
@example({"name": "list_teas"})
@example({"name": "list_teas", "arguments": {}, "content": "x"})
@example({"content": None})
@example({"content": "x", "extra": 1})
@example({})
def test_junk_is_an_observation(action: Any) -> None:
    message, outcome = act(environment(toys.TEA_SHOP_ID), action)
    if not (type(action) is dict and action.keys() == {"content"} and isinstance(action["content"], str)):
        assert outcome == "malformed_action"
        assert "Malformed action: got" in message


@pytest.mark.parametrize("odd", sorted(ODD))
def test_every_oddity_is_answered(odd: str) -> None:
    env = environment(toys.TEA_SHOP_ID)
    name = "unknown_tool" if odd != "rude string" else "success"
    assert act(env, ODD[odd]())[1] == "malformed_action"
    assert act(env, {"name": ODD[odd](), "arguments": {}})[1] == name
    assert act(env, {"name": "annotate", "arguments": ODD[odd]()})[1] == "invalid_arguments"
    assert act(env, {"name": "list_teas", "arguments": {"limit": ODD[odd]()}})[1] in ("success", "invalid_arguments")
    facts = {"facts": ODD[odd](), "tea_id": "T-1"}
    assert act(env, {"name": "annotate", "arguments": facts})[1] == "invalid_arguments"


@given(NAMES | JUNK, JUNK)
@example(["list_teas"], {})
@example({"list_teas"}, {})
def test_unknown_names_are_answered(name: Any, arguments: Any) -> None:
    message, outcome = act(environment(toys.TEA_SHOP_ID), {"name": name, "arguments": arguments})
    if isinstance(name, Rude):  # a string nevertheless
        assert outcome in ("success", "invalid_arguments")
    else:
        assert outcome == "unknown_tool"
        assert "The tools are: list_teas, get_tea," in message


@pytest.mark.parametrize("id_", IDS)
def test_junk_arguments_are_answered_by_every_tool(id_: str) -> None:
    env = environment(id_)
    tools = st.sampled_from(sorted(env.bundle.tools))

    @given(tools, st.data())
    def run(name: str, data: st.DataObject) -> None:
        properties = sorted(env.bundle.tools[name].spec.parameters["properties"])
        keys = st.sampled_from(properties) if properties else st.nothing()
        arguments = data.draw(
            JUNK | st.dictionaries(keys, JUNK) | st.fixed_dictionaries(dict.fromkeys(properties, JUNK))
        )
        message, outcome = act(env, {"name": name, "arguments": arguments})
        if outcome == "invalid_arguments":
            assert f"Expected {name}(" in message or "nested too deep" in message

    run()


@given(JUNK.filter(lambda value: not isinstance(value, dict)))
def test_arguments_that_are_no_object_are_refused(arguments: Any) -> None:
    _, outcome = act(environment(toys.TEA_SHOP_ID), {"name": "opening_hours", "arguments": arguments})
    assert outcome == "invalid_arguments"


@given(st.text(st.characters(codec=None), max_size=200) | st.just("x" * 300_000))
def test_any_message_reaches_the_user_and_changes_nothing(content: str) -> None:
    env = environment(toys.TEA_SHOP_ID, "conversation")
    _, outcome = act(env, {"content": content})
    assert outcome == "message"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({}, ["required argument 'tea_id' is missing", "required argument 'grams' is missing"]),
        ({"tea_id": "T-1", "gram": 5}, ["'grams' is missing", "unknown argument 'gram'", "Did you mean 'grams'?"]),
        ({"tea_id": "T-1", "grams": "5"}, ["argument 'grams': ", "valid integer", "got '5'"]),
        ({"tea_id": "T-1", "grams": True}, ["argument 'grams'", "got True"]),
        ({"tea_id": "T-1", "grams": 5.0}, ["argument 'grams'", "got 5.0"]),
        ({"tea_id": None, "grams": 5}, ["argument 'tea_id'", "got None"]),
        ({"tea_id": "T-1", "grams": 5, "rush": 1}, ["argument 'rush'", "got 1"]),
        ({"tea_id": "x" * 100_001, "grams": 5}, ["argument 'tea_id'", "100000 characters"]),
        ({"tea_id": "\ud800", "grams": 5}, ["argument 'tea_id'"]),
    ],
)
def test_an_error_says_the_value_and_what_is_allowed(arguments: dict[str, Any], parts: list[str]) -> None:
    message, outcome = act(environment(toys.TEA_SHOP_ID), {"name": "order_tea", "arguments": arguments})
    assert outcome == "invalid_arguments"
    for part in parts:
        assert part in message
    assert message.endswith("Expected order_tea(tea_id: string, grams: integer, note?: string | null, rush?: boolean).")


def test_a_near_name_is_suggested() -> None:
    message, _ = act(environment(toys.TEA_SHOP_ID), {"name": "order_teas", "arguments": {}})
    assert message.startswith("Unknown tool 'order_teas'. Did you mean 'order_tea'")


@pytest.mark.parametrize("kind", [dict, np.str_])
def test_strings_of_other_types_are_strings(kind: type) -> None:
    env = environment(toys.TEA_SHOP_ID)
    name, tag = (np.str_("list_teas"), np.str_("green")) if kind is np.str_ else ("list_teas", "green")
    reply, outcome = act(env, {"name": name, "arguments": {"tag": tag}})
    assert (reply, outcome) == ({"success": True, "data": {"T-1": "Sencha"}}, "success")


def test_errors_count_as_steps_and_the_episode_goes_on() -> None:
    env = ToolEnv(toys.TEA_SHOP_ID, max_steps=3)
    env.reset(seed=0, options={"scenario": "order-sencha"})
    assert env.step(None)[2:4] == (False, False)  # type: ignore[arg-type]  # on purpose
    assert env.step({"name": "brew", "arguments": {}})[2:4] == (False, False)
    _, reward, terminated, truncated, info = env.step({"name": "get_tea", "arguments": {}})
    assert (reward, terminated, truncated, info["outcome"]) == (0.0, False, True, "invalid_arguments")
    assert info["score"]["total"] >= 1
