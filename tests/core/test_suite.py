"""Episodes drawn from many environments."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from envscaler_gym import ScenarioError, SuiteEnv, UnknownNameError, registry
from envscaler_gym.bundle import Bundle
from tests import toys
from tests.core.transcripts import played

SUITE = "envscaler/Suite-v0"
BYE: Any = {"content": "bye"}


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Two bundles that are not registered."""
    for name in ("one", "two"):
        toys.tea_shop(f"elsewhere/{name.title()}-v0").save(tmp_path / name)
    return [str(tmp_path / name) for name in ("one", "two")]


def suite(environments: list[str] | None = None, **arguments: Any) -> SuiteEnv:
    env = gym.make(SUITE, environments=environments, trust=True, **arguments).unwrapped
    assert isinstance(env, SuiteEnv)
    return env


def test_all_that_come_with_the_library_are_drawn_alike() -> None:
    env = suite()
    drawn = Counter(env.reset(seed=seed)[1]["environment"] for seed in range(270))
    assert sorted(drawn) == registry.shipped_ids()
    assert min(drawn.values()) > 15


def test_those_that_are_named_are_drawn() -> None:
    env = suite([toys.TEA_SHOP_ID, "Library"])
    assert {env.reset(seed=seed)[1]["environment"] for seed in range(30)} == {toys.TEA_SHOP_ID, "envscaler/Library-v0"}
    assert env.spec is not None
    assert env.spec.kwargs["environments"] == [toys.TEA_SHOP_ID, "Library"]


def test_environments_in_which_nothing_fits_are_passed_over() -> None:
    env = suite([toys.HOSTILE_ID, toys.TEA_SHOP_ID], split="train", difficulty="easy")
    for seed in range(20):
        _, info = env.reset(seed=seed)
        assert (info["environment"], info["scenario"]) == (toys.TEA_SHOP_ID, "order-sencha")
    with pytest.raises(
        ScenarioError, match="None of the 1 environments has a scenario with split='test' and difficulty"
    ):
        suite([toys.TEA_SHOP_ID], split="test", difficulty="expert")


@pytest.mark.parametrize("environments", [[], "Library"])
def test_environments_must_be_a_list(environments: Any) -> None:
    with pytest.raises(ValueError, match="must be a list of ids"):
        suite(environments)


def test_a_name_that_does_not_exist_is_an_error_at_once() -> None:
    with pytest.raises(UnknownNameError, match=r"'Libary'\. Did you mean 'library'"):
        suite(["Library"] * 30 + ["Libary"])


def test_the_spaces_are_constant_and_draw_for_the_running_episode() -> None:
    env = suite([toys.TEA_SHOP_ID, "Library"], max_steps=40)
    spaces = env.action_space, env.observation_space
    names = set()
    for seed in range(12):
        _, info = env.reset(seed=seed)
        assert (env.action_space, env.observation_space) == spaces
        assert env.action_space is spaces[0]
        tools = {tool.name for tool in env.tools}
        names.add(info["environment"])
        for _ in range(10):
            action: Any = env.action_space.sample()
            assert action["name"] in tools
            assert action in env.action_space
            assert env.step(action)[4]["outcome"] in ("success", "refused")
        unknown = env.step({"name": "fly", "arguments": {}})
        assert unknown[4] == {"outcome": "unknown_tool"}
        assert all(name in unknown[0] for name in tools)
    assert len(names) == 2


def test_options_choose_environment_and_scenario() -> None:
    env = suite()
    for name in (toys.TEA_SHOP_ID, "TeaShop"):
        assert env.reset(seed=0, options={"environment": name})[1]["environment"] == toys.TEA_SHOP_ID
    _, info = env.reset(options={"environment": toys.TEA_SHOP_ID, "scenario": "both"})
    assert info["scenario"] == "both"
    with pytest.raises(ValueError, match="'scenario' needs the option 'environment'"):
        env.reset(options={"scenario": "both"})
    with pytest.raises(UnknownNameError, match="no environment 'Nowhere'"):
        env.reset(options={"environment": "Nowhere"})
    with pytest.raises(ScenarioError, match="no scenario 'nothing'"):
        env.reset(options={"environment": toys.TEA_SHOP_ID, "scenario": "nothing"})
    with pytest.raises(ValueError, match="'environment' must be an id, got 3"):
        env.reset(options={"environment": 3})


def test_unregistered_bundles_are_drawn_forked_and_chosen(paths: list[str]) -> None:
    env = suite(paths)
    snapshots = {}
    for seed in range(20):
        _, info = env.reset(seed=seed)
        env.step({"name": "surprise", "arguments": {}})
        snapshots[info["environment"]] = env.snapshot()
    assert sorted(snapshots) == ["elsewhere/One-v0", "elsewhere/Two-v0"]
    for id_, snapshot in snapshots.items():
        env.restore(snapshot)
        assert env.bundle.id == id_
        assert copy.deepcopy(env).bundle.id == id_
        assert env.reset(options={"environment": id_})[1]["environment"] == id_


def test_a_bundle_that_changes_on_disk_is_run_as_it_is_now(paths: list[str]) -> None:
    env = suite(paths[:1])
    before = env.reset(seed=0, options={"environment": "elsewhere/One-v0", "scenario": "both"})
    hours: Any = {"name": "opening_hours", "arguments": {}}
    assert '"data":"20' in env.step(hours)[0]
    changed = toys.TEA_SHOP_SOURCE.replace("str(datetime.now())", "'always'")
    bundle = toys.tea_shop("elsewhere/One-v0")
    Bundle(bundle.manifest, changed, None, bundle.start_states, bundle.scenarios).save(Path(paths[0]))
    assert env.reset(seed=0, options={"environment": "elsewhere/One-v0", "scenario": "both"}) == before
    assert env.step(hours)[0] == '{"success":true,"data":"always"}'


def test_a_suite_of_one_plays_as_seeded() -> None:
    assert list(played(suite([toys.TEA_SHOP_ID]), 3)) == list(played(suite(["TeaShop"]), 3))


def test_max_episode_steps_and_scores() -> None:
    env = gym.make(SUITE, max_episode_steps=1)
    assert env.reset(seed=0)[1]["max_steps"] == 1
    _, reward, terminated, truncated, info = env.step({"name": "x", "arguments": {}})
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["score"]["total"] == len(info["score"]["checks"]) >= 1
    env.reset()
    assert env.step(BYE)[2]
    env.close()
