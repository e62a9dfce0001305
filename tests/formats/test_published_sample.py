"""The published protocol, written down once more and compared with ours on a sample of the published data.

:class:`Reference` is what the authors' code does, without anything of this library: execute the source, construct with
the configuration or without, set every top-level key, call methods by name, take ``vars()``, run the check functions.
The same calls go through an imported bundle and ``ToolEnv``. Only the modules that read the clock and make ids have to
be the library's on both sides, or the two would never make the same ids; a second test uses Python's own, on the
environments that need neither.
"""

from __future__ import annotations

import ast
import builtins
import copy
import json
import operator
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from envscaler_gym.ambient import Ambient, activate, ambient_builtins
from envscaler_gym.env import ToolEnv
from envscaler_gym.formats import export_envscaler, import_envscaler, save_all

SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "data" / "envscaler_sample"
pytestmark = pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"the sample of published data is not at {SAMPLE}")

METADATA = SAMPLE / "env_metadata.json"
SCENARIOS = SAMPLE / "rl_scenario_metadata.json"
SEEDS = range(5)
CALLS = 25
AMBIENT_MODULES = {"datetime", "time", "uuid", "random", "secrets"}

Item = dict[str, Any]


class Reference:
    """One episode under the published protocol."""

    def __init__(self, source: str, item: Item, python: Mapping[str, Any]) -> None:
        self.checks = item["checklist_with_func"]
        self.python = python
        module = {"__builtins__": python}
        exec(source, module)
        cls: Any = module[item["env_class_name"]]
        config = copy.deepcopy(item["init_config"])
        try:
            self.instance = cls(config)
        except TypeError:
            self.instance = cls()
        for key, value in config.items():
            setattr(self.instance, key, value)
        self.initial_state = self.state()

    def state(self) -> Item:
        return copy.deepcopy({k: v for k, v in vars(self.instance).items() if not re.fullmatch("__.*__", k)})

    def call(self, name: str, arguments: Item) -> Any:
        return getattr(self.instance, name)(**copy.deepcopy(arguments))

    def reward(self) -> float:
        final_state = self.state()
        passed = 0
        for check in self.checks:
            module = {"__builtins__": self.python, "initial_state": copy.deepcopy(self.initial_state)}
            try:
                exec(check["check_func"], module)
                answer = module["check_func"](final_state)  # type: ignore[operator]  # what the source defines
            except Exception:
                answer = None
            if isinstance(answer, bool):
                passed += answer
        return round(passed / len(self.checks), 4)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def saved(metadata: Path, scenarios: Path, folder: Path) -> Callable[[Item], str]:
    """Import and save; return a function that names the bundle of a scenario item."""
    report = import_envscaler(metadata, [scenarios])
    assert report.skipped == ()
    env_ids = [bundle.manifest.provenance.env_id for bundle in report.bundles]
    paths = dict(zip(env_ids, save_all(report.bundles, folder), strict=True))
    return lambda item: str(paths[item["env_id"]])


class Rewards(NamedTuple):
    ours: float
    published: float


def play(environment: str, item: Item, seed: int, source: str, python: Mapping[str, Any]) -> Rewards:
    """Play the same random calls in both; observations and states have to agree on the way."""
    env = ToolEnv(environment, trust=True)
    env.reset(seed=seed, options={"scenario": item["task_id"]})
    env.action_space.seed(seed)
    ambient = Ambient(env.episode.scenario.clock, env.episode._ambient.seed)
    activate(ambient)
    reference = Reference(source, item, python)
    assert env.episode.world.state() == reference.initial_state
    for _ in range(CALLS):
        action: Any = env.action_space.sample()
        observation, _, terminated, truncated, _ = env.step(action)
        assert not terminated
        assert not truncated
        ambient.begin_call()
        result = reference.call(action["name"], action["arguments"])
        assert json.loads(observation) == json.loads(json.dumps(result))
    assert env.episode.world.state() == reference.state()
    _, reward, terminated, _, _ = env.step({"content": "Done."})
    assert terminated
    activate(ambient)
    return Rewards(float(reward), reference.reward())


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    return {env_id: item["env_class_code"] for env_id, item in read(METADATA).items()}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Item], str]:
    return saved(METADATA, SCENARIOS, tmp_path_factory.mktemp("published"))


def test_everything_is_imported() -> None:
    report = import_envscaler(METADATA, [SCENARIOS])
    assert report.skipped == ()
    assert len(report.bundles) == 8
    assert sum(len(bundle.scenarios) for bundle in report.bundles) == 24
    assert sum(len(s.checks or ()) for bundle in report.bundles for s in bundle.scenarios.values()) == 410


