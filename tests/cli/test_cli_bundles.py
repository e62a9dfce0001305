"""``envscaler import``, ``export``, ``seal`` and ``trust``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envscaler_gym import registry, trust
from envscaler_gym.bundle import load_bundle
from envscaler_gym.errors import BundleError
from tests import toys

Cli = Callable[..., Any]


def edit(path: Path, old: str, new: str) -> None:
    before = path.read_text("utf-8")
    assert old in before
    path.write_text(before.replace(old, new), "utf-8")


def test_what_is_exported_comes_back(cli: Cli, tmp_path: Path) -> None:
    output = cli("export", "teashop", "library", "--out", tmp_path / "out").stdout
    assert "2 environments" in output
    files = tmp_path / "out" / "env_metadata.json", tmp_path / "out" / "scenario_metadata.json"
    output = cli("import", *files, "--out", tmp_path / "back").stdout
    assert toys.TEA_SHOP_ID in output
    assert f"envscaler play {tmp_path / 'back' / 'tea_shop'}" in output
    assert load_bundle(tmp_path / "back" / "tea_shop").digest == toys.tea_shop().digest
    assert load_bundle(tmp_path / "back" / "library").digest == registry.get_bundle("library").digest


def test_export_needs_a_folder(cli: Cli) -> None:
    assert "--out" in cli("export", "teashop", code=2).stderr


def test_import_goes_to_the_users_folder_and_says_what_it_skipped(cli: Cli, home: Path, tmp_path: Path) -> None:
    source = "class Bell:\n    def ring(self) -> dict:\n        return {'success': True}\n"
    (tmp_path / "m.json").write_text(
        json.dumps([{"env_id": "e1", "env_class_name": "Bell", "env_class_code": source}, {"env_id": "e2"}])
    )
    (tmp_path / "s.json").write_text(json.dumps([{"task_id": "t", "env_id": "nowhere"}]))
    output = cli("import", tmp_path / "m.json", tmp_path / "s.json", "--namespace", "mine").stdout
    assert load_bundle(home / "envs" / "bell").id == "mine/Bell-v0"
    assert "envscaler play mine/Bell-v0" in output
    assert "Skipped (2)" in output
    assert "the metadata has no environment 'nowhere'" in output
    assert "m.json[1]" in output


def test_import_shows_findings_and_leaves_them_out_where_they_refuse(cli: Cli, tmp_path: Path) -> None:
    source = "import socket\n\nclass Bell:\n    def ring(self) -> dict:\n        return {'success': True}\n"
    item = {"env_id": "bell", "env_class_name": "Bell", "env_class_code": source}
    (tmp_path / "m.json").write_text(json.dumps([item]))

    warned = cli("import", tmp_path / "m.json", "--out", tmp_path / "warned").stdout
    assert "environment.py:1: import:" in warned
    assert (tmp_path / "warned" / "bell" / "manifest.json").exists()

    refused = cli("import", tmp_path / "m.json", "--out", tmp_path / "refused", "--on-finding", "refuse", code=1).stdout
    assert "environment.py:1: import:" in refused
    assert not (tmp_path / "refused").exists()


def test_importing_nothing_fails(cli: Cli, home: Path, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('[{"env_id": "e2"}]')
    assert "Nothing was imported." in cli("import", tmp_path / "m.json", code=1).stdout
    assert not home.exists()


def test_import_errors(cli: Cli, tmp_path: Path) -> None:
    assert "cannot be read" in cli("import", tmp_path / "missing.json", code=2).stderr
    (tmp_path / "m.json").write_text("[]")
    assert "got 'a/b'" in cli("import", tmp_path / "m.json", "--namespace", "a/b", code=2).stderr


def test_seal_takes_an_edited_bundle_as_it_is(cli: Cli, tea_shop: Path) -> None:
    before = load_bundle(tea_shop).digest
    edit(tea_shop / "environment.py", "sells tea", "sells fine tea")
    with pytest.raises(BundleError, match="has changed"):
        load_bundle(tea_shop)
    output = cli("seal", tea_shop).stdout
    after = load_bundle(tea_shop).digest
    assert after != before
    assert after in output


def test_seal_names_what_is_wrong(cli: Cli, tea_shop: Path) -> None:
    edit(tea_shop / "environment.py", "def surprise", "def amaze")
    assert "no public method 'surprise'" in cli("seal", tea_shop, code=2).stderr
    assert "no such folder" in cli("seal", tea_shop / "nowhere", code=2).stderr


def test_seal_lists_shipped_bundles_as_reviewed(
    cli: Cli, tea_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviewed = tmp_path / "reviewed.json"
    reviewed.write_text('{"sha256:old": {"id": "fresh/Tea-v0"}, "sha256:other": {"id": "other/X-v0"}}')
    monkeypatch.setattr(trust, "REVIEWED", reviewed)
    monkeypatch.setattr(registry, "SHIPPED", tea_shop.parent)
    cli("seal", tea_shop, "--reviewed-by", "Ada")
    bundle = load_bundle(tea_shop)
    entries = json.loads(reviewed.read_text())
    assert list(entries) == ["sha256:other", bundle.digest]
    entry = entries[bundle.digest]
    assert (entry["id"], entry["reviewer"], len(entry["date"])) == ("fresh/Tea-v0", "Ada", 10)
    assert trust.is_reviewed(bundle)


def test_only_shipped_bundles_are_listed_in_the_library(
    cli: Cli, tea_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "REVIEWED", tmp_path / "reviewed.json")
    manifest = (tea_shop / "manifest.json").read_bytes()
    assert "envscaler" in cli("seal", tea_shop, "--reviewed-by", "Ada", code=2).stderr
    assert not (tmp_path / "reviewed.json").exists()
    assert (tea_shop / "manifest.json").read_bytes() == manifest


def spoil(folder: Path) -> None:
    """Give a bundle a line that stands out."""
    edit(folder / "environment.py", "import uuid\n", "import uuid\nimport socket\n")
    load_bundle(folder, verify=False).save(folder)


def test_trust_shows_code_and_findings_and_records_the_digest(cli: Cli, tea_shop: Path, home: Path) -> None:
    spoil(tea_shop)
    bundle = load_bundle(tea_shop)
    home.mkdir()
    (home / "trust.json").write_text('{"sha256:old": {"id": "fresh/Tea-v0"}}')
    output = cli("trust", tea_shop, "--reviewer", "Ada", typed="y\n").stdout
    assert "def order_tea" in output
    assert "def check_func" in output
    assert "environment.py:5: import:" in output
    assert bundle.digest in output
    entries = json.loads((home / "trust.json").read_text())
    assert list(entries) == [bundle.digest]
    assert entries[bundle.digest]["reviewer"] == "Ada"
    assert trust.is_reviewed(bundle)
    assert "already" in cli("trust", tea_shop).stdout


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_without_a_yes_nothing_is_trusted(cli: Cli, tea_shop: Path, home: Path, answer: str) -> None:
    cli("trust", tea_shop, typed=answer, code=1)
    assert not home.exists()


def test_yes_asks_nothing_and_shows_no_code(cli: Cli, tea_shop: Path, home: Path) -> None:
    spoil(tea_shop)
    output = cli("trust", tea_shop, "--yes").stdout
    assert "def order_tea" not in output
    assert "environment.py:5: import:" in output
    assert trust.is_reviewed(load_bundle(tea_shop))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("environment.py", "sells tea", "sells tee"),
        ("scenarios.jsonl", "== 220", "== 221"),
        ("manifest.json", '"format": 1', '"format": 1, "summary": "x"'),
    ],
)
def test_a_changed_byte_voids_the_trust(cli: Cli, tea_shop: Path, home: Path, file: str, old: str, new: str) -> None:
    cli("trust", tea_shop, "--yes")
    edit(tea_shop / file, old, new)
    assert not trust.is_reviewed(load_bundle(tea_shop, verify=False))
    cli("seal", tea_shop)
    assert not trust.is_reviewed(load_bundle(tea_shop))


def test_a_malformed_list_is_an_error_and_is_kept(cli: Cli, tea_shop: Path, home: Path) -> None:
    home.mkdir()
    (home / "trust.json").write_text("[]")
    assert "must be an object" in cli("trust", tea_shop, "--yes", code=2).stderr
    assert (home / "trust.json").read_text() == "[]"
