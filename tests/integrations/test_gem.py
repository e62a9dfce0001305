"""The environments for GEM, made by GEM itself, and as ROLL plays them."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from envscaler_gym import registry
from envscaler_gym.errors import UnknownNameError
from envscaler_gym.wrappers import PotentialReward
from tests import toys

adapter: Any = pytest.importorskip(
    "envscaler_gym.integrations.gem", reason='pip install "envscaler-gym[gem]"', exc_type=ImportError
)
import gem  # noqa: E402 - what comes with the extra
from gem.wrappers.observation_wrapper import ObservationWrapper  # noqa: E402

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_gem.py"
TEA_SHOP = "toys:TeaShop-v0"


def said(name: str, arguments: Any) -> str:
    return f"I see.\n<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def solution(environment: str, scenario: str) -> list[str]:
    calls = registry.get_bundle(environment).scenario(scenario).solution
    return [said(call.name, dict(call.arguments)) for call in calls]


ORDER = said("order_tea", {"tea_id": "T-1", "grams": 100})


@pytest.mark.parametrize("environment", registry.ids())
def test_every_environment_is_registered(environment: str) -> None:
    env = gem.make(environment.replace("/", ":"), reward="none", on_error="truncate")
    observation, info = env.reset(seed=0)
    assert info["environment"] == environment
    assert "<tool_call>" in observation
    env.close()


def test_registering_again_changes_nothing() -> None:
    before = dict(gem.envs.registration.ENV_REGISTRY)
    adapter.register_all()
    assert before == gem.envs.registration.ENV_REGISTRY
    assert "envscaler:Suite-v0" in before


def test_a_solution_earns_1() -> None:
    env = gem.make("envscaler:Library-v0", split="train", difficulty="easy")
    observation, info = env.reset(seed=3)
    scenario = registry.get_bundle(info["environment"]).scenario(info["scenario"])
    assert (scenario.split, scenario.difficulty) == ("train", "easy")
    assert observation.endswith(scenario.task)
    assert info["tools"][0]["function"]["name"] in observation
    for text in solution(info["environment"], info["scenario"]):
        observation, reward, terminated, truncated, info = env.step(text)
        assert (reward, terminated, truncated) == (0.0, False, False)
        assert json.loads(observation.removeprefix("<tool_response>").removesuffix("</tool_response>"))["success"]
        assert info["metrics"]["success"] == 0.0
    observation, reward, terminated, truncated, info = env.step("Done.")
    assert (observation, reward, terminated, truncated) == ("The episode has ended.", 1.0, True, False)
    assert info["score"]["passed"] == info["score"]["total"]
    assert info["metrics"] == {"success": 1.0, "format_errors": 0.0, "tool_errors": 0.0}
    assert set(info["metrics_agg_mode"]) == set(info["metrics"])


def test_the_same_seed_is_the_same_episode() -> None:
    first, second = gem.make(TEA_SHOP), gem.make(TEA_SHOP, seed=4)
    assert first.reset(seed=4) == second.reset()
    assert first.reset() == second.reset()
    assert [first.sample_random_action()] * 2 == [first.sample_random_action(), second.sample_random_action()]
    assert first.step(ORDER) == second.step(ORDER)
    scenarios = {first.reset(seed=seed)[1]["scenario"] for seed in range(12)}
    assert len(scenarios) > 2


def test_a_limit_terminates_as_well() -> None:
    env = gem.make(TEA_SHOP, max_steps=1)
    env.reset(scenario="order-sencha")
    assert env.step(ORDER)[1:4] == (1.0, True, True)


def test_random_actions_are_calls() -> None:
    env = gem.make(TEA_SHOP)
    env.reset(seed=0, scenario="both")
    *_, info = env.step(env.sample_random_action())
    assert info["chat"] | {"tool_errors": 0} == {"messages": 1, "calls": 1, "format_errors": 0, "tool_errors": 0}


def test_errors_of_form_are_told_apart() -> None:
    env = gem.make(TEA_SHOP)
    env.reset(scenario="both")
    observation, *_, info = env.step("<tool_call>{</tool_call>")
    assert "not JSON" in observation
    assert info["metrics"]["format_errors"] == 1.0
    *_, info = env.step(said("get_tea", {"tea_id": "none"}))
    assert info["metrics"]["tool_errors"] == 1.0


@pytest.mark.parametrize("same", [False, True])
def test_spawned_environments_go_their_own_ways(same: bool) -> None:
    env = gem.make(TEA_SHOP)
    env.reset(scenario="both")
    env.step(ORDER)
    other = env.spawn(same_state=same)
    if not same:
        other.reset(scenario="both")
    assert other.step("Done.")[1] == (0.6667 if same else 0.0)
    env.step(said("restock", {"tea_id": "T-2", "bag": 100}))
    assert env.step("Done.")[1] == 1.0
    assert env.spawn(max_steps=1, form="messages").reset(seed=1)[1]["max_steps"] == 1


def test_states_can_be_kept() -> None:
    env = gem.make(TEA_SHOP, form="messages")
    env.reset(scenario="both", seed=1)
    env.step(ORDER)
    kept = pickle.loads(pickle.dumps(env.get_state()))
    answers = []
    for _ in range(2):
        answers.append(env.step(said("opening_hours", {})))
        env.step("Done.")
        env.set_state(kept)
    assert answers[0] == answers[1]
    assert env.env_info["scenario"] == "both"


def test_gems_wrappers_go_around_it() -> None:
    env = ObservationWrapper(gem.make(TEA_SHOP), include_action=True, include_chat_template=False)
    first, _ = env.reset(seed=1)
    whole, *_ = env.step(ORDER)
    assert whole.startswith(first.rstrip())
    assert ORDER in whole


def test_our_wrappers_go_inside() -> None:
    env = gem.make(TEA_SHOP, wrap=partial(PotentialReward, gamma=1.0))
    env.reset(scenario="order-sencha")
    assert env.step(ORDER)[1] == pytest.approx(1.0)


@pytest.mark.parametrize("async_mode", [False, True])
def test_vectors(async_mode: bool) -> None:
    envs = gem.make_vec([TEA_SHOP, TEA_SHOP, "envscaler:Suite-v0"], seed=5, async_mode=async_mode)
    _, infos = envs.reset()
    alone = gem.make(TEA_SHOP, seed=6)
    assert infos[1]["scenario"] == alone.reset()[1]["scenario"]
    _, rewards, terminated, _, after = envs.step(["Done.", ORDER, "Done."])
    assert list(terminated) == [True, False, True]
    assert rewards[1] == 0.0
    assert {"environment", "scenario"} <= set(envs.reset()[1][2])
    assert after[1]["outcome"] == "success"


def test_a_conversation_is_text_as_well() -> None:
    env = gem.make(TEA_SHOP, mode="conversation")
    observation, _ = env.reset(scenario="both")
    assert observation.endswith("I would like 100 g of Sencha.")
    env.step(ORDER)
    assert env.step("It is ordered.")[0] == "And put 100 g of Assam on the shelf."
    env.step(said("restock", {"tea_id": "T-2", "bag": 100}))
    assert env.step("It is there.")[1:4] == (1.0, True, False)


# As ROLL's AgentNativeStepEnvManager plays: messages, raw text with special tokens, reasons instead of answers.


def test_roll_gets_messages_and_tools() -> None:
    env = gem.make(TEA_SHOP, form="messages", seed=1)
    observation, info = env.reset(seed=2, scenario="both")
    assert [message["role"] for message in observation] == ["system", "user"]
    assert "order_tea" not in observation[0]["content"]
    assert [tool["function"]["name"] for tool in info["tools"]][:2] == ["list_teas", "get_tea"]
    assert not env.env_reset_failed
    observation, *_ = env.step(ORDER + "<|im_end|>\n<|endoftext|>")
    assert [message["role"] for message in observation[2:]] == ["assistant", "tool"]
    assert observation[2]["content"] == ORDER
    assert env.env_info == {
        "environment": toys.TEA_SHOP_ID,
        "scenario": "both",
        "max_steps": 30,
        "difficulty": "hard",
        "split": "train",
    }


def test_an_answer_that_never_came_ends_the_episode() -> None:
    env = gem.make(TEA_SHOP, form="messages")
    env.reset(scenario="both")
    observation, *_ = env.step(ORDER)
    after, reward, terminated, truncated, info = env.step(object())
    assert (after, reward, terminated, truncated) == (observation, 0.6667, True, True)
    assert info["metrics"]["success"] == 0.0


def test_an_episode_that_cannot_start_is_reported() -> None:
    env = gem.make("toys:Hostile-v0", on_error="truncate")
    env.reset(scenario="unloadable")
    assert env.env_reset_failed
    env.reset(scenario="calm")
    assert not env.env_reset_failed


def test_code_that_nobody_reviewed_runs_in_a_worker(unreviewed: str) -> None:
    env = adapter.GemEnv(unreviewed)
    env.reset(scenario="order-sencha")
    env.step(ORDER)
    assert env.step("Done.")[1] == 1.0
    env.close()


def test_wrong_arguments_are_told_at_once() -> None:
    with pytest.raises(ValueError, match="'messages'"):
        adapter.GemEnv(toys.TEA_SHOP_ID, form="chat")
    with pytest.raises(UnknownNameError):
        adapter.GemEnv("nowhere")


def test_the_example_runs() -> None:
    small = ["--steps", "2", "--episodes", "2"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(EXAMPLE), *small],
        env=os.environ.copy(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "mean reward" in done.stdout
