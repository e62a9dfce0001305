"""Sessions of clients that can only call tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envscaler_gym import registry
from envscaler_gym.errors import ScenarioError, UnknownNameError
from envscaler_gym.integrations.sessions import FINISH, SAY, ToolSession
from envscaler_gym.trajectories import read_trajectories
from envscaler_gym.wrappers import RecordTrajectory
from tests import toys

ORDER = {"tea_id": "T-1", "grams": 100, "note": "gift"}


def test_an_episode_ends_with_a_call_and_is_graded() -> None:
    session = ToolSession(toys.TEA_SHOP_ID)
    info = session.start(seed=0, options={"scenario": "order-sencha"})
    assert info["scenario"] == "order-sencha"
    assert session.observation == "Order 100 g of Sencha."
    assert session.observation in session.briefing
    reply = session.call("order_tea", ORDER)
    assert (reply.outcome, reply.error, reply.ended, reply.reward) == ("success", False, False, 0.0)
    reply = session.call(FINISH, {"message": "Done."})
    assert (reply.outcome, reply.error, reply.ended, reply.reward) == ("message", False, True, 1.0)
    late = session.call("order_tea", ORDER)
    assert late.error
    assert late.ended
    assert late.reward is None
    assert "has ended" in late.text


def test_nothing_can_be_called_before_the_start() -> None:
    reply = ToolSession(toys.TEA_SHOP_ID).call("list_teas", {})
    assert reply.error
    assert "No episode was started" in reply.text


def test_no_environment_has_a_tool_of_these_names() -> None:
    for name in registry.ids():
        assert not {FINISH, SAY} & set(registry.get_bundle(name).tools)
    assert not FINISH.isidentifier()
    assert not SAY.isidentifier()


@pytest.mark.parametrize("arguments", [{"message": 3}, {"text": "x"}, {"message": "x", "more": 1}])
def test_what_does_not_fit_is_answered_and_ends_nothing(arguments: dict[str, object]) -> None:
    session = ToolSession(toys.TEA_SHOP_ID)
    session.start(options={"scenario": "order-sencha"})
    reply = session.call(FINISH, arguments)
    assert reply.outcome == "invalid_arguments"
    assert "message: string" in json.loads(reply.text)["error"]
    assert session.running
    assert session.call("list_teas", {"tag": 3}).outcome == "invalid_arguments"
    assert session.call(SAY, {}).outcome == "unknown_tool"


def test_a_user_is_talked_to_with_a_tool() -> None:
    session = ToolSession(toys.TEA_SHOP_ID, mode="conversation")
    session.start(seed=0, options={"scenario": "both"})
    assert session.tools[-1].name == SAY
    assert "I would like 100 g of Sencha." in session.briefing
    assert "Assam" not in session.briefing.partition("## The user says")[2]
    session.call("order_tea", ORDER)
    reply = session.call(SAY, {"message": "Done. Anything else?"})
    assert (reply.text, reply.ended) == ("And put 100 g of Assam on the shelf.", False)
    session.call("restock", {"tea_id": "T-2", "bag": 100})
    assert session.call(SAY, {"message": "Done."}).reward == 1.0


@pytest.mark.parametrize("mode", ["task", "conversation"])
def test_who_leaves_is_graded_as_it_stands(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    session = ToolSession(
        toys.TEA_SHOP_ID, mode=mode, wrap=lambda env: RecordTrajectory(env, path=str(path), policy="somebody")
    )
    session.start(seed=0, options={"scenario": "both"})
    session.call("order_tea", ORDER)
    reply = session.leave()
    assert reply.ended
    assert reply.reward == pytest.approx(2 / 3, abs=1e-4)
    assert session.leave() == reply
    (trajectory,) = read_trajectories(path)
    assert trajectory.reward == reply.reward


def test_a_failure_of_the_environment_ends_it_without_a_reward() -> None:
    session = ToolSession(toys.HOSTILE_ID)
    session.start(options={"scenario": "calm"})
    reply = session.call("boom", {})
    assert (reply.outcome, reply.error, reply.ended, reply.reward) == ("failure", True, True, None)


def test_filters_hold_for_what_is_chosen_too() -> None:
    session = ToolSession(toys.TEA_SHOP_ID, split="train")
    with pytest.raises(ScenarioError, match=r"'restock-assam'.*split='test'.*split='train'"):
        session.start(options={"scenario": "restock-assam"})
    assert not session.running
    with pytest.raises(ScenarioError, match="difficulty='easy'"):
        ToolSession(toys.TEA_SHOP_ID, difficulty="hard").start(options={"scenario": "order-sencha"})


def test_a_suite_plays_its_own_environments_only() -> None:
    session = ToolSession([toys.TEA_SHOP_ID, "Library"])
    info = session.start(seed=0, options={"environment": toys.TEA_SHOP_ID, "scenario": "both"})
    assert info["environment"] == toys.TEA_SHOP_ID
    assert session.tools[0].name == "list_teas"
    with pytest.raises(
        UnknownNameError, match=r"'toys/Hostile-v0' here; there are toys/TeaShop-v0, envscaler/Library-v0"
    ):
        session.start(options={"environment": toys.HOSTILE_ID})
