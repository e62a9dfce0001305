from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import gymnasium as gym
import pytest

from envscaler_gym import ToolEnv
from envscaler_gym.ambient import Ambient
from envscaler_gym.errors import UnreviewedCodeError, WorkerCrash
from envscaler_gym.isolation import IsolatedWorld, Limits, level_of
from envscaler_gym.isolation.spawning import SPAWNER
from envscaler_gym.registry import get_bundle

ROOT = Path(__file__).parents[2]
START = {"items": {"start": "here"}}
MakeWorld = Callable[..., IsolatedWorld]
MakeBundle = Callable[..., str]


def ambient() -> Ambient:
    return Ambient("2025-09-01T09:00:00", "seed")


def children(pid: int) -> set[int]:
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        found |= {int(child) for child in (task / "children").read_text().split()}
    return found


def count_handles(pid: int | str = "self") -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def zygote_pid() -> int:
    zygote = SPAWNER._zygote
    assert zygote is not None
    return zygote._process.pid


def test_calls_change_the_state_of_the_worker(make_world: MakeWorld) -> None:
    world = make_world()
    assert world.load(START, ambient()) == START
    assert world.call("put", {"key": "a", "value": "b"}).text == '{"success":true,"message":"put a"}'
    assert not world.call("get", {"key": "c"}).success
    assert world.state() == {"items": {"start": "here", "a": "b"}}
    assert START == {"items": {"start": "here"}}


def test_every_load_has_a_worker_of_its_own(make_world: MakeWorld) -> None:
    world = make_world()
    pids = set()
    for _ in range(3):
        world.load(START, ambient())
        assert json.loads(world.call("loads", {}).text)["data"] == 1
        pids.add(world.worker._pid)
    assert len(pids) == 3


def test_a_batch_equals_single_calls(make_world: MakeWorld) -> None:
    calls = [("put", {"key": str(n), "value": "v" * n}) for n in range(100)] + [("get", {"key": "7"}), ("now", {})]
    single, batched = make_world(), make_world()
    single.load(START, ambient())
    batched.load(START, ambient())
    assert batched.call_many(calls) == [single.call(name, arguments) for name, arguments in calls]
    assert batched.state() == single.state()


def test_a_batch_that_takes_long_is_answered_in_parts(make_world: MakeWorld) -> None:
    world = make_world(reply_bytes=1000)
    world.load(START, ambient())
    calls = [("put", {"key": str(n), "value": ""}) for n in range(200)]
    results = world.call_many(calls)
    assert [result.text for result in results] == [f'{{"success":true,"message":"put {n}"}}' for n in range(200)]


def test_several_worlds_work_at_the_same_time(make_world: MakeWorld) -> None:
    worlds = [make_world() for _ in range(3)]
    for world in worlds:
        world.load(START, ambient())
    waits = [world.submit("put", {"key": "k", "value": str(n)}) for n, world in enumerate(worlds)]
    assert all(wait().success for wait in waits)
    assert [world.state()["items"]["k"] for world in worlds] == ["0", "1", "2"]


def test_the_clock_of_the_host_follows(make_world: MakeWorld) -> None:
    world, clock = make_world(), ambient()
    world.load(START, clock)
    before = clock.now()
    world.call("now", {})
    world.state()
    assert (clock.now() - before).total_seconds() == pytest.approx(1, abs=0.001)
    assert clock.snapshot()[1] is not None


def test_a_snapshot_brings_back_state_clock_and_ids(make_world: MakeWorld) -> None:
    world = make_world()
    world.load(START, ambient())
    world.call("store_oddities", {})
    snapshot = world.snapshot()
    after = [world.call("now", {}), world.call("append_default", {})]
    state = world.state()
    for _ in range(2):
        world.restore(snapshot)
        assert [world.call("now", {}), world.call("append_default", {})] == after
        assert world.state() == state
    other = make_world()
    other.load(START, ambient())
    other.restore(snapshot)
    assert [other.call("now", {}), other.call("append_default", {})] == after


def test_importing_the_library_starts_no_process() -> None:
    script = (
        "import pathlib, envscaler_gym, envscaler_gym.isolation, envscaler_gym.isolation.workers\n"
        "print(any(t.joinpath('children').read_text() for t in pathlib.Path('/proc/self/task').iterdir()))"
    )
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_reviewed_or_trusted_code_starts_no_process(make_bundle: MakeBundle) -> None:
    SPAWNER.shut_down()
    env = ToolEnv(make_bundle(), trust=True)
    env.reset(seed=0)
    env.close()
    assert SPAWNER._zygote is None


