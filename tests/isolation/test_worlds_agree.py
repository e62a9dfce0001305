"""In process and in a worker, an environment says the same, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from envscaler_gym import ToolEnv, registry
from envscaler_gym.ambient import Ambient
from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import Check
from envscaler_gym.isolation import Limits, make_runtime
from envscaler_gym.manifest import Manifest, Provenance, ToolEntry
from envscaler_gym.scenario import Scenario, StartState
from envscaler_gym.tools import public_methods
from envscaler_gym.world import World

SAMPLE = Path(__file__).parents[2].parent / "shared" / "data" / "envscaler_sample"
CALLS = 1000
MakeBundle = Callable[..., str]


def transcript(env: ToolEnv, calls: int) -> list[str]:
    lines: list[str] = []
    seed = taken = 0
    while taken < calls:
        observation, info = env.reset(seed=seed)
        lines += [observation, json.dumps(info)]
        seed += 1
        for _ in range(40):
            action = env.sample_action()
            observation, reward, terminated, truncated, info = env.step(action)
            lines += [json.dumps(action), observation, json.dumps([reward, terminated, truncated, info])]
            taken += 1
            if terminated or truncated:
                break
        lines.append(json.dumps(env.step({"content": "done"})[1:]) if not (terminated or truncated) else "")
        lines.append(msgspec.json.encode(env.episode.world.state(), order="sorted").decode())
    return lines


def agree(path: str, calls: int) -> None:
    both = []
    for level in ("process", "worker"):
        env = ToolEnv(path, isolation=level, trust=True, on_error="truncate")
        both.append(transcript(env, calls))
        env.close()
    assert len(both[0]) > calls
    for number, (inside, outside) in enumerate(zip(*both, strict=True)):
        assert inside == outside, f"line {number}"


@pytest.mark.parametrize("name", registry.shipped_ids())
def test_shipped_environments_agree(name: str) -> None:
    agree(name, CALLS)


def test_some_environments_are_shipped() -> None:
    assert registry.shipped_ids()


def sample_environments() -> list[str]:
    return sorted(json.loads((SAMPLE / "env_metadata.json").read_bytes())) if SAMPLE.exists() else []


@pytest.mark.parametrize("env_id", sample_environments() or ["none"])
def test_published_environments_agree(env_id: str, tmp_path: Path) -> None:
    if not SAMPLE.exists():
        pytest.skip(f"the published sample is not in {SAMPLE}")
    metadata = json.loads((SAMPLE / "env_metadata.json").read_bytes())[env_id]
    items = [
        item for item in json.loads((SAMPLE / "rl_scenario_metadata.json").read_bytes()) if item["env_id"] == env_id
    ]
    source, class_name = metadata["env_class_code"], metadata["env_class_name"]
    manifest = Manifest(
        id=f"published/{class_name}-v0",
        class_name=class_name,
        tools=tuple(ToolEntry(name=name, kind="state_change") for name in public_methods(source, class_name)),
        provenance=Provenance(method="imported"),
    )
    starts = {item["task_id"]: StartState(id=item["task_id"], state=item["init_config"]) for item in items}
    scenarios = {
        item["task_id"]: Scenario(
            id=item["task_id"],
            start_state=item["task_id"],
            task=item["task"],
            checks=tuple(Check(text=c["check_item"], source=c["check_func"]) for c in item["checklist_with_func"]),
        )
        for item in items
    }
    Bundle(manifest, source, None, starts, scenarios).save(tmp_path / "bundle")
    if scenarios:
        agree(str(tmp_path / "bundle"), CALLS)


def test_oddities_agree(make_bundle: MakeBundle) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("now", {}),
        ("sets", {}),
        ("store_oddities", {}),
        ("append_default", {}),
        ("now", {}),
        ("say", {}),
        *(("echo", {"value": value}) for value in ODD_VALUES),
        ("get", {"key": "\ud800"}),
    ]
    both = []
    for level in ("process", "worker"):
        runtime = make_runtime(registry.get_bundle(make_bundle()), level, trust=True)
        clock = Ambient("2025-09-01T09:00:00", "seed")
        runtime.world.load({"items": {}}, clock)
        texts = [runtime.world.call(name, dict(arguments)) for name, arguments in calls]
        state = runtime.world.state()
        snapshot = runtime.world.snapshot()
        both.append([*texts, state, list(state["items"]), snapshot, clock.snapshot()])
        runtime.world.close()
    for inside, outside in zip(*both, strict=True):
        assert inside == outside


ODD_VALUES: list[Any] = [
    None, True, 1.5, -0.0, 10**30, -(2**70), float("inf"), "\ud83d", "\U0001f600", "", "$", {"$": 1}, [[]], {"a": {}},
    [1, [2, [3]]], {"k": ["v"]},
]  # fmt: skip


def test_failures_agree(make_bundle: MakeBundle) -> None:
    def failure(world: World, name: str, arguments: dict[str, Any]) -> tuple[str, str]:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is, it is the same
            world.call(name, arguments)
        return type(caught.value).__name__, str(caught.value)

    both = []
    for level in ("process", "worker"):
        runtime = make_runtime(registry.get_bundle(make_bundle()), level, trust=True, limits=Limits(reply_bytes=5000))
        runtime.world.load({"items": {}}, Ambient("2025-09-01T09:00:00", "seed"))
        both.append([failure(runtime.world, "fail", {}), failure(runtime.world, "echo", {"value": "x" * 5000})])
        runtime.world.close()
    assert both[0] == both[1]


def test_checks_agree(make_bundle: MakeBundle) -> None:
    bodies = (
        "return final_state['items'] == {}",
        "return 1",
        "raise ValueError('\\ud800' + 'x' * 5000)",
        "import datetime; return datetime.datetime.now().isoformat() == '2025-09-01T09:00:00.000001'",
        "import uuid; return str(uuid.uuid4())",
        "import sys; return sys.maxsize > 0",
        "final_state.clear(); return True",
        "return len(final_state) == 1",
    )
    checks = [Check(text="?", source=f"def check_func(final_state):\n    {body}\n") for body in bodies]
    checks.append(Check(text="?", source="x = 1\n"))
    checks.append(Check(text="?", source="def check_func(\n"))
    both = []
    for level in ("process", "worker"):
        runtime = make_runtime(registry.get_bundle(make_bundle()), level, trust=True)
        clock = Ambient("2025-09-01T09:00:00", "seed")
        results = runtime.run_checks(checks, {"items": {}}, {"items": {}}, clock)
        both.append((results, clock.snapshot()))
    assert both[0] == both[1]
    assert [result.passed for result in both[0][0]] == [True, False, False, True, False, True, True, True, False, False]


def test_a_fork_goes_on_alike(make_bundle: MakeBundle) -> None:
    """Also where the state holds one record in two places."""
    source = """
class Toy:
    def share(self) -> dict:
        self.first = self.second = {"n": 0}
        return {"success": True}
    def grow(self) -> dict:
        self.first["n"] += 1
        return {"success": True, "data": self.second["n"]}
"""
    both = []
    for level in ("process", "worker"):
        runtime = make_runtime(registry.get_bundle(make_bundle(source)), level, trust=True)
        runtime.world.load({}, Ambient("2025-09-01T09:00:00", "seed"))
        runtime.world.call("share", {})
        snapshot = runtime.world.snapshot()
        texts = []
        for _ in range(2):
            runtime.world.restore(snapshot)
            texts += [runtime.world.call("grow", {}).text, runtime.world.call("grow", {}).text]
        both.append(texts)
        runtime.world.close()
    assert both[0] == both[1]
    assert both[0][1] == '{"success":true,"data":2}'
