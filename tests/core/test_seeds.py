"""The same seed gives the same episodes, byte for byte, in any process; nothing process-wide is read or written."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from envscaler_gym import ScenarioError, ToolEnv, registry
from envscaler_gym.draw import draw
from tests import toys
from tests.core import transcripts
from tests.core.transcripts import make, played

IDS = (*registry.shipped_ids(), toys.TEA_SHOP_ID, "envscaler/Suite-v0")


@pytest.fixture(scope="module")
def elsewhere() -> list[str]:
    """What two interpreters with different hash seeds play."""
    command = [sys.executable, str(Path(transcripts.__file__)), *IDS]
    processes = [
        subprocess.Popen(
            command, env=os.environ | {"PYTHONHASHSEED": hash_seed, "TZ": zone}, stdout=subprocess.PIPE, text=True
        )
        for hash_seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    ]
    return [process.communicate(timeout=100)[0] for process in processes]


def test_other_processes_play_the_same(elsewhere: list[str]) -> None:
    here = "".join(line + "\n" for id_ in IDS for line in played(make(id_), seed=7))
    assert elsewhere[0] == elsewhere[1]
    assert elsewhere[0] == here
    assert len(here) > 10_000


@pytest.mark.parametrize("id_", IDS)
def test_the_same_environment_plays_the_same_again(id_: str) -> None:
    env = make(id_)
    first = list(played(env, seed=3))
    assert list(played(env, seed=3)) == first
    assert list(played(make(id_), seed=3)) == first
    assert list(played(env, seed=4)) != first


def test_process_wide_generators_and_clocks_are_left_alone() -> None:
    random.seed(1)  # noqa: TID251 - to see that nobody else does
    np.random.seed(1)  # noqa: NPY002, TID251 - ditto
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002 - ditto
    first = list(played(make(toys.TEA_SHOP_ID), seed=0))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # type: ignore[index]  # noqa: NPY002
    random.seed(2)  # noqa: TID251 - ditto
    assert list(played(make(toys.TEA_SHOP_ID), seed=0)) == first


def test_interleaved_environments_do_not_mix() -> None:
    alone = [list(played(make(toys.TEA_SHOP_ID), seed=seed)) for seed in (1, 2)]
    mixed: list[list[str]] = [[], []]
    players = [played(make(toys.TEA_SHOP_ID), seed=seed) for seed in (1, 2)]
    while True:
        lines = [next(player, None) for player in players]
        if lines == [None, None]:
            break
        for transcript, line in zip(mixed, lines, strict=True):
            transcript.extend([] if line is None else [line])
    assert mixed == alone


def test_threads_do_not_mix() -> None:
    alone = [list(played(make(toys.TEA_SHOP_ID), seed=seed, episodes=8)) for seed in range(4)]
    together: dict[int, list[str]] = {}

    def work(seed: int) -> None:
        together[seed] = list(played(make(toys.TEA_SHOP_ID), seed=seed, episodes=8))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[seed] for seed in range(4)] == alone


def test_episodes_differ_and_are_numbered_from_the_seed() -> None:
    env = ToolEnv(toys.TEA_SHOP_ID)
    drawn = [env.reset(seed=5 if number == 0 else None)[1]["scenario"] for number in range(12)]
    assert len(set(drawn)) == 4  # the fifth cannot be graded
    assert [env.reset(seed=5 if number == 0 else None)[1]["scenario"] for number in range(12)] == drawn


def test_ids_of_two_episodes_of_one_scenario_differ() -> None:
    env = ToolEnv(toys.TEA_SHOP_ID)
    replies = []
    for number in range(2):
        env.reset(seed=0 if number == 0 else None, options={"scenario": "both"})
        replies.append(env.step({"name": "order_tea", "arguments": {"tea_id": "T-1", "grams": 1}})[0])
    assert replies[0] != replies[1]


def test_without_a_seed_environments_differ() -> None:
    seeds = set()
    for _ in range(3):
        env = ToolEnv(toys.TEA_SHOP_ID)
        env.reset()
        seeds.add(env.np_random_seed)
    assert len(seeds) == 3


def test_a_refused_reset_does_not_count_as_an_episode() -> None:
    env = ToolEnv(toys.TEA_SHOP_ID)
    env.reset(seed=5)
    expected = [env.reset()[1]["scenario"] for _ in range(6)]
    env.reset(seed=5)
    with pytest.raises(ScenarioError, match="no scenario"):
        env.reset(options={"scenario": "nowhere"})
    with pytest.raises(ValueError, match="Unknown reset options"):
        env.reset(options={"colour": "red"})
    assert [env.reset()[1]["scenario"] for _ in range(6)] == expected


def test_draws_are_even_and_independent() -> None:
    items = list("abcde")
    counts = Counter(draw(items, seed, number) for seed in range(50) for number in range(40))
    assert min(counts.values()) > 320
    pairs = Counter((draw(items, seed, 0), draw(items, seed, 0, "other")) for seed in range(2500))
    assert len(pairs) == 25
    assert min(pairs.values()) > 60