def test_nothing_is_left_after_a_thousand_episodes(make_bundle: MakeBundle) -> None:
    env = ToolEnv(make_bundle())
    env.reset(seed=0)
    zygote = zygote_pid()
    env.close()
    gc.collect()
    handles, threads = count_handles(), threading.active_count()
    for seed in range(1000):
        env.reset(seed=seed)
        env.step({"name": "put", "arguments": {"key": "a", "value": "b"}})
        assert env.step({"content": "done"})[1] == 1.0
    env.close()
    assert children(zygote) == set()
    assert count_handles(zygote) <= 6
    assert count_handles() == handles
    assert threading.active_count() == threads


def test_a_world_that_is_dropped_leaves_nothing(make_bundle: MakeBundle) -> None:
    env = ToolEnv(make_bundle())
    env.reset(seed=0)
    handles = count_handles()
    del env
    gc.collect()
    assert children(zygote_pid()) == set()
    assert count_handles() == handles - 1


def test_a_zygote_that_was_killed_is_replaced(make_world: MakeWorld) -> None:
    world = make_world()
    world.load(START, ambient())
    old = zygote_pid()
    os.kill(old, 9)
    end = time.monotonic() + 10
    while Path(f"/proc/{world.worker._pid}").exists() and time.monotonic() < end:
        time.sleep(0.01)
    with pytest.raises(WorkerCrash):
        world.call("loads", {})
    world.load(START, ambient())
    assert world.call("loads", {}).success
    assert zygote_pid() != old


def test_a_fork_of_the_host_has_workers_of_its_own(make_world: MakeWorld) -> None:
    world = make_world()
    world.load(START, ambient())
    world.call("put", {"key": "a", "value": "parent"})
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            try:
                world.call("loads", {})
            except WorkerCrash:
                world.load(START, ambient())
                world.call("put", {"key": "a", "value": "child"})
                status = 0 if world.state()["items"]["a"] == "child" else 2
                SPAWNER.shut_down()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert world.state()["items"]["a"] == "parent"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python's own, of forking with threads
def test_vector_environments_run_workers(make_bundle: MakeBundle) -> None:
    path = make_bundle()

    def make() -> ToolEnv:
        return ToolEnv(path)

    action = {"name": "put", "arguments": {"key": "a", "value": "b"}}
    texts = []
    for kind in (gym.vector.SyncVectorEnv, gym.vector.AsyncVectorEnv):
        envs = kind([make, make])
        envs.reset(seed=3)
        texts.append([list(envs.step((action, action))[0]), list(envs.step(({"content": "x"},) * 2)[1])])
        envs.close()
    assert texts[0] == texts[1]
    assert texts[0][1] == [1.0, 1.0]


def test_unreviewed_code_runs_in_a_worker_by_default(make_bundle: MakeBundle) -> None:
    bundle = get_bundle(make_bundle())
    assert level_of(bundle) == "worker"
    assert level_of(bundle, trust=True) == "process"
    assert level_of(bundle, "worker", trust=True) == "worker"
    assert level_of(bundle, "process", trust=True) == "process"
    with pytest.raises(UnreviewedCodeError, match="trust=True"):
        level_of(bundle, "process")
    with pytest.raises(UnreviewedCodeError):
        ToolEnv(str(bundle.path), isolation="process")
    with pytest.raises(ValueError, match="'process', 'worker'"):
        ToolEnv(str(bundle.path), isolation="thread")


def test_the_users_own_list_counts_and_a_changed_byte_voids_it(
    make_bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVSCALER_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    bundle = get_bundle(make_bundle())
    assert level_of(bundle) == "worker"
    (tmp_path / "home" / "trust.json").write_text(json.dumps({bundle.digest: {"id": bundle.id}}))
    assert level_of(bundle) == "process"
    assert level_of(bundle, "process") == "process"
    changed = get_bundle(make_bundle(checks=("def check_func(final_state):\n    return True\n",)))
    assert level_of(changed) == "worker"


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"call_second": 1}, "Did you mean 'call_seconds'"),
        ({"call_seconds": 0}, "positive"),
        ({"memory_bytes": 1.5}, "positive int"),
        ({"reply_bytes": True}, "positive int"),
        ({"load_seconds": float("nan")}, "positive"),
        ([1], "must be a dict"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Limits.of(limits)  # type: ignore[arg-type]  # what a caller may pass


def test_limits_of_an_environment_reach_its_worker(make_bundle: MakeBundle) -> None:
    env = ToolEnv(make_bundle(), limits={"memory_bytes": 128 << 20, "cpu_seconds": 7})
    env.reset(seed=0)
    world = env.episode.world
    assert isinstance(world, IsolatedWorld)
    text = Path(f"/proc/{world.worker._pid}/limits").read_text()
    env.close()
    assert [line.split()[3] for line in text.splitlines() if line.startswith("Max address space")] == [str(128 << 20)]
    assert [int(line.split()[3]) <= 9 for line in text.splitlines() if line.startswith("Max cpu time")] == [True]
