"""Every bundle that comes with the library keeps what a bundle promises. Driven by the registry, without exemptions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from envscaler_gym import Bundle, Scenario, ToolEnv, registry
from envscaler_gym.checks import run_checks
from envscaler_gym.invariants import load_invariants
from envscaler_gym.state import copy_state
from envscaler_gym.tools import public_methods
from envscaler_gym.trust import REVIEWED

IDS = registry.shipped_ids()
POLITE = {"Kind", "Best", "regards"}
"""Words of letters that nobody says."""
SCENARIOS = [(id_, scenario) for id_ in IDS for scenario in registry.get_bundle(id_).scenarios]


@lru_cache
def environment(id_: str) -> ToolEnv:
    return ToolEnv(id_, trust=True)


def start(id_: str, scenario: str) -> ToolEnv:
    env = environment(id_)
    env.reset(seed=0, options={"scenario": scenario})
    return env


def scenario_of(id_: str, scenario: str) -> Scenario:
    return registry.get_bundle(id_).scenario(scenario)


def play(env: ToolEnv, calls: Any) -> list[str]:
    return [env.step({"name": call.name, "arguments": dict(call.arguments)})[4]["outcome"] for call in calls]


def guards(env: ToolEnv) -> list[bool]:
    episode = env.episode
    results = run_checks(episode.scenario.guards, episode.initial_state, episode.world.state(), episode._ambient)
    return [result.passed and result.error is None for result in results]


@pytest.fixture(params=IDS)
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return registry.get_bundle(request.param)


@pytest.mark.parametrize(("id_", "scenario"), SCENARIOS)
def test_the_reference_solution_scores_one_and_keeps_every_rule(id_: str, scenario: str) -> None:
    env = start(id_, scenario)
    rules = load_invariants(env.bundle.invariants_source or "")
    assert rules
    wanted = scenario_of(id_, scenario)
    assert wanted.solution
    assert all(guards(env))
    for call in (None, *wanted.solution):
        if call is not None:
            assert play(env, [call]) == ["success"], call
        state = env.episode.world.state()
        assert [line for rule in rules for line in rule.violations(state)] == []
    assert len(wanted.solution) < env._limit
    _, reward, terminated, truncated, info = env.step({"content": "Done."})
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert all(check["passed"] and check["error"] is None for check in info["score"]["checks"])
    assert all(guard["passed"] and guard["error"] is None for guard in info["score"]["guards"])


@pytest.mark.parametrize("id_", IDS)
def test_in_conversation_the_user_says_all_of_a_task_and_its_solution_scores_one(id_: str) -> None:
    env = ToolEnv(id_, trust=True, mode="conversation")
    several = [scenario for scenario in env.bundle.scenarios.values() if len(scenario.requests) > 1]
    assert len(several) >= 20
    for scenario in several:
        said, _ = env.reset(seed=0, options={"scenario": scenario.id})
        assert set(play(env, scenario.solution)) == {"success"}, scenario.id
        ended = False
        while not ended:
            answer, reward, ended, truncated, _ = env.step({"content": "That is done."})
            assert not truncated, scenario.id
            said += "" if ended else f" {answer}"
        assert reward == 1.0, scenario.id
        details = re.compile(r"\d[\d.,:]*\d|\d|[^\W\d_]{4,}")  # numbers, names and all words but the smallest
        if not scenario.id.startswith("grown-") and env.bundle.manifest.provenance.method == "handwritten":
            assert set(details.findall(scenario.task)) - set(details.findall(said)) <= POLITE, scenario.id
    env.close()


@pytest.mark.parametrize(("id_", "scenario"), SCENARIOS)
def test_doing_nothing_scores_zero_with_every_check_answered(id_: str, scenario: str) -> None:
    env = start(id_, scenario)
    _, reward, _, _, info = env.step({"content": ""})
    assert reward == 0.0
    by_hand = environment(id_).bundle.manifest.provenance.method == "handwritten" and not scenario.startswith("grown-")
    assert len(info["score"]["checks"]) >= (4 if by_hand else 1)
    assert not any(check["passed"] or check["error"] for check in info["score"]["checks"])
    assert all(guard["passed"] for guard in info["score"]["guards"])


@pytest.mark.parametrize(("id_", "scenario"), SCENARIOS)
def test_dropping_any_change_lowers_the_score(id_: str, scenario: str) -> None:
    calls = scenario_of(id_, scenario).solution
    tools = registry.get_bundle(id_).tools
    changes = [index for index, call in enumerate(calls) if tools[call.name].kind == "state_change"]
    assert changes
    for index in changes:
        env = start(id_, scenario)
        play(env, calls[:index] + calls[index + 1 :])
        assert env.step({"content": ""})[1] < 1.0, calls[index]


@pytest.mark.parametrize(("id_", "scenario"), SCENARIOS)
def test_queries_of_the_solution_change_nothing(id_: str, scenario: str) -> None:
    env = start(id_, scenario)
    for call in scenario_of(id_, scenario).solution:
        before = env.episode.world.state()
        play(env, [call])
        changed = env.episode.world.state() != before
        assert changed == (env.bundle.tools[call.name].kind == "state_change"), call


def test_there_are_enough_scenarios_of_every_difficulty_and_split(bundle: Bundle) -> None:
    scenarios = list(bundle.scenarios.values())
    assert len(scenarios) >= 12
    assert {scenario.difficulty for scenario in scenarios} >= {"easy", "medium", "hard"}
    assert {scenario.split for scenario in scenarios} == {"train", "test"}
    starts = {split: {s.start_state for s in scenarios if s.split == split} for split in ("train", "test")}
    assert starts["train"] | starts["test"] == set(bundle.start_states)


def test_the_tools_are_all_public_methods_described_and_used(bundle: Bundle) -> None:
    tools = bundle.tools
    assert len(tools) >= 15
    assert list(tools) == public_methods(bundle.source, bundle.manifest.class_name)
    for spec in tools.specs:
        assert spec.description, spec.name
        assert all(prop.get("description") for prop in spec.parameters["properties"].values()), spec.name
        json.dumps(spec.to_openai(), allow_nan=False)
    used = {call.name for scenario in bundle.scenarios.values() for call in scenario.solution}
    assert {name for name, tool in tools.items() if tool.kind == "state_change"} <= used


def test_the_manifest_names_what_there_is(bundle: Bundle) -> None:
    attributes = set.union(*(set(start.state) for start in bundle.start_states.values()))
    manifest = bundle.manifest
    assert {entity.name for entity in manifest.entities} == attributes
    for entity in manifest.entities:
        assert set(entity.references.values()) <= attributes
        assert entity.description
    for tool in manifest.tools:
        assert {*tool.reads, *tool.writes} <= attributes, tool.name
        assert bool(tool.writes) == (tool.kind == "state_change"), tool.name


def test_the_rules_are_those_of_the_invariants(bundle: Bundle) -> None:
    rules = [rule.rule for rule in load_invariants(bundle.invariants_source or "")]
    assert sorted(rules) == sorted(bundle.manifest.rules)
    assert len(set(rules)) == len(rules)


def corruptions(state: dict[str, Any]) -> Iterator[str]:
    """Change a state in one place at a time: delete a record, repeat it, or put another's value into a field."""
    for name, table in state.items():
        records = list(table.items())
        for key, record in records:
            del table[key]
            yield f"{name}.{key} is gone"
            table[key] = {field: "X-1" if value == key else value for field, value in record.items()}
            yield f"{name}.{key} has another id"
            double, table[key] = table[key], record
            copies = {f"X-{number}": double for number in range(1, 5)}
            table.update(copies)
            yield f"{name}.{key} is there five times"
            for copy in copies:
                del table[copy]
            for field, value in record.items():
                others = [other.get(field) for _, other in records]
                unlike = [
                    other for index, other in enumerate(others) if other != value and others.index(other) == index
                ]
                for replacement in [*unlike[:4], None, "nobody", -1, 10**6]:
                    record[field] = replacement
                    yield f"{name}.{key}.{field} = {replacement}"
                record[field] = value


def test_every_rule_can_be_broken(bundle: Bundle) -> None:
    """No rule is vacuous: a change in one place of a start state breaks each of them somewhere."""
    unbroken = {rule.name: rule for rule in load_invariants(bundle.invariants_source or "")}
    for start_state in bundle.start_states.values():
        state = copy_state(dict(start_state.state))
        for _ in corruptions(state):
            unbroken = {name: rule for name, rule in unbroken.items() if not violated(rule, state)}
            if not unbroken:
                return
        assert state == start_state.state
    assert not unbroken, sorted(unbroken)


def violated(rule: Any, state: dict[str, Any]) -> bool:
    try:
        return bool(rule.violations(state))
    except (TypeError, ValueError):  # a rule may take well-typed states for granted; None is not always one
        return False


def test_exactly_this_bundle_has_been_reviewed(bundle: Bundle) -> None:
    assert bundle.digest in json.loads(Path(REVIEWED).read_text("utf-8"))


def test_there_are_bundles() -> None:
    assert len(IDS) >= 3
    assert registry.problems() == []
