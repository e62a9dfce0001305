"""Where bundles are found, under which names, and what happens to those that cannot be read."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from envscaler_gym import Bundle, BundleError, UnknownNameError, registry
from envscaler_gym.registry import find, get_bundle, register_all
from tests import toys

pytestmark = pytest.mark.usefixtures("clean_registry")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Four empty places in which bundles are looked for, in the order of their precedence."""
    folders = {name: tmp_path / name for name in ("shipped", "home/envs", "path", "package/envs_of_mine")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    package = folders["package/envs_of_mine"]
    (package / "__init__.py").write_text("raise AssertionError('imported')\n")
    monkeypatch.setattr(registry, "SHIPPED", folders["shipped"])
    monkeypatch.setenv("ENVSCALER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENVSCALER_PATH", os.pathsep.join(["", str(tmp_path / "nowhere"), str(folders["path"])]))
    monkeypatch.syspath_prepend(str(package.parent))
    points = [importlib.metadata.EntryPoint("mine", "envs_of_mine", registry.ENTRY_POINT_GROUP)]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    registry._paths.clear()
    registry._problems.clear()
    return folders


def test_bundles_are_found_in_four_places(places: dict[str, Path]) -> None:
    for number, folder in enumerate(places.values()):
        toys.tea_shop(f"found/Tea{number}-v0").save(folder / f"tea{number}")
    register_all()
    assert registry.ids() == [f"found/Tea{number}-v0" for number in range(4)]
    assert registry.shipped_ids() == ["found/Tea0-v0"]
    assert registry.problems() == []
    for id_ in registry.ids():
        assert gym.spec(id_).kwargs == {"environment": id_}
        assert gym.make(id_, trust=True).reset(seed=0)[1]["environment"] == id_
    assert "envs_of_mine" not in sys.modules


def test_the_first_place_wins_and_the_others_are_reported(places: dict[str, Path]) -> None:
    folders = list(places.values())
    for folder in folders:
        toys.tea_shop("same/Tea-v0").save(folder / "tea")
    register_all()
    assert find("same/Tea-v0") == folders[0] / "tea"
    assert [problem.path for problem in registry.problems()] == [folder / "tea" for folder in folders[1:]]
    for problem in registry.problems():
        assert problem.reason == f"{problem.path}: 'same/Tea-v0' is already the id of {folders[0] / 'tea'}"


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no JSON": (lambda path: path.write_text("{"), "manifest.json: "),
    "empty": (lambda path: path.write_text(""), "manifest.json: "),
    "no object": (lambda path: path.write_text("[]"), "manifest.json: "),
    "no id": (lambda path: path.write_text("{}"), "missing required field `id`"),
    "number as id": (lambda path: path.write_text('{"id": 3}'), r"Expected `str`, got `int`"),
    "odd id": (lambda path: path.write_text('{"id": "a b-v0"}'), "must be of the form namespace/Name-v0"),
    "no version": (lambda path: path.write_text('{"id": "a/b"}'), "'a/b' must be of the form namespace/Name-v0"),
    "no UTF-8": (lambda path: path.write_bytes(b'{"id": "\xff-v0"}'), "manifest.json: "),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_bundle_that_cannot_be_read_takes_no_other_down(
    kind: str, places: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    for slug in ("a", "b", "c"):
        toys.tea_shop(f"found/{slug}-v0").save(places["path"] / slug)
    BROKEN[kind][0](places["path"] / "b" / "manifest.json")
    with caplog.at_level(logging.WARNING, "envscaler_gym"):
        register_all()
        register_all()
    assert registry.ids() == ["found/a-v0", "found/c-v0"]
    (problem,) = registry.problems()
    assert problem.path == places["path"] / "b"
    assert BROKEN[kind][1] in problem.reason
    assert "\n" not in problem.reason
    assert len(caplog.records) == 1


def test_what_is_no_bundle_is_overlooked(places: dict[str, Path]) -> None:
    (places["path"] / "notes.txt").write_text("")
    (places["path"] / "empty").mkdir()
    (places["path"] / "manifest.json").write_text("{}")
    register_all()
    assert (registry.ids(), registry.problems()) == ([], [])


def test_an_unknown_file_is_reported(places: dict[str, Path]) -> None:
    toys.tea_shop("found/Tea-v0").save(places["path"] / "tea")
    (places["path"] / "tea" / "notes.txt").write_text("")
    register_all()
    (problem,) = registry.problems()
    assert problem.reason.endswith("tea/notes.txt: unknown file in a bundle")
    with pytest.raises(BundleError, match=r"notes\.txt: unknown file; a bundle holds only"):
        gym.make("found/Tea-v0")


@pytest.mark.parametrize("value", ["no_such_package", "no_such_package.deeper", "json", "envscaler_gym:registry"])
def test_entry_points_that_lead_nowhere_take_nothing_down(
    value: str, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.tea_shop("found/Tea-v0").save(places["package/envs_of_mine"] / "tea")
    points = [importlib.metadata.EntryPoint(name, name, registry.ENTRY_POINT_GROUP) for name in (value, "envs_of_mine")]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    register_all()
    assert registry.ids() == ["found/Tea-v0"]
    assert all("cannot be found" in problem.reason for problem in registry.problems())


def test_200_bundles_register_without_a_look_at_their_code(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = places["path"] / "tea0"
    toys.tea_shop("many/Tea0-v0").save(one)
    manifest = json.loads((one / "manifest.json").read_text())
    for number in range(1, 200):
        folder = places["path"] / f"tea{number}"
        folder.mkdir()
        for name in ("environment.py", "scenarios.jsonl"):
            os.link(one / name, folder / name)
        (folder / "manifest.json").write_text(json.dumps(manifest | {"id": f"many/Tea{number}-v0"}))
    opened: list[str] = []
    real = Path.read_bytes

    def read_bytes(self: Path) -> bytes:
        opened.append(self.name)
        return real(self)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    monkeypatch.setattr("builtins.open", None)
    register_all()
    monkeypatch.undo()
    assert len(registry.ids()) == 200
    assert opened == ["manifest.json"] * 200
    assert "many/Tea199-v0" in gym.registry


@pytest.mark.parametrize(
    "name",
    [toys.TEA_SHOP_ID, "toys/teashop-v0", "TeaShop", "teashop", "TEASHOP-V0", "toys/TeaShop", "tea_shop", "Tea_Shop"],
)
def test_an_environment_goes_by_many_names(name: str) -> None:
    assert find(name) == registry.home() / "envs" / "tea_shop"
    assert get_bundle(name).id == toys.TEA_SHOP_ID


def test_paths_lead_to_bundles_that_are_not_registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.tea_shop("elsewhere/Tea-v0").save(tmp_path / "some" / "tea")
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "some" / "tea", Path("some/tea")):
        assert find(str(path)) == tmp_path / "some" / "tea"
    assert find("./some/tea/") == tmp_path / "some" / "tea"
    assert "elsewhere/Tea-v0" not in registry.ids()


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("TeaShp", ["'TeaShp'. Did you mean 'teashop'", "toys/TeaShop-v0", "path to a bundle's folder"]),
        ("envscaler/Libary-v0", ["Did you mean 'envscaler/library-v0'"]),
        ("", ["no environment ''"]),
        ("/no/such/folder", ["no environment '/no/such/folder'"]),
        ("x" * 10_000, ["no environment 'xxx"]),
        ("\0/\ud800", ["no environment"]),
        ("x/" * 3000, ["no environment"]),
    ],
    ids=range(7),
)
def test_names_that_do_not_exist_are_errors_with_suggestions(name: str, parts: list[str]) -> None:
    with pytest.raises(UnknownNameError) as caught:
        find(name)
    for part in parts:
        assert part in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_a_name_that_fits_two_versions_must_be_given_in_full(places: dict[str, Path]) -> None:
    for version in (0, 1):
        toys.tea_shop(f"found/Tea-v{version}").save(places["path"] / f"tea{version}")
    register_all()
    with pytest.raises(UnknownNameError, match="'Tea' could be any of found/Tea-v0, found/Tea-v1; give the whole id"):
        find("Tea")
    assert find("Tea-v1") == find("tea1") == places["path"] / "tea1"


def test_a_bundle_is_read_once_until_its_files_change(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "tea"
    toys.tea_shop("found/Tea-v0").save(folder)
    first = get_bundle(str(folder))
    assert get_bundle(str(folder)) is first
    changed = Bundle(first.manifest, first.source + "\n", None, first.start_states, first.scenarios)
    changed.save(folder)
    assert get_bundle(str(folder)).source == first.source + "\n"
    (folder / "scenarios.jsonl").write_text("")
    with pytest.raises(BundleError, match="has changed since"):
        get_bundle(str(folder))


def test_registering_again_changes_nothing() -> None:
    before = dict(gym.registry), registry.ids(), registry.problems()
    register_all()
    assert (dict(gym.registry), registry.ids(), registry.problems()) == before


def test_new_bundles_are_registered_later(places: dict[str, Path]) -> None:
    register_all()
    assert registry.ids() == []
    toys.tea_shop("found/Tea-v0").save(places["home/envs"] / "tea")
    register_all()
    assert registry.ids() == ["found/Tea-v0"]


def test_a_problem_that_is_solved_is_none_any_more(places: dict[str, Path]) -> None:
    folder = places["path"] / "tea"
    toys.tea_shop("found/Tea-v0").save(folder)
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text("{")
    register_all()
    assert len(registry.problems()) == 1
    (folder / "manifest.json").write_text(text)
    register_all()
    assert (registry.ids(), registry.problems()) == (["found/Tea-v0"], [])


@pytest.mark.parametrize(
    "id_", ["CartPole-v1", "envscaler/Suite-v0", "toys/Tea", "toys/Tea-vx", "a/b/Tea-v0", "toys/Tea-v0\n"]
)
def test_a_bundle_takes_no_id_that_is_not_its_own(places: dict[str, Path], id_: str) -> None:
    before = gym.registry.get(id_)
    toys.tea_shop().save(places["path"] / "thief")
    manifest = places["path"] / "thief" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(json.dumps(toys.TEA_SHOP_ID), json.dumps(id_)))
    register_all()
    assert gym.registry.get(id_) is before
    assert registry.ids() == []
    assert [problem.path for problem in registry.problems()] == [places["path"] / "thief"]


def test_a_user_without_a_home_has_no_bundles_of_its_own(run_python: Callable[..., str]) -> None:
    code = (
        "import os, pwd\n"
        "def nobody(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = nobody\n"
        "del os.environ['HOME'], os.environ['ENVSCALER_HOME']\n"
        "import envscaler_gym\n"
        "print(len(envscaler_gym.registry.shipped_ids()) >= 3)"
    )
    assert run_python(code, HOME="/") == "True\n"
