from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from typing import Any

import pytest

from envscaler_gym import ToolEnv
from envscaler_gym.ambient import Ambient
from envscaler_gym.checks import Check
from envscaler_gym.errors import (
    EnvironmentFailure,
    LoadFailure,
    ProtocolViolation,
    ReplyTooLarge,
    StateTooLarge,
    ToolFailure,
    WorkerCrash,
    WorkerOutOfMemory,
    WorkerTimeout,
)
from envscaler_gym.isolation import IsolatedChecks, IsolatedWorld, Limits, failures, forget_failures
from envscaler_gym.isolation.spawning import SPAWNER

START = {"items": {"start": "here"}}
MakeWorld = Callable[..., IsolatedWorld]
MakeBundle = Callable[..., str]


def ambient() -> Ambient:
    return Ambient("2025-09-01T09:00:00", "seed")


FAILING: list[tuple[str, dict[str, Any], type[EnvironmentFailure], str]] = [
    ("spin", {}, WorkerTimeout, "did not answer spin"),
    ("fail", {}, ToolFailure, r"Toy.fail\(\{\}\) raised KeyError: 'missing'"),
    ("fail_badly", {}, WorkerCrash, "Odd: odd"),
    ("grow", {}, WorkerOutOfMemory, "MemoryError"),
    ("grow_stubbornly", {}, WorkerTimeout, "did not answer"),
    ("long_reply", {}, ReplyTooLarge, "at most 1048576 bytes"),
    ("leave", {"status": 3}, WorkerCrash, "exit status 3"),
    ("write", {"data": "00", "times": 4}, ProtocolViolation, "nonsense|more than one"),
    ("write", {"data": "ff", "times": 4}, ProtocolViolation, "announced 4294967295 bytes"),
    ("write", {"data": "00000001c0", "times": 50_000}, ProtocolViolation, "more than one answer|nonsense"),
]


@pytest.mark.parametrize(("tool", "arguments", "error", "message"), FAILING)
def test_a_failure_has_a_type_and_the_next_episode_is_clean(
    make_world: MakeWorld, tool: str, arguments: dict[str, Any], error: type[EnvironmentFailure], message: str
) -> None:
    world = make_world(call_seconds=1.0, memory_bytes=128 << 20)
    world.load(START, ambient())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(error, match=message) as caught:
        world.call(tool, arguments)
    assert type(caught.value) is error
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 64 << 10
    assert world.load(START, ambient()) == START
    assert world.call("get", {"key": "start"}).success


def test_a_deadline_holds(make_world: MakeWorld) -> None:
    world = make_world(call_seconds=0.5)
    world.load(START, ambient())
    for tool in ("call", "call_many"):
        start = time.monotonic()
        with pytest.raises(WorkerTimeout):
            world.call("spin", {}) if tool == "call" else world.call_many([("spin", {})] * 64)
        assert time.monotonic() - start < 5  # generous: the machine may be busy
        world.load(START, ambient())


def test_a_failed_call_in_a_batch_is_the_first_and_only_one(make_world: MakeWorld) -> None:
    world = make_world()
    world.load(START, ambient())
    with pytest.raises(ToolFailure, match="missing"):
        world.call_many([("put", {"key": "a", "value": "b"}), ("fail", {}), ("put", {"key": "c", "value": "d"})])
    assert world.state()["items"] == {"start": "here", "a": "b"}


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("grow_state", {"size": 9 << 20}, "at most 8388608 are allowed"),
        ("many_in_state", {"size": 300_000}, "MiB in memory"),
        ("nest", {"depth": 200}, "nests deeper than 100"),
        ("loop_state", {}, "holds itself"),
    ],
)
def test_a_state_that_is_too_much_is_refused(
    make_world: MakeWorld, tool: str, arguments: dict[str, Any], message: str
) -> None:
    world = make_world()
    world.load(START, ambient())
    assert world.call(tool, arguments).success
    with pytest.raises(StateTooLarge, match=message):
        world.state()


def test_a_state_that_is_not_data_can_be_graded_but_not_restored(make_world: MakeWorld) -> None:
    world = make_world()
    world.load(START, ambient())
    world.call("store_object", {})
    assert world.state()["items"]["object"] == "<class 'object'>"
    with pytest.raises(StateTooLarge, match="not data"):
        world.snapshot()


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("class Toy:\n    def __init__(self):\n        raise ValueError('no')\n", LoadFailure, "ValueError: no"),
        ("import subprocess\nclass Toy: pass\n", LoadFailure, "'subprocess' cannot be imported in a worker"),
        ("while True: pass\nclass Toy: pass\n", WorkerTimeout, "did not answer load"),
        ("raise SystemExit\nclass Toy: pass\n", LoadFailure, "SystemExit"),
        ("class Toy:\n    pass\ndel Toy\n", LoadFailure, "KeyError"),
        ("x = [0] * 10**9\nclass Toy: pass\n", WorkerOutOfMemory, "MemoryError"),
        ("class Toy:\n    def __init__(self):\n        self.x = open('/etc/passwd')\n", LoadFailure, "NameError"),
        ("class Toy:\n    def f(self): return\nreturn\n", LoadFailure, "SyntaxError"),
    ],
)
def test_code_that_cannot_be_loaded(
    make_world: MakeWorld, source: str, error: type[EnvironmentFailure], message: str
) -> None:
    world = make_world(source, load_seconds=1.5)
    with pytest.raises(error, match=message):
        world.load(START, ambient())


