from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from envscaler_gym import BundleError, ToolEnv, registry
from envscaler_gym.rollout import make_policy, run_episode
from envscaler_gym.trajectories import (
    Trajectory,
    TrajectoryMismatch,
    read_trajectories,
    replay,
    write_trajectories,
)
from envscaler_gym.wrappers import RecordTrajectory
from tests import toys

LIBRARY = "envscaler/Library-v0"


def record(policy: str, seed: int = 0, environment: str = LIBRARY, **options: Any) -> Trajectory:
    env = RecordTrajectory(ToolEnv(environment, **options), policy=policy)
    run_episode(env, make_policy(policy), seed=seed)
    assert env.trajectory is not None
    return env.trajectory


@pytest.mark.parametrize("id_", registry.shipped_ids())
@pytest.mark.parametrize("policy", ["reference", "random", "noop"])
def test_a_recorded_episode_comes_out_again(id_: str, policy: str, tmp_path: Path) -> None:
    recorded = [record(policy, seed, id_) for seed in range(3)]
    assert write_trajectories(tmp_path / "t.jsonl", recorded) == 3
    again = list(read_trajectories(tmp_path / "t.jsonl"))
    assert again == recorded
    for trajectory in again:
        score = replay(trajectory)
        assert score is not None
        assert score.reward == trajectory.reward


def test_later_episodes_of_a_seed_and_conversations_come_out_again() -> None:
    env = RecordTrajectory(ToolEnv(LIBRARY, mode="conversation"))
    for seed in (5, None, None):
        env.reset(seed=seed)
        ended = False
        while not ended:
            _, _, terminated, truncated, _ = env.step({"content": "Certainly."})
            ended = terminated or truncated
        assert env.trajectory is not None
        assert env.trajectory.mode == "conversation"
        replay(env.trajectory)
    assert env.trajectory is not None
    assert env.trajectory.seed.startswith("5:2:")


def test_an_episode_in_a_worker_is_recorded_and_comes_out_again(tmp_path: Path) -> None:
    toys.tea_shop("fresh/Tea-v0").save(tmp_path / "tea")
    trajectory = record("random", environment=str(tmp_path / "tea"))
    assert len(trajectory.steps) > 3
    replay(trajectory, registry.get_bundle(str(tmp_path / "tea")))


def test_actions_without_a_form_are_recorded() -> None:
    env = RecordTrajectory(ToolEnv(LIBRARY, max_steps=3))
    env.reset(seed=0)
    for action in ({"what": object()}, {"name": "no_such_tool", "arguments": {}}, {"name": "search_books"}):
        env.step(action)  # type: ignore[arg-type]
    assert env.trajectory is not None
    assert env.trajectory.truncated
    assert env.trajectory.errors == 3
    replay(env.trajectory)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda t: t["steps"][1].update(state="sha256:0"), "the state of step 2"),
        (lambda t: t["steps"][0].update(observation="{}"), "the observation of step 1"),
        (lambda t: t["steps"][0].update(outcome="refused"), "the outcome of step 1"),
        (lambda t: t.update(observation="Do something."), "the first observation"),
        (lambda t: t.update(start="sha256:0"), "the state at the start"),
        (lambda t: t["score"].update(passed=0), "the number of checks passed"),
        (lambda t: t.update(bundle="sha256:0", start="sha256:0"), "the bundle was sha256:0 when recorded"),
    ],
)
def test_what_differs_is_named(change: Any, what: str) -> None:
    data = record("reference").model_dump()
    change(data)
    with pytest.raises(TrajectoryMismatch) as caught:
        replay(Trajectory.model_validate(data))
    assert what in str(caught.value)


def test_a_failure_of_the_environment_is_recorded(tmp_path: Path) -> None:
    toys.hostile().save(tmp_path / "hostile")
    env = RecordTrajectory(ToolEnv(str(tmp_path / "hostile"), trust=True, on_error="truncate", reward="none"))
    env.reset(seed=0, options={"scenario": next(iter(env.unwrapped.bundle.scenarios))})  # type: ignore[attr-defined]
    _, _, _, truncated, _ = env.step({"name": "boom", "arguments": {}})
    assert truncated
    assert env.trajectory is not None
    assert env.trajectory.failure is not None
    assert env.trajectory.failure["type"] == "ToolFailure"
    assert [step.outcome for step in env.trajectory.steps] == ["failure"]


def test_episodes_are_added_to_a_file_as_they_end(tmp_path: Path) -> None:
    env = RecordTrajectory(gym.make(LIBRARY), path=str(tmp_path / "deep" / "t.jsonl"), policy="me")
    for seed in range(2):
        env.reset(seed=seed)
        env.step({"content": "Done."})
    env.reset(seed=2)  # not played to its end
    recorded = list(read_trajectories(tmp_path / "deep" / "t.jsonl"))
    assert [trajectory.seed.split(":")[0] for trajectory in recorded] == ["0", "1"]
    assert {trajectory.policy for trajectory in recorded} == {"me"}
    json.loads(env.spec.to_json() if env.spec else "null")


def test_a_line_that_is_no_trajectory(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    write_trajectories(path, [record("noop")])
    with path.open("a") as file:
        file.write('\n{"format": 1}\n')
    with pytest.raises(BundleError, match=r"t.jsonl:3: environment: field required"):
        list(read_trajectories(path))


def test_only_environments_of_this_library_are_recorded() -> None:
    with pytest.raises(TypeError, match="RecordTrajectory wraps environments of envscaler_gym"):
        RecordTrajectory(gym.make("CartPole-v1"))
