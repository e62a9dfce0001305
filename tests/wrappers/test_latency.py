"""Time passes on the virtual clock, and generated code sees it."""

from __future__ import annotations

import datetime
import json
import statistics
from typing import Any

import pytest

from envscaler_gym import ToolEnv
from envscaler_gym.wrappers import Latency
from tests import toys
from tests.wrappers.conftest import Make, core

CLOCK: Any = {"name": "opening_hours", "arguments": {}}


def read(observation: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(json.loads(observation)["data"])


@pytest.mark.parametrize("isolation", ["process", "worker"])
def test_generated_code_sees_the_time_pass(tea: Make, isolation: str) -> None:
    plain, slow = tea(isolation=isolation), Latency(tea(isolation=isolation), median=5.0)
    waited = 0.0
    plain.reset(seed=3)
    slow.reset(seed=3)
    for _ in range(5):
        observation, _, _, _, info = slow.step(CLOCK)
        waited += info["latency"]
        assert info["latency"] > 0
        assert read(observation) - read(plain.step(CLOCK)[0]) == datetime.timedelta(seconds=round(waited, 3))
    order: Any = {"name": "order_tea", "arguments": {"tea_id": "T-1", "grams": 1}}
    for env in (plain, slow):
        env.step(order)
    first, second = (next(iter(core(env).episode.world.state()["orders"].values()))["at"] for env in (plain, slow))
    assert datetime.datetime.fromisoformat(second) - datetime.datetime.fromisoformat(first) > datetime.timedelta(
        seconds=waited
    )


def test_times_have_the_distribution_that_was_asked_for(tea: Make) -> None:
    env = Latency(tea(max_steps=1001), median=0.5, spread=1.0, limit=10.0)
    env.reset(seed=0)
    times = [env.step(CLOCK)[4]["latency"] for _ in range(1000)]
    assert 0.42 < statistics.median(times) < 0.58
    assert max(times) <= 10.0
    assert 0.1 < statistics.quantiles(times, n=20)[0] / 0.5 < 0.3  # exp(-1.645) = 0.19


def test_tools_can_differ_and_times_can_be_constant(tea: Make) -> None:
    env = Latency(tea(), median=1.0, spread=0.0, medians={"list_teas": 2.5}, limit=2.0)
    env.reset(seed=0)
    assert env.step(CLOCK)[4]["latency"] == 1.0
    assert env.step({"name": "list_teas", "arguments": {}})[4]["latency"] == 2.0


def test_messages_take_no_time(tea: Make) -> None:
    env = Latency(tea())
    env.reset(seed=0)
    assert "latency" not in env.step({"content": ""})[4]


@pytest.mark.parametrize("isolation", ["process", "worker"])
def test_a_fork_has_the_clock_of_its_moment(tea: Make, isolation: str) -> None:
    env = Latency(tea(isolation=isolation, max_steps=50), median=100.0)
    env.reset(seed=0)
    env.step(CLOCK)
    snapshot = core(env).snapshot()
    ahead = [env.step(CLOCK) for _ in range(3)]
    core(env).restore(snapshot)
    assert [env.step(CLOCK) for _ in range(3)] == ahead


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"median": -1.0}, "must not be negative, got -1.0"),
        ({"spread": float("inf")}, "must not be negative, got inf"),
        ({"medians": {"list_tea": 1.0}}, "no tool 'list_tea'. Did you mean 'list_teas'"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Latency(ToolEnv(toys.TEA_SHOP_ID), **arguments)
