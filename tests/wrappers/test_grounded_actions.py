"""The menu holds calls that make sense, its mask is true, and its numbers say what they should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from envscaler_gym import ToolEnv, WorkerCrash, registry
from envscaler_gym.scenario import Scenario
from envscaler_gym.state import canonical_json
from envscaler_gym.wrappers import Faults, GroundedActions
from envscaler_gym.wrappers.grounding import GLOBAL_FEATURES, SLOT_FEATURES
from tests import toys
from tests.wrappers.conftest import Make, core

LIBRARY = "envscaler/Library-v0"


def key(name: str, arguments: Any) -> str:
    return f"{name} {canonical_json(dict(arguments)).decode()}"


def number(env: GroundedActions, tool: str, /, **arguments: Any) -> int:
    """Return the action that makes a call."""
    keys = [candidate.key if candidate else "" for candidate in env.menu]
    return keys.index(key(tool, arguments)) + 1


def grounded(**arguments: Any) -> GroundedActions:
    made = {name: arguments.pop(name) for name in ("split", "difficulty", "mode", "isolation") if name in arguments}
    return GroundedActions(gym.make(LIBRARY, disable_env_checker=True, **made), **arguments)


def slots(env: GroundedActions) -> np.ndarray[Any, Any]:
    observation = env.observation()
    assert isinstance(observation, np.ndarray)
    return observation[GLOBAL_FEATURES:].reshape(-1, SLOT_FEATURES)


def test_a_task_is_solved_from_its_words_alone() -> None:
    """Neither the solution nor the ids in it are known to the menu."""
    env = grounded()
    env.reset(seed=0, options={"scenario": "from-guest-to-resident"})
    env.step(
        number(
            env,
            "record_payment",
            member_id="M-0080",
            items=[{"fine_id": "FN-0112", "amount_cents": 450}],
            method="cash",
        )
    )
    env.step(number(env, "renew_membership", member_id="M-0080", tier="resident"))
    env.step(number(env, "lend_copy", copy_id="C-0325", member_id="M-0080"))
    _, reward, terminated, truncated, info = env.step(0)
    assert (reward, terminated, truncated, info["is_success"]) == (1.0, True, False, True)


def test_quoted_words_and_new_records_become_arguments() -> None:
    env = grounded()
    env.reset(seed=0, options={"scenario": "coffee-on-persepolis"})
    env.step(number(env, "return_copy", copy_id="C-0517", condition="damaged"))
    assert env.step(number(env, "waive_fine", fine_id="FN-0169", reason="hospital stay"))[4]["outcome"] == "success"


def test_the_menu_knows_nothing_of_solution_and_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    env = grounded()
    env.reset(seed=0, options={"scenario": "late-and-a-tenner"})
    menu = [candidate.key for candidate in env.menu if candidate]
    scenario = core(env).episode.scenario
    stripped = scenario.model_copy(update={"solution": (), "checks": None, "guards": (), "difficulty": "expert"})
    monkeypatch.setattr(core(env).episode, "scenario", stripped)
    again = env._maker.make(core(env).episode, scenario.task, None)
    assert [candidate.key for candidate in again.slots if candidate] == menu
    assert not any("720" in call for call in menu)


@pytest.mark.parametrize("id_", registry.shipped_ids())
def test_with_the_solution_hard_tasks_can_be_solved(id_: str) -> None:
    hard = [scenario for scenario in registry.get_bundle(id_).scenarios.values() if scenario.difficulty == "hard"]
    assert hard
    for scenario in hard[:3]:
        env = GroundedActions(gym.make(id_, disable_env_checker=True), slots=24, include_solution=True)
        env.reset(seed=0, options={"scenario": scenario.id})
        for call in scenario.solution:
            if core(env).bundle.tools[call.name].kind == "state_change":
                action = number(env, call.name, **call.arguments)
                assert env.action_masks()[action]
                env.step(action)
        assert env.step(0)[1] == 1.0, scenario.id


def test_the_solution_is_not_marked() -> None:
    """Its calls stand where their score puts them, and their numbers are what the same calls have without it."""
    env, plain = grounded(include_solution=True, slots=256), grounded(slots=256)
    options = {"scenario": "suspended-at-station-road"}
    for one in (env, plain):
        one.reset(seed=0, options=options)
    order = [(-(c.score + c.named), c.key) for c in env.menu if c]
    assert order == sorted(order)
    rows = {candidate.key: row.tolist() for candidate, row in zip(plain.menu, slots(plain), strict=True) if candidate}
    shared = [
        (row.tolist(), rows[candidate.key])
        for candidate, row in zip(env.menu, slots(env), strict=True)
        if candidate and candidate.key in rows
    ]
    assert len(shared) > 100
    assert all(first == second for first, second in shared)


@pytest.mark.parametrize("isolation", ["process", "worker"])
def test_the_mask_is_true_and_trials_leave_no_trace(isolation: str) -> None:
    env, plain = grounded(isolation=isolation, slots=8), gym.make(LIBRARY, disable_env_checker=True)
    env.reset(seed=3, options={"scenario": "omar-settles-up"})
    plain.reset(seed=3, options={"scenario": "omar-settles-up"})
    rng = np.random.default_rng(0)
    for _ in range(8):
        legal = np.flatnonzero(env.action_masks())[1:]
        snapshot = core(env).snapshot()
        for action in legal:
            assert env.step(int(action))[4]["outcome"] == "success"
            core(env).restore(snapshot)
        info = env.step(int(rng.choice(legal)))[4]
        assert plain.step(info["call"])[4]["outcome"] == "success"
        assert core(env).episode.world.state() == core(plain).episode.world.state()
        assert core(env).episode.world.snapshot() == core(plain).episode.world.snapshot()
    env.close()


def test_the_mask_is_the_same_everywhere(tea: Make) -> None:
    env = GroundedActions(tea(), slots=6, dict_obs=True)
    observation, info = env.reset(seed=0)
    assert isinstance(observation, dict)
    masks = [observation["action_mask"], info["action_mask"], env.action_masks()]
    assert [mask.dtype for mask in masks] == [np.float32, np.int8, np.bool_]
    assert len({tuple(mask.astype(int)) for mask in masks}) == 1
    assert list(observation) == ["observations", "action_mask"]
    assert env.observation_space.contains(observation)


def test_without_trials_every_call_may_be_made(tea: Make) -> None:
    env = GroundedActions(tea(isolation="worker"), slots=6, trials=False)
    env.reset(seed=0)
    assert env.action_masks().tolist() == [True, *(candidate is not None for candidate in env.menu)]


def test_look_ups_are_offered_if_asked_for(tea: Make) -> None:
    kinds = []
    for queries in (False, True):
        env = GroundedActions(tea(), queries=queries)
        env.reset(seed=0)
        kinds.append({candidate.kind for candidate in env.menu if candidate})
    assert kinds == [{"state_change"}, {"state_change", "query"}]


def test_numbers_tell_what_happened(tea: Make) -> None:
    env = GroundedActions(tea(), slots=40)
    first, _ = env.reset(seed=0, options={"scenario": "order-sencha"})
    assert isinstance(first, np.ndarray)
    assert first[:8].tolist() == [1.0, 0, 0, 0, 0, 0, 0, 0]
    action = number(env, "order_tea", tea_id="T-1", grams=100)
    filled = np.array([candidate is not None for candidate in env.menu], np.float32)
    assert slots(env)[:, 0].tolist() == filled.tolist()
    assert slots(env)[action - 1, 5:8].tolist() == [0, 0, 0]
    second = env.step(action)[0]
    assert isinstance(second, np.ndarray)
    assert second[0] == np.float32(7 / 8)  # steps left
    assert second[2] > 0
    assert second[4:8].tolist() == [1, 0, 0, 0]  # a success
    action = number(env, "order_tea", tea_id="T-1", grams=100)
    assert slots(env)[action - 1, 5:8].tolist() == [1, 0, 0]
    assert not np.array_equal(first[-len(filled) :], second[-len(filled) :])
    new = [c.key for c, row in zip(env.menu, slots(env), strict=True) if c and row[7]]
    assert any(call.startswith("cancel_order") for call in new)  # there was no order before


def test_an_empty_slot_is_a_step_that_comes_to_nothing(tea: Make) -> None:
    env = GroundedActions(tea(), slots=200)
    env.reset(seed=0)
    empty = env.menu.index(None) + 1
    assert not env.action_masks()[empty]
    _, reward, terminated, truncated, info = env.step(empty)
    assert (reward, terminated, truncated, info["outcome"]) == (0.0, False, False, "malformed_action")
    while core(env).running:
        _, _, terminated, truncated, info = env.step(empty)
    assert (terminated, truncated) == (True, False)  # the limit is an end: the agent sees it come
    assert "is_success" in info


def test_a_fault_leaves_a_call_on_the_menu(tea: Make) -> None:
    env = GroundedActions(Faults(tea(), rate=1.0, kinds=["unavailable"], in_a_row=1), slots=40)
    env.reset(seed=0, options={"scenario": "order-sencha"})
    action = number(env, "order_tea", tea_id="T-1", grams=100)
    assert "fault" in env.step(action)[4]
    assert slots(env)[action - 1, 6] == 1
    assert env.step(action)[4]["outcome"] == "success"


def test_in_a_conversation_the_menu_follows_the_user(tea: Make) -> None:
    env = GroundedActions(tea(mode="conversation"), slots=30)
    env.reset(seed=0, options={"scenario": "both"})
    env.step(number(env, "order_tea", tea_id="T-1", grams=100))
    calls = {candidate.key for candidate in env.menu if candidate}
    _, _, terminated, _, info = env.step(0)
    assert (terminated, info["outcome"]) == (False, "message")
    assert {candidate.key for candidate in env.menu if candidate} != calls
    env.step(number(env, "restock", tea_id="T-2", bag=100))
    assert env.step(0)[1:3] == (1.0, True)


GATE = """
from datetime import datetime

