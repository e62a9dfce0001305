"""Faults are announced, end, and leave every task solvable."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import gymnasium as gym
import pytest

from envscaler_gym import ToolEnv, registry
from envscaler_gym.wrappers import Faults
from tests import toys
from tests.wrappers.conftest import Make, core

ORDER: Any = {"name": "order_tea", "arguments": {"tea_id": "T-1", "grams": 100}}
LIST: Any = {"name": "list_teas", "arguments": {}}
DONE: Any = {"content": "Done."}


def persist(env: gym.Env[Any, Any], action: Any) -> tuple[Any, list[dict[str, Any]]]:
    """Make a call until it works; return the step and the faults before."""
    faults: list[dict[str, Any]] = []
    while True:
        result = env.step(action)
        if "fault" not in result[4]:
            return result, faults
        faults.append(result[4]["fault"])


def solve(env: gym.Env[Any, Any]) -> tuple[float, list[dict[str, Any]]]:
    """Play the reference solution, each call until it works."""
    faults: list[dict[str, Any]] = []
    for call in core(env).episode.scenario.solution:
        faults += persist(env, {"name": call.name, "arguments": dict(call.arguments)})[1]
    return float(env.step(DONE)[1]), faults


@pytest.mark.parametrize(("kind", "status"), [("unavailable", 503), ("rate_limited", 429), ("timeout", 504)])
def test_a_call_that_fails_does_not_run_and_says_so(tea: Make, kind: Any, status: int) -> None:
    env = Faults(tea(), rate=1.0, kinds=[kind], in_a_row=1)
    env.reset(seed=0, options={"scenario": "order-sencha"})
    before = core(env).episode.snapshot()
    observation, reward, terminated, truncated, info = env.step(ORDER)
    assert core(env).episode.snapshot() == before
    answer = json.loads(observation)
    assert (answer["success"], answer["status"]) == (False, status)
    assert "order_tea" in answer["error"]
    assert "not carried out" in answer["error"]
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert info == {"outcome": "refused", "fault": {"kind": kind, "ran": False, "in_a_row": 1}}
    assert env.step(ORDER)[4] == {"outcome": "success"}


def test_half_a_list_arrives(tea: Make) -> None:
    env = Faults(tea(), rate=1.0, kinds=["partial"], in_a_row=1)
    env.reset(seed=0, options={"scenario": "order-sencha"})
    assert env.step(ORDER)[4] == {"outcome": "success"}  # it changes something, so it is left alone
    assert env.step(LIST)[4] == {"outcome": "success"}  # a dict, not a list
    library = Faults(gym.make("envscaler/Library-v0"), rate=1.0, kinds=["partial"], in_a_row=1)
    library.reset(seed=0)
    action: Any = {"name": "list_copies", "arguments": {}}
    cut, full = (json.loads(library.step(action)[0]) for _ in range(2))
    assert "partial" not in full
    assert cut["data"] == full["data"][: len(full["data"]) // 2]
    assert (cut["success"], cut["partial"]) == (True, True)
    assert f"{len(cut['data'])} of {len(full['data'])}" in cut["warning"]


def test_a_lost_reply_hides_what_was_done(tea: Make) -> None:
    env = Faults(tea(), rate=1.0, kinds=["lost_reply"], in_a_row=1)
    env.reset(seed=0, options={"scenario": "order-sencha"})
    observation, _, _, _, info = env.step(ORDER)
    assert json.loads(observation)["success"] is False
    assert "may or may not" in observation
    assert info["fault"] == {"kind": "lost_reply", "ran": True, "in_a_row": 1}
    assert len(core(env).episode.world.state()["orders"]) == 1
    assert env.step(DONE)[1] == 1.0


@pytest.mark.parametrize("id_", registry.shipped_ids())
def test_every_task_is_solved_by_trying_again_with_as_few_steps_as_before(id_: str) -> None:
    met: Counter[str] = Counter()
    for scenario in list(registry.get_bundle(id_).scenarios.values()):
        env = Faults(ToolEnv(id_, max_steps=len(scenario.solution) + 1), rate=0.6, in_a_row=3, seed=1)
        env.reset(seed=0, options={"scenario": scenario.id})
        reward, faults = solve(env)
        assert reward == 1.0, scenario.id
        assert all(fault["in_a_row"] <= 3 for fault in faults)
        met.update(fault["kind"] for fault in faults)
    assert set(met) == {"unavailable", "rate_limited", "timeout", "partial"}


def test_faults_end(tea: Make) -> None:
    env = Faults(tea(max_steps=5), rate=1.0, kinds=["unavailable"], in_a_row=4)
    env.reset(seed=0)
    _, faults = persist(env, LIST)
    assert [fault["in_a_row"] for fault in faults] == [1, 2, 3, 4]
    _, faults = persist(env, ORDER)
    assert len(faults) == 4
    steps = 2 * 5
    for grams in range(1, 100):  # never the same call twice
        steps += 1
        if env.step({"name": "order_tea", "arguments": {"tea_id": "T-1", "grams": grams}})[3]:
            break
    assert steps == 5 * 5


def test_calls_in_between_do_not_start_the_count_again(tea: Make) -> None:
    env = Faults(tea(max_steps=100), rate=1.0, kinds=["unavailable"], in_a_row=2)
    env.reset(seed=0)
    row: Counter[str] = Counter()
    longest: Counter[str] = Counter()
    for name in ("list_teas", "opening_hours", "surprise") * 20:  # every third call works
        row[name] = row[name] + 1 if "fault" in env.step({"name": name, "arguments": {}})[4] else 0
        longest[name] = max(longest[name], row[name])
    assert max(longest.values()) == 2


def test_the_rate_is_what_was_asked_for(tea: Make) -> None:
    env = Faults(tea(max_steps=3000), rate=0.2, in_a_row=50)
    env.reset(seed=0)
    faults = sum("fault" in env.step({"name": "opening_hours", "arguments": {}})[4] for _ in range(2000))
    assert 300 < faults < 500


def test_messages_and_what_calls_no_tool_never_fail(tea: Make) -> None:
    env = Faults(tea(), rate=1.0)
    env.reset(seed=0)
    actions: list[Any] = [{"name": "no_tool", "arguments": {}}, {"x": 1}, DONE]
    outcomes = [env.step(action)[4]["outcome"] for action in actions]
    assert outcomes == ["unknown_tool", "malformed_action", "message"]


def test_the_last_answer_arrives(tea: Make) -> None:
    env = Faults(tea(max_steps=1), rate=1.0, kinds=["lost_reply"])
    env.reset(seed=0, options={"scenario": "order-sencha"})
    observation, reward, _, truncated, info = env.step(ORDER)
    assert (reward, truncated) == (1.0, True)
    assert "fault" not in info
    assert json.loads(observation)["success"] is True


def test_other_seeds_give_other_faults(tea: Make) -> None:
    def kinds(**arguments: Any) -> list[str]:
        env = Faults(tea(max_steps=100), rate=0.5, **arguments)
        env.reset(seed=0)
        return [env.step(LIST)[4].get("fault", {}).get("kind", "") for _ in range(40)]

    assert kinds() == kinds()
    assert kinds(seed=1) != kinds()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": 1.5}, "rate must be from 0 to 1, got 1.5"),
        ({"kinds": ["explosion"]}, "kinds must be a list of some of unavailable.*'explosion'"),
        ({"kinds": "timeout"}, "kinds must be a list"),
        ({"in_a_row": 0}, "in_a_row must be at least 1, got 0"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Faults(ToolEnv(toys.TEA_SHOP_ID), **arguments)
