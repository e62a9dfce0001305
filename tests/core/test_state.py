"""Copies, JSON text, canonical bytes, digests and differences of states."""

from __future__ import annotations

import copy
import datetime
import enum
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envscaler_gym.state import Change, canonical_json, copy_state, diff, digest, to_json

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)
states = st.dictionaries(st.text(max_size=3), json_values, max_size=4)


class Color(enum.Enum):
    RED = "red"


class Mute:
    def __str__(self) -> str:
        raise RuntimeError("no text")


class BadMapping(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("no items")


def containers(value: Any) -> list[Any]:
    """Return all dicts and lists inside a value."""
    if isinstance(value, dict):
        return [value, *(c for item in value.values() for c in containers(item))]
    if isinstance(value, list):
        return [value, *(c for item in value for c in containers(item))]
    return []


@given(json_values)
def test_a_copy_is_equal_and_shares_no_container(value: Any) -> None:
    made = copy_state(value)
    assert json.dumps(made) == json.dumps(value)
    assert not {id(c) for c in containers(made)} & {id(c) for c in containers(value)}


def test_copies_keep_what_is_not_json() -> None:
    value = {"t": (1, [2]), "s": {3}, "d": datetime.date(2024, 1, 1), 5: None}
    made = copy_state(value)
    assert made == value
    made["t"][1].append(9)
    made["s"].add(9)
    assert value["t"] == (1, [2])
    assert value["s"] == {3}


@given(json_values)
def test_json_text_is_read_back_as_the_same_value(value: Any) -> None:
    assert json.loads(to_json(value)) == value
    assert json.loads(to_json(value, ordered_sets=True)) == value


@pytest.mark.parametrize("ordered_sets", [False, True])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": float("nan"), "b": float("inf"), "c": -float("inf")}, '{"a":null,"b":null,"c":null}'),
        ([10**30, -(10**30)], f"[{10**30},{-(10**30)}]"),
        ({1: "a", None: "b", (2, 3): "c", False: "d"}, '{"1":"a","null":"b","[2,3]":"c","false":"d"}'),
        ({"k": (1, (2,))}, '{"k":[1,[2]]}'),
        (datetime.date(2024, 2, 29), '"2024-02-29"'),
        (datetime.datetime(2024, 2, 29, 1, 2), '"2024-02-29T01:02:00"'),  # noqa: DTZ001 - naive on purpose
        (datetime.time(1, 2), '"01:02:00"'),
        (Color.RED, '"red"'),
        ("\ud800", '"\\ud800"'),
        ({"\udfff": "é"}, '{"\\udfff":"\\u00e9"}'),
        (1j, '"1j"'),
        ([Mute()], '["<Mute whose str raised RuntimeError>"]'),
    ],
)
def test_what_json_lacks_becomes_its_nearest_relative(value: Any, text: str, ordered_sets: bool) -> None:
    assert to_json(value, ordered_sets=ordered_sets) == text
    to_json(value).encode()


def test_integers_that_python_refuses_to_print_are_written_as_text() -> None:
    text = to_json({"n": 10**6000, "m": -(10**6000)})
    assert json.loads(text) == {"n": "<int of 19932 bits>", "m": "<int of 19932 bits>"}
    assert digest({"n": 10**6000}).startswith("sha256:")
    assert to_json({10**6000: 1}) == '{"<int of 19932 bits>":1}'


def test_addresses_of_objects_do_not_show() -> None:
    assert "0x" not in to_json([object(), Color, threading.Lock(), test_addresses_of_objects_do_not_show])


def test_a_mapping_that_raises_is_written_as_text() -> None:
    assert to_json([BadMapping(a=1), 1j], ordered_sets=True) == '["<BadMapping whose str raised RuntimeError>","1j"]'


def deep() -> Any:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    return value


def ring() -> Any:
    value: list[Any] = []
    value += [value, value, value]
    return value


def crowd() -> Any:
    people: list[Any] = [{"friends": []} for _ in range(40)]
    for person in people:
        person["friends"] = people
    return people


@pytest.mark.parametrize("make", [ring, crowd])
@pytest.mark.parametrize("encode", [to_json, canonical_json])
def test_values_without_end_are_written_in_finite_time(make: Callable[[], Any], encode: Callable[[Any], Any]) -> None:
    assert json.loads(encode(make())) is not None


def test_deep_nesting_is_written() -> None:
    assert to_json(deep()).startswith("[[[[")
    assert to_json({"deep": deep(), "set": {1}}, ordered_sets=True).startswith('{"deep":[[[[')


def test_sets_are_sorted_whatever_they_hold() -> None:
    mixed = {"b", "a", 3, None, (1, 2), frozenset({"y", "x"})}
    expected = '["a","b",3,["x","y"],[1,2],null]'
    assert to_json(mixed, ordered_sets=True) == expected
    assert json.loads(canonical_json({"s": mixed}))["s"] is not None


def test_sets_do_not_depend_on_the_hash_seed(run_python: Callable[..., str]) -> None:
    code = (
        "from envscaler_gym.state import digest, to_json\n"
        "words = {f'word{i}' for i in range(50)}\n"
        "print(digest({'s': words, 'm': words | {1, None}}), to_json({'s': words}, ordered_sets=True))"
    )
    assert run_python(code, PYTHONHASHSEED="1") == run_python(code, PYTHONHASHSEED="2")


@given(json_values)
def test_canonical_bytes_read_back(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(max_size=4), json_values, min_size=2, max_size=5), st.randoms())
def test_digests_do_not_depend_on_the_order_of_keys(value: dict[str, Any], random: Any) -> None:
    keys = list(value)
    random.shuffle(keys)
    assert digest({key: value[key] for key in keys}) == digest(value)


@given(states, states)
def test_different_states_have_different_digests(one: Any, other: Any) -> None:
    assert (digest(one) == digest(other)) == (_sorted_text(one) == _sorted_text(other))


def _sorted_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def apply(changes: list[Change], state: Any) -> Any:
    """Return a state with differences applied."""
    box = {"root": copy.deepcopy(state)}
    for change in changes:
        path: list[Any] = ["root", *change.path]
        at: Any = box
        for key in path[:-1]:
            at = at[key]
        if change.kind == "removed":
            del at[path[-1]]
        else:
            at[path[-1]] = copy.deepcopy(change.after)
    return box["root"]


@given(states, states)
def test_applying_the_differences_gives_the_other_state(before: Any, after: Any) -> None:
    changes = diff(before, after)
    assert _sorted_text(apply(changes, before)) == _sorted_text(after)
    assert bool(changes) == (_sorted_text(before) != _sorted_text(after))


def test_differences_say_where_and_what() -> None:
    before = {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    after = {"a": {"x": True, "y": [1, 3]}, "c": {"z": 1}}
    assert [str(change) for change in diff(before, after)] == [
        "~ a.x: 1 -> true",
        "~ a.y.1: 2 -> 3",
        "- b (was 1)",
        '+ c = {"z":1}',
    ]
    assert diff(before, copy.deepcopy(before)) == []