def test_the_other_file_shape_says_the_same() -> None:
    full = import_envscaler(METADATA, [SCENARIOS])
    part = import_envscaler(
        SAMPLE / "env_metadata_hf_shape.json", [SCENARIOS, SAMPLE / "rl_scenario_metadata_hf_shape.json"]
    )
    by_id = {bundle.id: bundle for bundle in full.bundles}
    assert len(part.bundles) == 2
    assert all(bundle == by_id[bundle.id] for bundle in part.bundles)

    texts = import_envscaler(METADATA, [SAMPLE / "rl_scenario_metadata_hf_shape.json"])
    assert texts.skipped == ()
    scenarios = [(bundle, scenario) for bundle in texts.bundles for scenario in bundle.scenarios.values()]
    assert len(scenarios) == 3
    for bundle, scenario in scenarios:
        same = by_id[bundle.id]
        assert scenario == same.scenario(scenario.id)
        assert bundle.start_states[scenario.start_state] == same.start_states[scenario.start_state]


def test_an_export_says_what_was_published(tmp_path: Path) -> None:
    report = import_envscaler(METADATA, [SCENARIOS])
    files = export_envscaler(report.bundles, tmp_path)
    again = import_envscaler(files.metadata, [files.scenarios])
    assert again == report
    task_id = operator.itemgetter("task_id")
    assert sorted(read(files.scenarios), key=task_id) == sorted(read(SCENARIOS), key=task_id)
    written = read(files.metadata)
    for env_id, item in read(METADATA).items():
        mine = written[env_id]
        assert mine["env_class_def"].rstrip() == item["env_class_def"].rstrip()
        details = item["env_func_details"]
        assert mine["env_func_details"] == (json.loads(details) if isinstance(details, str) else details)
        for tool, own in zip(item["tools"], mine["tools"], strict=True):
            assert own["function"]["name"] == tool["function"]["name"]
            assert own["function"]["description"] == tool["function"]["description"]
            # The published ``required`` also lists parameters with defaults.
            signature = mine["env_func_details"][own["function"]["name"]]["signature"]["parameters"]
            assert own["function"]["parameters"]["required"] == [p["name"] for p in signature if p["default"] is None]
        derived = ("env_class_def", "env_func_details", "tools")
        for key in item.keys() - set(derived):
            assert mine[key] == item[key], key


@pytest.mark.parametrize("index", range(24))
def test_rewards_are_the_published_ones(index: int, sources: dict[str, str], published: Callable[[Item], str]) -> None:
    item = read(SCENARIOS)[index]
    for seed in SEEDS:
        rewards = play(published(item), item, seed, sources[item["env_id"]], ambient_builtins())
        assert rewards.ours == rewards.published


def test_rewards_are_the_published_ones_under_pythons_own_modules(
    sources: dict[str, str], published: Callable[[Item], str]
) -> None:
    items = [item for item in read(SCENARIOS) if not reads_ambient(sources[item["env_id"]], item)]
    assert len(items) >= 5
    for item in items:
        for seed in SEEDS:
            rewards = play(published(item), item, seed, sources[item["env_id"]], vars(builtins))
            assert rewards.ours == rewards.published


def reads_ambient(source: str, item: Item) -> bool:
    """Return whether an environment or its checks import what reads the clock or makes ids."""
    trees = map(ast.parse, [source, *(check["check_func"] for check in item["checklist_with_func"])])
    imports = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imports for alias in node.names} | {getattr(node, "module", "") for node in imports}
    return not names.isdisjoint(AMBIENT_MODULES)


ODD_CHECKS = [
    "def check_func(final_state):\n    return True",
    "def check_func(final_state):\n    return 1",
    "def check_func(final_state):\n    return final_state",
    "def check_func(final_state):\n    return None",
    "def check_func(final_state):\n    raise KeyError('absent')",
    "def check_function(final_state):\n    return True",
    "def check_func(final_state:",
    "def check_func(final_state):\n    return final_state == initial_state",
    "def check_func(final_state):\n    return len(str(final_state)) > len(str(initial_state))",
]
"""Checks of the kinds that the sample lacks, and some that tell the two states apart."""


def test_odd_checks_count_as_published(sources: dict[str, str], tmp_path: Path) -> None:
    items = read(SCENARIOS)
    for item in items:
        item["checklist_with_func"] += [{"check_item": "", "check_func": check} for check in ODD_CHECKS]
    scenarios = tmp_path / "odd.json"
    scenarios.write_text(json.dumps(items))
    environment = saved(METADATA, scenarios, tmp_path / "envs")
    for item in items:
        rewards = play(environment(item), item, 0, sources[item["env_id"]], ambient_builtins())
        assert rewards.ours == rewards.published
