"""Forks: snapshots, pickles and deep copies of a running episode go on exactly as the original does."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import gymnasium as gym
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envscaler_gym import ToolEnv, registry
from envscaler_gym.state import digest
from tests import toys
from tests.core.transcripts import make

IDS = (*registry.shipped_ids(), toys.TEA_SHOP_ID, "envscaler/Suite-v0")
ORDER: Any = {"name": "order_tea", "arguments": {"tea_id": "T-1", "grams": 5}}


@lru_cache
def environment(id_: str, copy_number: int = 0) -> ToolEnv:
    return make(id_, render_mode="ansi" if copy_number == 2 else None, max_steps=500)


def state_of(env: ToolEnv) -> Any:
    return digest(env.episode.world.state()), env.episode._ambient.now(), env._seed, env._number, env._steps


def actions(env: ToolEnv, number: int) -> list[Any]:
    """Take random calls, and return them with what came of them."""
    taken = []
    for _ in range(number):
        action = env.sample_action()
        taken.append((action, env.step(action)))
    return taken


@pytest.mark.parametrize("id_", IDS)
def test_restoring_goes_back_and_replays_equal(id_: str) -> None:
    @settings(max_examples=15)
    @given(st.integers(0, 30), st.integers(0, 8), st.integers(1, 8), st.integers(0, 2))
    def run(seed: int, prefix: int, length: int, other: int) -> None:
        env = environment(id_)
        env.reset(seed=seed)
        actions(env, prefix)
        here = state_of(env)
        snapshot = env.snapshot()
        frozen = pickle.dumps(snapshot)
        original = actions(env, length), state_of(env)
        env.restore(snapshot)
        assert state_of(env) == here
        # A fork that does something else, in between.
        env.step({"content": "Enough."})
        elsewhere = environment(id_, other)
        for taken_from in (snapshot, pickle.loads(frozen)):
            elsewhere.restore(taken_from)
            assert state_of(elsewhere) == here
            replayed = [(action, elsewhere.step(action)) for action, _ in original[0]]
            assert (replayed, state_of(elsewhere)) == original
        assert pickle.dumps(snapshot) == frozen

    run()


COPIES: dict[str, Callable[[ToolEnv], ToolEnv]] = {
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("id_", IDS)
@pytest.mark.parametrize("kind", COPIES)
def test_copies_of_a_running_environment_go_on_alike(id_: str, kind: str) -> None:
    env = make(id_, max_steps=40)
    env.reset(seed=3)
    env.reset()
    env.action_space.seed(5)
    actions(env, 4)
    twin = COPIES[kind](env)
    assert state_of(twin) == state_of(env)
    assert [env.action_space.sample() for _ in range(5)] == [twin.action_space.sample() for _ in range(5)]
    assert actions(twin, 6) == actions(env, 6)
    assert twin.step({"content": "x"}) == env.step({"content": "x"})
    assert twin.score == env.score
    for _ in range(3):
        assert twin.reset() == env.reset()
        assert actions(twin, 3) == actions(env, 3)
    assert twin.spec == env.spec


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_independent(kind: str) -> None:
    env = make(toys.TEA_SHOP_ID)
    env.reset(seed=0)
    twin = COPIES[kind](env)
    before = state_of(env)
    assert twin.step(ORDER)[4]["outcome"] == "success"
    assert state_of(env) == before


@pytest.mark.parametrize("kind", COPIES)
def test_environments_can_be_copied_before_reset_after_the_end_and_when_closed(kind: str) -> None:
    env = make(toys.TEA_SHOP_ID, split="test", max_steps=7)
    fresh = COPIES[kind](env)
    assert fresh.reset(seed=9) == env.reset(seed=9)
    env.step({"content": "x"})
    ended = COPIES[kind](env)
    with pytest.raises(gym.error.ResetNeeded):
        ended.step({"content": "x"})
    assert ended.score == env.score
    assert ended.reset() == env.reset()
    env.close()
    closed = COPIES[kind](env)
    with pytest.raises(gym.error.ResetNeeded):
        closed.step({"content": "x"})
    assert closed.reset() == env.reset()
    assert closed._number == env._number == 2


def test_a_copy_keeps_the_limit_that_make_was_given() -> None:
    env = gym.make(toys.TEA_SHOP_ID, max_episode_steps=2).unwrapped
    twin = copy.deepcopy(env)
    assert twin.reset(seed=0)[1]["max_steps"] == 2


def test_a_wrapped_environment_can_be_copied() -> None:
    env = gym.make(toys.TEA_SHOP_ID, max_episode_steps=5)
    env.reset(seed=0)
    env.step(ORDER)
    twin = copy.deepcopy(env)
    assert [twin.step(ORDER) for _ in range(4)] == [env.step(ORDER) for _ in range(4)]


def test_forks_diverge() -> None:
    env = make(toys.TEA_SHOP_ID)
    env.reset(seed=0, options={"scenario": "order-sencha"})
    root = env.snapshot()
    rewards = {}
    for grams in (5, 100):
        env.restore(root)
        env.step({"name": "order_tea", "arguments": {"tea_id": "T-1", "grams": grams}})
        rewards[grams] = env.step({"content": "x"})[1]
    assert rewards == {5: 0.0, 100: 1.0}


def test_a_snapshot_of_an_ended_episode_holds_its_score() -> None:
    env = make(toys.TEA_SHOP_ID)
    env.reset(seed=0, options={"scenario": "order-sencha"})
    running = env.snapshot()
    env.step({"content": "x"})
    ended, score = env.snapshot(), env.score
    env.restore(running)
    assert env.score is None
    assert not env.step(ORDER)[2]
    env.restore(ended)
    assert env.score == score
    with pytest.raises(gym.error.ResetNeeded):
        env.step(ORDER)


def test_a_conversation_is_forked_with_what_was_said() -> None:
    env = make(toys.TEA_SHOP_ID, mode="conversation")
    env.reset(seed=0, options={"scenario": "both"})
    first = env.snapshot()
    second_turn = env.step({"content": "Yes?"})
    middle = pickle.loads(pickle.dumps(env.snapshot()))
    end = env.step({"content": "Done."})
    env.restore(middle)
    assert env.step({"content": "Done."}) == end
    env.restore(first)
    assert env.step({"content": "Yes?"}) == second_turn


def test_ids_and_the_clock_are_forked() -> None:
    env = make(toys.TEA_SHOP_ID)
    env.reset(seed=0)
    root = env.snapshot()
    calls = [ORDER, {"name": "opening_hours", "arguments": {}}, ORDER, {"name": "surprise", "arguments": {}}]
    first = [env.step(call)[0] for call in calls]
    env.restore(root)
    assert [env.step(call)[0] for call in calls] == first
    assert first[0] != first[2]


def test_records_that_the_state_holds_twice_stay_one_record() -> None:
    """What two attributes refer to together is still shared after a fork."""
    env = make(toys.HOSTILE_ID)
    env.reset(seed=0, options={"scenario": "calm"})
    env.step({"name": "share", "arguments": {}})
    snapshot = env.snapshot()
    count: Any = {"name": "count", "arguments": {}}
    straight = [env.step(count)[0] for _ in range(3)]
    assert straight[-1] == '{"success":true,"data":3}'
    for taken_from in (snapshot, pickle.loads(pickle.dumps(snapshot))):
        env.restore(taken_from)
        assert [env.step(count)[0] for _ in range(3)] == straight


def test_the_next_episode_is_clean() -> None:
    env = make(toys.TEA_SHOP_ID)
    first = env.reset(seed=0, options={"scenario": "both"}), state_of(env)[:2]
    actions(env, 10)
    assert (env.reset(seed=0, options={"scenario": "both"}), state_of(env)[:2]) == first
