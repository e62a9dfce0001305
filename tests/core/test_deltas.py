"""A start state that is stored as a delta is the same state, key for key and in the same order."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envscaler_gym import registry
from envscaler_gym.bundle import SCENARIOS, load_bundle
from envscaler_gym.deltas import apply_delta, delta
from envscaler_gym.errors import BundleError
from envscaler_gym.scenario import StartState

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=8,
)
STATES = st.dictionaries(st.text("abc", min_size=1, max_size=2), VALUES, max_size=4)


@given(STATES, STATES)
def test_a_delta_leads_from_one_state_to_the_other_or_there_is_none(
    base: dict[str, Any], state: dict[str, Any]
) -> None:
    before = json.dumps(base)
    changes = delta(base, state)
    if changes is not None:
        assert json.dumps(apply_delta(base, json.loads(json.dumps(changes)))) == json.dumps(state)
    else:  # it would put keys in another order
        assert list(state) != list(base) or json.dumps(state, sort_keys=True) != json.dumps(base, sort_keys=True)
    assert json.dumps(base) == before


def test_what_is_the_same_is_not_said_again() -> None:
    base = {"rooms": {"1": {"status": "clean"}, "2": {"status": "dirty"}}, "notes": ["a", "b"]}
    state = {"rooms": {"1": {"status": "dirty"}, "3": {"status": "clean"}}, "notes": ["a", "c"]}
    assert delta(base, state) == {
        "changed": [[["rooms", "1", "status"], "dirty"], [["rooms", "3"], {"status": "clean"}], [["notes", 1], "c"]],
        "removed": [["rooms", "2"]],
    }


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"changed": 1, "removed": []},
        {"changed": [[["x", "y"], 1]], "removed": []},
        {"changed": [], "removed": [["x"]]},
    ],
)
def test_a_delta_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="do not fit the state"):
        apply_delta({"rooms": {}}, changes)


def test_bundles_store_variants_as_deltas_and_read_them_back(tmp_path: Path) -> None:
    bundle = registry.get_bundle("envscaler/Library-v0")
    name, start = next(iter(bundle.start_states.items()))
    state = copy.deepcopy(dict(start.state))
    next(iter(state["members"].values()))["name"] = "Somebody Else"
    variant = StartState(id="variant", state=state)
    more = replace(bundle, start_states={**bundle.start_states, "variant": variant})
    more.save(tmp_path)
    line = next(line for line in (tmp_path / SCENARIOS).read_text().splitlines() if '"id":"variant"' in line)
    assert json.loads(line)["based_on"] == name
    assert len(line) < 300
    again = load_bundle(tmp_path)
    assert again.start_states["variant"] == variant
    assert again.digest == more.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: line.replace('"based_on":"', '"based_on":"no'), "no start state 'no"),
        (
            lambda line: line.replace('"removed":[]', '"remove":[]'),
            "'changes' with 'changed' and 'removed', and no 'state'",
        ),
        (lambda line: line.replace('"members"', '"nobody"'), "the changes do not fit the state: KeyError: 'nobody'"),
    ],
)
def test_a_delta_that_cannot_be_read_is_named_by_its_line(
    tmp_path: Path, change: Callable[[str], str], message: str
) -> None:
    test_bundles_store_variants_as_deltas_and_read_them_back(tmp_path)
    path = tmp_path / SCENARIOS
    lines = path.read_text().splitlines()
    number = next(number for number, line in enumerate(lines) if '"id":"variant"' in line)
    lines[number] = change(lines[number])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(BundleError, match=f"{SCENARIOS}:{number + 1}: .*{message}"):
        load_bundle(tmp_path, verify=False)