class Gate:
    def __init__(self, init_config):
        self.open = False

    def open_gate(self):
        self.open = self.open or datetime.now().hour >= 9
        return {"success": self.open}
"""


def test_what_is_legal_depends_on_the_clock(tmp_path: Path) -> None:
    """Menus are remembered, but not for another time of day."""
    checks = (toys.check('return final_state["open"]'),)
    scenarios = [
        Scenario(id=clock, start_state="shut", task="Open it.", checks=checks, clock=f"2025-01-01T{clock}")
        for clock in ("08:00:00", "10:00:00")
    ]
    kinds = {"open_gate": "state_change"}
    bundle = toys.make_bundle(GATE, "Gate", scenarios, {"shut": {"open": False}}, "toys/Gate-v0", kinds)
    bundle.save(tmp_path / "gate")
    env = GroundedActions(ToolEnv(str(tmp_path / "gate"), trust=True), slots=1, include_solution=False)
    env.reset(options={"scenario": "08:00:00"})
    assert env.action_masks().tolist() == [True, False]
    env.reset(options={"scenario": "10:00:00"})
    assert env.action_masks().tolist() == [True, True]
    env.reset(options={"scenario": "08:00:00"})
    assert env.action_masks().tolist() == [True, False]


def test_a_world_that_does_not_survive_a_trial_is_a_failure(tea: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any) -> None:
        raise WorkerCrash("the worker has ended")

    for on_error in ("raise", "truncate"):
        env = GroundedActions(tea(on_error=on_error), slots=40)
        env.reset(seed=0, options={"scenario": "order-sencha"})
        action = number(env, "order_tea", tea_id="T-1", grams=100)
        monkeypatch.setattr(env._maker, "make", die)
        if on_error == "raise":
            with pytest.raises(WorkerCrash):
                env.step(action)
        else:
            _, reward, terminated, truncated, info = env.step(action)
            assert (reward, terminated, truncated) == (0.0, False, True)
            assert info["failure"]["type"] == "WorkerCrash"
        assert not core(env).running


def test_a_call_keeps_its_slot() -> None:
    env = grounded(slots=24)
    env.reset(seed=0, options={"scenario": "back-to-university"})
    before = {candidate.key: i for i, candidate in enumerate(env.menu) if candidate}
    env.step(number(env, "renew_membership", member_id="M-0119", tier="student", years=2))
    after = {candidate.key: i for i, candidate in enumerate(env.menu) if candidate}
    stayed = before.keys() & after.keys()
    assert len(stayed) > 5
    assert all(before[call] == after[call] for call in stayed)
    assert after.keys() - before.keys()


def test_menus_are_the_same_in_any_process(run_python: Any) -> None:
    code = f"""
import gymnasium as gym, envscaler_gym
from envscaler_gym.wrappers import GroundedActions
env = GroundedActions(gym.make({LIBRARY!r}), slots=48)
for scenario in ("omar-settles-up", "harbour-hold-shelf"):
    observation, _ = env.reset(seed=1, options={{"scenario": scenario}})
    print([candidate and candidate.key for candidate in env.menu], observation.tobytes().hex())
"""
    assert run_python(code, PYTHONHASHSEED="1") == run_python(code, PYTHONHASHSEED="2")


@pytest.mark.parametrize("action", [-1, 13, "order", None, 1.5])
def test_actions_that_are_none_are_refused(tea: Make, action: Any) -> None:
    env = GroundedActions(tea(), slots=12)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="The action must be from 0 to 12, got"):
        env.step(action)


def test_a_menu_without_slots_is_refused() -> None:
    with pytest.raises(ValueError, match="slots must be at least 1, got 0"):
        GroundedActions(ToolEnv(toys.TEA_SHOP_ID), slots=0)
