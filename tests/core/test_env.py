"""The contract of one environment: gym.make, reset, step, rewards, ends, and what the infos hold."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from envscaler_gym import GradingFailure, Scenario, ScenarioError, ToolEnv, UnknownNameError, registry
from tests import toys
from tests.core.transcripts import make, played

IDS = (*registry.shipped_ids(), toys.TEA_SHOP_ID, toys.HOSTILE_ID, "envscaler/Suite-v0")
ORDER: Any = {"name": "order_tea", "arguments": {"tea_id": "T-1", "grams": 100}}
RESTOCK: Any = {"name": "restock", "arguments": {"tea_id": "T-2", "bag": 100}}
BYE: Any = {"content": "bye"}


def tea_shop(scenario: str = "order-sencha", **arguments: Any) -> ToolEnv:
    env = ToolEnv(toys.TEA_SHOP_ID, **arguments)
    env.reset(seed=0, options={"scenario": scenario})
    return env


def finish(env: ToolEnv, *actions: Any) -> tuple[float, dict[str, Any]]:
    for action in actions:
        assert env.step(action)[4]["outcome"] == "success"
    _, reward, terminated, truncated, info = env.step(BYE)
    assert (terminated, truncated) == (True, False)
    return reward, info


@pytest.mark.parametrize("id_", IDS)
@pytest.mark.filterwarnings("error")
def test_gymnasium_s_checker_has_nothing_to_say(id_: str) -> None:
    arguments: dict[str, Any] = {"on_error": "truncate"} if id_ == toys.HOSTILE_ID else {}
    env = gym.make(id_, render_mode="ansi", **arguments)
    check_env(env.unwrapped, skip_render_check=False)
    env.close()


@pytest.mark.parametrize("id_", IDS)
def test_a_spec_round_trips_with_its_arguments(id_: str) -> None:
    arguments: dict[str, Any] = {"split": "train", "max_steps": 9, "reward": "delta", "guards": "enforce"}
    env = gym.make(id_, max_episode_steps=3, trust=True, **arguments)
    assert env.spec is not None
    spec = EnvSpec.from_json(env.spec.to_json())
    assert spec == env.spec
    assert spec.max_episode_steps == 3
    again = gym.make(spec)
    for each in (env, again):
        assert each.reset(seed=1)[1]["max_steps"] == 3
    assert {k: again.unwrapped._arguments[k] for k in arguments} == arguments  # type: ignore[attr-defined]


def test_make_imports_the_library_by_itself(run_python: Any) -> None:
    printed = run_python(
        "import gymnasium as gym\n"
        f"env = gym.make('envscaler_gym:{toys.TEA_SHOP_ID}')\n"
        "print(env.reset(seed=0)[1]['environment'])"
    )
    assert printed.strip() == toys.TEA_SHOP_ID


def test_an_episode_by_hand() -> None:
    env = gym.make(toys.TEA_SHOP_ID)
    observation, info = env.reset(seed=0, options={"scenario": "order-sencha"})
    assert observation == "Order 100 g of Sencha."
    assert info == {
        "environment": toys.TEA_SHOP_ID,
        "scenario": "order-sencha",
        "difficulty": "easy",
        "split": "train",
        "max_steps": 8,
    }
    observation, reward, terminated, truncated, info = env.step({"name": "list_teas", "arguments": {"tag": "green"}})
    assert observation == '{"success":true,"data":{"T-1":"Sencha"}}'
    assert (reward, terminated, truncated, info) == (0.0, False, False, {"outcome": "success"})
    observation, reward, terminated, truncated, info = env.step({"name": "get_tea", "arguments": {"tea_id": "T-9"}})
    assert observation == '{"success":false,"error":"There is no such tea."}'
    assert (reward, terminated, truncated, info) == (0.0, False, False, {"outcome": "refused"})
    assert env.step(ORDER)[4] == {"outcome": "success"}
    observation, reward, terminated, truncated, info = env.step(BYE)
    assert observation == "The episode has ended."
    assert (reward, terminated, truncated) == (1.0, True, False)
    passed = {"passed": True, "error": None, "counted": True}
    assert info == {
        "outcome": "message",
        "score": {
            "reward": 1.0,
            "passed": 2,
            "total": 2,
            "checks": [{"text": "Is 100 g of Sencha ordered?"} | passed, {"text": "Is it off the shelf?"} | passed],
            "guards": [{"text": "Is the Assam untouched?"} | passed],
        },
    }


def test_nothing_can_be_done_before_reset_and_after_the_end() -> None:
    for env in (gym.make(toys.TEA_SHOP_ID), ToolEnv(toys.TEA_SHOP_ID)):
        with pytest.raises(gym.error.ResetNeeded):
            env.step(BYE)
        env.reset(seed=0)
        env.step(BYE)
        for _ in range(2):
            with pytest.raises(gym.error.ResetNeeded):
                env.step(BYE)
        env.reset()
        assert not env.step(ORDER)[2]
    fresh = ToolEnv(toys.TEA_SHOP_ID)
    with pytest.raises(gym.error.ResetNeeded):
        fresh.snapshot()
    with pytest.raises(gym.error.ResetNeeded):
        fresh.submit(BYE)
    assert fresh.score is None


# --- rewards ----------------------------------------------------------------------------------------------------------


def test_the_reward_is_the_rounded_fraction() -> None:
    assert finish(tea_shop("both"))[0] == 0.0
    assert finish(tea_shop("both"), RESTOCK)[0] == 0.3333
    assert finish(tea_shop("both"), ORDER)[0] == 0.6667
    assert finish(tea_shop("both"), ORDER, RESTOCK)[0] == 1.0


def test_delta_with_nothing_to_count_is_a_failure_of_the_environment(tmp_path: Path) -> None:
    checks = (toys.check("return True", "Always?"),)
    scenario = Scenario(id="done", start_state="s", task="Do it.", checks=checks)
    toys.make_bundle(toys.TEA_SHOP_SOURCE, "TeaShop", [scenario], {"s": {}}, id="toys/Done-v0").save(tmp_path / "done")
    env = ToolEnv(str(tmp_path / "done"), trust=True, reward="delta", on_error="truncate")
    env.reset(seed=0)
    _, reward, _, truncated, info = env.step(BYE)
    assert (reward, truncated) == (0.0, True)
    assert info["failure"]["type"] == "GradingFailure"

    env = ToolEnv(str(tmp_path / "done"), trust=True, reward="delta")
    env.reset(seed=0)
    with pytest.raises(GradingFailure, match="'done' is true at the start"):
        env.step(BYE)


def test_delta_counts_only_what_is_false_at_the_start() -> None:
    assert finish(tea_shop("partly-true"))[0] == 0.3333
    reward, info = finish(tea_shop("partly-true", reward="delta"))
    assert reward == 0.0
    assert [check["counted"] for check in info["score"]["checks"]] == [True, True, False]
    assert finish(tea_shop("partly-true", reward="delta"), ORDER)[0] == 1.0
    assert finish(tea_shop("partly-true", reward="delta"), ORDER, RESTOCK)[0] == 1.0  # what was true is not counted


def test_guards_are_reported_or_enforced() -> None:
    reward, info = finish(tea_shop(), ORDER, RESTOCK)
    assert (reward, info["score"]["reward"], info["score"]["guards"][0]["passed"]) == (1.0, 1.0, False)
    reward, info = finish(tea_shop(guards="enforce"), ORDER, RESTOCK)
    assert (reward, info["score"]["reward"], info["score"]["passed"]) == (0.0, 0.0, 2)
    assert finish(tea_shop(guards="enforce"), ORDER)[0] == 1.0


def test_without_a_reward_nothing_is_graded() -> None:
    env = tea_shop("ungraded", reward="none")
    assert finish(env, ORDER) == (0.0, {"outcome": "message"})
    assert env.score is None
    drawn = {env.reset()[1]["scenario"] for _ in range(40)}
    assert "ungraded" in drawn


def test_a_scenario_that_cannot_be_graded_is_refused_at_reset() -> None:
    env = ToolEnv(toys.TEA_SHOP_ID)
    with pytest.raises(ScenarioError, match=r"'ungraded' of toys/TeaShop-v0 has no checks.*reward='none'"):
        env.reset(seed=0, options={"scenario": "ungraded"})
    with pytest.raises(gym.error.ResetNeeded):
        env.step(BYE)
    assert "ungraded" not in {env.reset(seed=seed)[1]["scenario"] for seed in range(40)}


def test_the_score_of_the_environment_is_that_of_the_info() -> None:
    env = tea_shop()
    before: Any = env.score
    _, info = finish(env, ORDER)
    assert env.score is not None
    assert env.score.to_dict() == info["score"]
    assert env.score.passed == 2
    env.reset()
    after: Any = env.score
    assert before is after is None


# --- ends -------------------------------------------------------------------------------------------------------------


def test_truncation_is_graded() -> None:
    env = tea_shop(max_steps=2)
    assert env.step(ORDER)[1:4] == (0.0, False, False)
    _, reward, terminated, truncated, info = env.step({"name": "surprise", "arguments": {}})
    assert (reward, terminated, truncated) == (1.0, False, True)
    assert info["score"]["passed"] == 2
    with pytest.raises(gym.error.ResetNeeded):
        env.step(BYE)


def test_a_message_at_the_limit_terminates() -> None:
    env = tea_shop(max_steps=1)
    assert env.step(BYE)[2:4] == (True, False)


def test_the_scenario_s_own_limit_holds() -> None:
    env = tea_shop()
    ends = [env.step({"name": "surprise", "arguments": {}})[3] for _ in range(8)]
    assert ends == [False] * 7 + [True]


def test_max_episode_steps_is_graded_too() -> None:
    env = gym.make(toys.TEA_SHOP_ID, max_episode_steps=2)
    for each in (env, gym.make(env.spec or "")):
        _, info = each.reset(seed=0, options={"scenario": "order-sencha"})
        assert info["max_steps"] == 2
        each.step(ORDER)
        _, reward, terminated, truncated, info = each.step({"name": "surprise", "arguments": {}})
        assert (reward, terminated, truncated) == (1.0, False, True)
        assert info["score"]["passed"] == 2
        each.reset(options={"scenario": "order-sencha"})
        assert [each.step({"name": "surprise", "arguments": {}})[3] for _ in range(2)] == [False, True]


# --- arguments and options --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "dev"}, "split must be one of None, 'train', 'test'; got 'dev'"),
        ({"difficulty": "trivial"}, "difficulty must be one of"),
        ({"mode": "chat"}, "mode must be one of 'task', 'conversation'; got 'chat'"),
        ({"reward": "sparse"}, "reward must be one of"),
        ({"guards": True}, "guards must be one of"),
        ({"on_error": "ignore"}, "on_error must be one of"),
        ({"isolation": "none"}, "isolation must be one of"),
        ({"render_mode": "rgb_array"}, "render_mode must be one of"),
        ({"max_steps": 0}, "max_steps must be a positive int or None, got 0"),
        ({"max_steps": True}, "max_steps must be a positive int"),
        ({"max_steps": 2.0}, "max_steps must be a positive int"),
        ({"split": ["train"]}, "split must be one of"),
    ],
)
def test_arguments_that_are_not_allowed_are_errors(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ToolEnv(toys.TEA_SHOP_ID, **arguments)


def test_filters_hold_and_those_that_nothing_fits_are_errors_at_once() -> None:
    env = ToolEnv(toys.TEA_SHOP_ID, split="train", difficulty="easy")
    assert {env.reset(seed=seed)[1]["scenario"] for seed in range(10)} == {"order-sencha"}
    env = ToolEnv(toys.TEA_SHOP_ID, split="test")
    assert {env.reset(seed=seed)[1]["scenario"] for seed in range(10)} == {"restock-assam"}
    with pytest.raises(ScenarioError, match=r"no scenario with split='test' and difficulty='hard'; it has test/medium"):
        ToolEnv(toys.TEA_SHOP_ID, split="test", difficulty="hard")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"scenario": "order-senchas"}, ScenarioError, r"no scenario 'order-senchas'\. Did you mean 'order-sencha'"),
        ({"scenario": 3}, ValueError, "'scenario' must be an id, got 3"),
        ({"scenario": ["order-sencha"]}, ValueError, "must be an id"),
        ({"scenaro": "order-sencha"}, ValueError, r"Unknown reset options \['scenaro'\]; allowed: 'scenario'"),
        ({"environment": toys.TEA_SHOP_ID}, ValueError, "Unknown reset options"),
    ],
)
def test_reset_options_that_are_not_allowed_are_errors(options: Any, error: type[Exception], message: str) -> None:
    env = ToolEnv(toys.TEA_SHOP_ID)
    before = copy.deepcopy(options)
    with pytest.raises(error, match=message):
        env.reset(seed=0, options=options)
    assert options == before
    env.reset()
    env.step(BYE)


def test_an_environment_is_found_by_path(tmp_path: Path) -> None:
    toys.tea_shop("elsewhere/Tea-v3").save(tmp_path / "tea")
    env = ToolEnv(str(tmp_path / "tea"), trust=True)
    assert env.reset(seed=0)[1]["environment"] == "elsewhere/Tea-v3"
    with pytest.raises(UnknownNameError, match="no environment"):
        ToolEnv(str(tmp_path / "coffee"))


# --- conversation -----------------------------------------------------------------------------------------------------


def test_a_conversation_ends_when_the_user_has_said_everything() -> None:
    env = tea_shop("both", mode="conversation")
    observation, _ = env.reset(options={"scenario": "both"})
    assert observation == "I would like 100 g of Sencha."
    env.step(ORDER)
    observation, reward, terminated, truncated, info = env.step({"content": "It is on its way."})
    assert observation == "And put 100 g of Assam on the shelf."
    assert (reward, terminated, truncated, info) == (0.0, False, False, {"outcome": "message"})
    env.step(RESTOCK)
    observation, reward, terminated, truncated, info = env.step({"content": "Done."})
    assert (observation, reward, terminated, truncated) == ("The episode has ended.", 1.0, True, False)
    assert info["outcome"] == "message"


def test_a_scenario_without_requests_is_said_as_a_whole() -> None:
    env = tea_shop(mode="conversation")
    assert env.reset(options={"scenario": "order-sencha"})[0] == "Order 100 g of Sencha."
    assert env.step({"content": "No."})[1:4] == (0.0, True, False)


# --- infos ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id_", IDS[:-1])
def test_infos_are_data_and_hold_no_secret(id_: str) -> None:
    env = make(id_)
    for scenario in list(env.bundle.scenarios.values())[:5]:
        if not scenario.solution or scenario.checks is None:
            continue
        env.reset(seed=0, options={"scenario": scenario.id})
        secrets = [check.source for check in (*scenario.checks, *scenario.guards)]
        secrets += [json.dumps(dict(env.bundle.start_states[scenario.start_state].state))]
        kept = [env.reset(seed=0, options={"scenario": scenario.id})]
        for call in scenario.solution:
            observation, *_, info = env.step({"name": call.name, "arguments": dict(call.arguments)})
            assert info == {"outcome": "success"}
            kept.append((observation, info))
        for observation, info in kept:
            text = json.dumps([observation, info])
            assert not any(json.dumps(secret) in text for secret in secrets)
            assert not any(json.dumps(check.text) in text for check in scenario.checks)
        final = env.step(BYE)[4]
        assert final.keys() == {"outcome", "score"}
        assert json.loads(json.dumps(final)) == pickle.loads(pickle.dumps(final)) == final
        assert not any(secret in json.dumps(final) for secret in map(json.dumps, secrets))


def test_what_comes_out_shares_nothing_with_what_goes_on() -> None:
    """Spoiling every mutable object that was handed out or in changes no later episode."""

    def spoil(value: Any) -> None:
        if isinstance(value, dict):
            for item in list(value.values()):
                spoil(item)
            value.clear()
            value["spoiled"] = True
        elif isinstance(value, list):
            for item in value:
                spoil(item)
            value.append("spoiled")

    def episode(env: ToolEnv, *, spoiled: bool) -> list[Any]:
        facts = {"facts": {"list": [1, {"deep": [2]}]}, "tea_id": "T-1"}
        actions: list[Any] = [
            {"name": "annotate", "arguments": facts},
            {"name": "set_tags", "arguments": {"tea_id": "T-1", "tags": ["a", "b"]}},
            {"name": "set_origin", "arguments": {"tea_id": "T-1", "origin": {"country": "Nepal", "year": 2020}}},
            {"name": "get_tea", "arguments": {"tea_id": "T-1"}},
            ORDER,
            BYE,
        ]
        seen: list[Any] = [env.reset(seed=0, options={"scenario": "order-sencha"})]
        for tool in env.tools:
            if spoiled:
                spoil(tool.to_openai())
        for action in copy.deepcopy(actions):
            seen.append(env.step(action))
            seen.append(env.episode.world.state())
            if spoiled:
                kept = copy.deepcopy(seen)
                spoil(action)
                spoil(seen[-1])
                spoil(seen[-2][4])
                seen = kept
        return seen

    env = tea_shop()
    clean = episode(env, spoiled=False)
    assert episode(env, spoiled=True) == clean
    assert episode(env, spoiled=False) == clean
    assert list(played(env, 3)) == list(played(ToolEnv(toys.TEA_SHOP_ID), 3))


def test_closing_twice_and_going_on() -> None:
    env = tea_shop()
    env.close()
    env.close()
    with pytest.raises(gym.error.ResetNeeded):
        env.step(BYE)
    env.reset(seed=0, options={"scenario": "order-sencha"})
    assert finish(env, ORDER)[0] == 1.0
    wrapped = gym.make(toys.TEA_SHOP_ID)
    wrapped.close()
    wrapped.close()
