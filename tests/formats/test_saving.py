"""Saving many bundles at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envscaler_gym.bundle import Bundle, load_bundle
from envscaler_gym.errors import BundleError
from envscaler_gym.formats import import_envscaler, save_all
from envscaler_gym.formats.saving import slug


@pytest.fixture
def bundle(metadata_item: dict[str, Any], write: Callable[[str, Any], Path]) -> Bundle:
    return import_envscaler(write("m.json", [metadata_item])).bundles[0]


def renamed(bundle: Bundle, bundle_id: str) -> Bundle:
    manifest = bundle.manifest.model_copy(update={"id": bundle_id})
    return Bundle(manifest, bundle.source, None, bundle.start_states, bundle.scenarios)


def test_each_bundle_has_its_folder(bundle: Bundle, tmp_path: Path) -> None:
    other = renamed(bundle, "imported/HTTPServer2Log_env_8_rl-v0")
    paths = save_all([bundle, other], tmp_path / "a" / "b")
    assert [path.name for path in paths] == ["harbor_lights", "http_server2_log_env_8_rl"]
    assert [load_bundle(path).id for path in paths] == [bundle.id, other.id]


def test_the_same_bundle_is_replaced(bundle: Bundle, tmp_path: Path) -> None:
    (path,) = save_all([bundle], tmp_path / "envs")
    changed = Bundle(bundle.manifest, bundle.source + "# changed\n", None, {}, {})
    assert save_all([changed], tmp_path / "envs") == [path]
    assert load_bundle(path).source.endswith("# changed\n")


def test_another_bundle_is_not_replaced(bundle: Bundle, tmp_path: Path) -> None:
    (path,) = save_all([bundle], tmp_path / "envs")
    first, second = renamed(bundle, "lab/Alpha-v0"), renamed(bundle, "lab/HarborLights-v0")
    with pytest.raises(BundleError, match="already holds 'imported/HarborLights-v0', so 'lab/HarborLights-v0' cannot"):
        save_all([first, second], tmp_path / "envs")
    assert load_bundle(path).id == "imported/HarborLights-v0"
    assert not (tmp_path / "envs" / "alpha").exists()  # all or nothing


def test_two_bundles_never_share_a_folder(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"harbor_lights: already holds"):
        save_all([bundle, renamed(bundle, "lab/HarborLights-v1")], tmp_path / "envs")
    with pytest.raises(BundleError, match=r"harbor_lights: already holds"):
        save_all([bundle, bundle], tmp_path / "envs")
    assert not (tmp_path / "envs").exists()


def test_a_folder_of_something_else_is_not_replaced(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "harbor_lights").mkdir()
    (tmp_path / "harbor_lights" / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"notes\.txt: unknown file"):
        save_all([bundle], tmp_path)


def test_an_empty_folder_is_used(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "harbor_lights").mkdir()
    assert save_all([bundle], tmp_path) == [tmp_path / "harbor_lights"]


@pytest.mark.parametrize(
    ("bundle_id", "expected"),
    [
        ("a/RepairShop-v0", "repair_shop"),
        ("a/HTTPLog-v12", "http_log"),
        ("a/Level2Map_env_3_rl-v0", "level2_map_env_3_rl"),
        ("a/..-v0", "environment"),
    ],
)
def test_slugs(bundle_id: str, expected: str) -> None:
    assert slug(bundle_id) == expected