def test_an_environment_that_fails_is_truncated_or_raised_and_counted(make_bundle: MakeBundle) -> None:
    forget_failures()
    path = make_bundle()
    env = ToolEnv(path, on_error="truncate", limits={"call_seconds": 0.3}, render_mode="ansi")
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step({"name": "spin", "arguments": {}})
    assert (reward, terminated, truncated, info["outcome"]) == (0.0, False, True, "failure")
    assert info["failure"]["type"] == "WorkerTimeout"
    env.reset(seed=0)
    assert env.step({"name": "get", "arguments": {"key": "start"}})[4] == {"outcome": "success"}
    env.close()
    env = ToolEnv(path)
    env.reset(seed=0)
    with pytest.raises(WorkerCrash):
        env.step({"name": "leave", "arguments": {"status": 0}})
    env.reset(seed=0)
    wait = env.submit({"name": "leave", "arguments": {"status": 0}})
    with pytest.raises(WorkerCrash):
        wait()
    env.close()
    assert failures() == {"toys/Toy-v0": {"WorkerTimeout": 1, "WorkerCrash": 2}}
    forget_failures()


def test_a_load_that_fails_is_counted_once(make_bundle: MakeBundle) -> None:
    forget_failures()
    source = "class Toy:\n    def get(self) -> dict:\n        return {}\n    def __init__(self): raise ValueError\n"
    env = ToolEnv(make_bundle(source), on_error="truncate")
    env.reset(seed=0)
    assert env.step({"content": ""})[4]["failure"]["type"] == "LoadFailure"
    assert failures() == {"toys/Toy-v0": {"LoadFailure": 1}}
    forget_failures()


# --- checks -----------------------------------------------------------------------------------------------------------

INTERNALS = "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0].__init__.__globals__"


def grade(*bodies: str, **limits: Any) -> list[tuple[bool, str | None]]:
    checks = [Check(text="?", source=f"def check_func(final_state):\n    {body}\n") for body in bodies]
    results = IsolatedChecks(Limits.of(limits))(checks, {"a": 1}, {"a": 2, "items": [1]}, ambient())
    return [(result.passed, result.error) for result in results]


def test_only_true_passes() -> None:
    lying = "class B(int):\n        def __eq__(self, o): return True\n    return B(1)"
    results = grade(
        "return final_state['a'] == 2 and initial_state['a'] == 1",
        "return False",
        "return 1",
        "return 'True'",
        lying,
        "return None",
        "raise ValueError('no')",
        "raise SystemExit(0)",
        "return open('/etc/passwd')",
    )
    assert [passed for passed, _ in results] == [True] + [False] * 8
    assert [error is None for _, error in results] == [True, True] + [False] * 7


def test_checks_share_no_state() -> None:
    results = grade(
        "final_state['items'].append(2); initial_state.clear(); return True",
        "return final_state['items'] == [1] and initial_state == {'a': 1}",
    )
    assert results == [(True, None), (True, None)]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("while True: pass", WorkerTimeout),
        (f"{INTERNALS}['_exit'](0)", WorkerCrash),
        (f"{INTERNALS}['write'](3, b'x' * 100)", ProtocolViolation),
        ("raise GeneratorExit", WorkerCrash),
        ("x = [0] * 10**9; return True", None),
    ],
)
def test_a_check_that_does_not_answer_is_no_fault_of_the_agent(
    body: str, error: type[EnvironmentFailure] | None
) -> None:
    if error is None:
        assert grade("return True", body)[1] == (False, "MemoryError: ")
        return
    start = time.monotonic()
    with pytest.raises(error, match="check 2"):
        grade("return True", body, "return True", check_seconds=0.5)
    assert time.monotonic() - start < 5


def test_a_worker_cannot_forge_the_rewards_of_another(make_bundle: MakeBundle) -> None:
    """The environment's code patches what checks use; checks run where that code never was."""
    source = (
        f"system = {INTERNALS}\n"
        "system['sys'].modules['json'].dumps = lambda *a, **k: 'patched'\n"
        "system['sys'].modules['re'].match = None\n"
        "system['__builtins__']['divmod'] = lambda a, b: 'patched'\n"
        "import json\n"
        "class Toy:\n"
        "    def get(self) -> dict:\n"
        "        return {'success': True, 'data': [system['__builtins__']['divmod'](1, 1), json.dumps(1)]}\n"
    )
    check = (
        "import json, re\n"
        "def check_func(final_state):\n"
        "    return divmod(1, 1) == (1, 0) and json.dumps(1) == '1' and bool(re.match('a', 'a'))\n"
    )
    env = ToolEnv(make_bundle(source, (check,)))
    for _ in range(2):
        env.reset(seed=0)
        assert json.loads(env.step({"name": "get", "arguments": {}})[0])["data"] == ["patched", "patched"]
        assert env.step({"content": ""})[1] == 1.0
    env.close()
    clean = ToolEnv(make_bundle(checks=(check,)))
    clean.reset(seed=0)
    assert clean.step({"content": ""})[1] == 1.0
    clean.close()


def test_twenty_spinning_workers_do_not_keep_a_good_one_from_answering(make_world: MakeWorld) -> None:
    spinning = [make_world(call_seconds=60) for _ in range(20)]
    waits = []
    for world in spinning:
        world.load(START, ambient())
        waits.append(world.submit("spin", {}))
    good = make_world(call_seconds=5, load_seconds=30)
    good.load(START, ambient())
    for _ in range(50):
        assert good.call("get", {"key": "start"}).success
    for world in spinning:
        world.close()
    assert SPAWNER._zygote is not None
