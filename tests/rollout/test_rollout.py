"""Policies, the runner and its results."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import gymnasium as gym
import pytest

from envscaler_gym import ToolEnv, registry
from envscaler_gym.errors import LoadFailure, ScenarioError, ToolFailure, UnknownNameError
from envscaler_gym.rollout import (
    POLICIES,
    EpisodeResult,
    HumanPolicy,
    NoopPolicy,
    PlannedEpisode,
    RandomPolicy,
    ReferencePolicy,
    ScriptedPolicy,
    make_policy,
    plan_episodes,
    run_episode,
    run_policy,
    summarize,
)
from envscaler_gym.types import Outcome
from tests import toys


def actions(policy: Any, seed: int, environment: str = toys.TEA_SHOP_ID) -> list[Any]:
    """Return the actions of a policy in one episode, each of which the action space must hold."""
    with closing(ToolEnv(environment)) as env:
        observation, _ = env.reset(seed=seed, options={"scenario": "order-sencha"})
        policy.begin(env.episode, seed)
        taken: list[Any] = []
        ended = False
        while not ended:
            taken.append(policy.act(observation))
            assert env.action_space.contains(taken[-1]), taken[-1]
            observation, _, terminated, truncated, _ = env.step(taken[-1])
            ended = terminated or truncated
        return taken


def test_reference_plays_the_solution_and_says_so() -> None:
    solution = toys.tea_shop().scenarios["order-sencha"].solution
    *calls, last = actions(ReferencePolicy(), 0)
    assert calls == [{"name": call.name, "arguments": call.arguments} for call in solution]
    assert last.keys() == {"content"}


def test_noop_says_something_at_once() -> None:
    (only,) = actions(NoopPolicy(), 0)
    assert only.keys() == {"content"}


def test_random_is_a_function_of_both_seeds() -> None:
    policy = RandomPolicy(1)
    first = actions(policy, 5)
    assert len(first) == toys.tea_shop().scenarios["order-sencha"].max_steps
    assert actions(policy, 6) != first
    assert actions(policy, 5) == first
    assert actions(RandomPolicy(2), 5) != first


def test_random_leaves_the_environments_own_draws_alone() -> None:
    def own_draws(policy: Any) -> Any:
        with closing(ToolEnv(toys.TEA_SHOP_ID)) as env:
            env.action_space.seed(1)
            run_episode(env, policy, seed=0, options={"scenario": "order-sencha"})
            env.reset(seed=0, options={"scenario": "order-sencha"})
            return [env.action_space.sample() for _ in range(5)]

    assert own_draws(RandomPolicy()) == own_draws(NoopPolicy())


def test_reference_refuses_a_scenario_without_solution() -> None:
    with closing(ToolEnv(toys.HOSTILE_ID)) as env, pytest.raises(ScenarioError, match="no reference solution"):
        run_episode(env, ReferencePolicy(), seed=0, options={"scenario": "calm"})


def test_a_script_is_played_to_its_end() -> None:
    calls: list[Any] = [{"name": "list_teas", "arguments": {}}, {"name": "get_tea", "arguments": {"tea_id": "T-1"}}]
    *played, last = actions(ScriptedPolicy(calls), 0)
    assert played == calls
    assert last.keys() == {"content"}
    by_scenario = ScriptedPolicy({"order-sencha": calls})
    assert actions(by_scenario, 0) == actions(by_scenario, 1) == [*calls, last]
    with pytest.raises(ScenarioError, match=r"no script for scenario 'order-sencha'\. Did you mean 'order-senchas'"):
        actions(ScriptedPolicy({"order-senchas": calls}), 0)


def test_a_person_is_shown_tools_and_results_and_answers_with_calls_or_words() -> None:
    shown: list[str] = []
    answers = iter(['{"name": "get_tea", "arguments": {"tea_id": "T-1"}}', '{"name": "list_teas"}', "42", "Bye."])

    def ask(text: str) -> str:
        shown.append(text)
        return next(answers)

    assert actions(HumanPolicy(ask), 0) == [
        {"name": "get_tea", "arguments": {"tea_id": "T-1"}},
        {"name": "list_teas", "arguments": {}},
        {"content": "42"},
    ]
    assert "get_tea(tea_id: string)" in shown[0]
    assert "sencha" in shown[0].lower()
    assert [text.count("get_tea(") for text in shown] == [1, 0, 0]
    assert '"grams"' in shown[1]


def test_policies_by_name() -> None:
    assert {type(make_policy(name)) for name in POLICIES} == {ReferencePolicy, RandomPolicy, NoopPolicy}
    with pytest.raises(UnknownNameError, match="Did you mean 'random'"):
        make_policy("randm")


@pytest.mark.parametrize("environment", registry.shipped_ids())
def test_reference_solutions_of_shipped_environments_earn_everything(environment: str) -> None:
    results = list(run_policy(plan_episodes(environment), ReferencePolicy()))
    assert [result.scenario for result in results] == list(registry.get_bundle(environment).scenarios)
    assert {result.reward for result in results} == {1.0}


def test_a_result_says_all() -> None:
    with closing(gym.make(toys.TEA_SHOP_ID)) as env:
        result = run_episode(env, ReferencePolicy(), seed=7, options={"scenario": "order-sencha"})
    assert (result.environment, result.scenario) == (toys.TEA_SHOP_ID, "order-sencha")
    assert (result.difficulty, result.split, result.seed) == ("easy", "train", 7)
    assert (result.reward, result.steps, result.outcomes) == (1.0, 3, {"success": 2, "message": 1})
    assert result.score is not None
    assert result.score["passed"] == 2
    assert result.failure is None
    assert json.loads(json.dumps(result.to_dict())) == result.to_dict()
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.reward = 0.0  # type: ignore[misc]  # that it cannot be set is the test


class Scripted:
    """Takes given actions, then ends the episode; an exception among them is raised."""

    def __init__(self, *script: Any) -> None:
        self._script = script

    def begin(self, episode: object, seed: int) -> None:
        self._rest = iter(self._script)

    def act(self, observation: str) -> Any:
        action = next(self._rest, {"content": "Done."})
        if isinstance(action, Exception):
            raise action
        return action


def play(environment: str, scenario: str, *script: Any, on_error: str = "raise") -> EpisodeResult:
    with closing(ToolEnv(environment, on_error=on_error)) as env:
        return run_episode(env, Scripted(*script), seed=0, options={"scenario": scenario})


def test_errors_of_the_agent_are_counted() -> None:
    result = play(
        toys.TEA_SHOP_ID,
        "order-sencha",
        "what?",
        {"name": "order_coffee", "arguments": {}},
        {"name": "get_tea", "arguments": {"tea_id": 3}},
        {"name": "get_tea", "arguments": {"tea_id": "T-9"}},
    )
    assert result.outcomes == {
        "malformed_action": 1,
        "unknown_tool": 1,
        "invalid_arguments": 1,
        "refused": 1,
        "message": 1,
    }
    assert result.agent_errors == 3


@pytest.mark.parametrize("on_error", ["raise", "truncate"])
def test_a_failing_tool_is_recorded_and_earns_nothing(on_error: str) -> None:
    result = play(toys.HOSTILE_ID, "calm", {"name": "boom", "arguments": {}}, on_error=on_error)
    assert result.failure is not None
    assert result.failure["type"] == "ToolFailure"
    assert (result.reward, result.score) == (0.0, None)


def test_a_failure_while_the_policy_looks_is_recorded() -> None:
    result = play(toys.HOSTILE_ID, "calm", {"name": "fine", "arguments": {}}, ToolFailure("lost"))
    assert result.failure == {"type": "ToolFailure", "message": "lost"}
    assert result.steps == 1


def test_a_bug_of_the_policy_is_not_a_failure_of_the_environment() -> None:
    with pytest.raises(ZeroDivisionError):
        play(toys.TEA_SHOP_ID, "order-sencha", ZeroDivisionError())


def test_an_episode_that_cannot_start() -> None:
    with pytest.raises(LoadFailure):
        play(toys.HOSTILE_ID, "unloadable")
    result = play(toys.HOSTILE_ID, "unloadable", on_error="truncate")
    assert result.failure is not None
    assert result.failure["type"] == "LoadFailure"
    assert result.steps == 0


def test_run_policy_goes_on_after_a_failure() -> None:
    plan = [
        PlannedEpisode(toys.HOSTILE_ID, "unloadable", 0),
        PlannedEpisode(toys.HOSTILE_ID, "calm", 1),
        PlannedEpisode(toys.TEA_SHOP_ID, "both", 2),
    ]
    results = list(run_policy(plan, NoopPolicy()))
    assert [PlannedEpisode(r.environment, r.scenario, r.seed) for r in results] == plan
    assert [result.failure is None for result in results] == [False, True, True]


def test_other_environments_are_refused() -> None:
    with closing(gym.make("CartPole-v1")) as env, pytest.raises(TypeError, match="envscaler_gym"):
        run_episode(env, NoopPolicy(), seed=0)


def test_a_plan_goes_through_the_scenarios_in_order() -> None:
    graded = ["order-sencha", "restock-assam", "both", "partly-true"]
    plan = plan_episodes("teashop", seed=10)
    assert [planned.scenario for planned in plan] == graded
    assert [planned.seed for planned in plan] == [10, 11, 12, 13]
    assert [planned.scenario for planned in plan_episodes("teashop", episodes=6)] == [*graded, *graded[:2]]
    assert [planned.scenario for planned in plan_episodes("teashop", split="test")] == ["restock-assam"]
    assert [planned.scenario for planned in plan_episodes("teashop", difficulty="hard")] == ["both"]
    with pytest.raises(ScenarioError, match="no scenario with a reference solution"):
        plan_episodes(toys.HOSTILE_ID, solved=True)
    with pytest.raises(ScenarioError, match="expert"):
        plan_episodes("teashop", difficulty="expert")


def result(
    reward: float,
    difficulty: str | None,
    outcomes: Mapping[Outcome, int],
    failure: Mapping[str, str] | None = None,
) -> EpisodeResult:
    return EpisodeResult("e", "s", difficulty, "train", 0, reward, 4, outcomes, None, failure)


def test_summaries_leave_failures_out_of_the_means() -> None:
    lost = {"type": "WorkerCrash", "message": "gone"}
    easy, unrated = summarize(
        [
            result(1.0, "easy", {"success": 3, "unknown_tool": 1}),
            result(0.5, "easy", {"malformed_action": 2}),
            result(0.0, "easy", {"invalid_arguments": 5}, lost),
            result(0.0, None, {}, lost),
        ]
    )
    assert (easy.episodes, easy.failures, easy.agent_errors) == (3, 1, 3)
    assert (easy.mean, easy.lowest, easy.highest, easy.steps) == (0.75, 0.5, 1.0, 4.0)
    assert unrated.difficulty is None
    assert (unrated.mean, unrated.lowest, unrated.highest, unrated.steps) == (None, None, None, None)
    assert summarize([]) == ()
