from __future__ import annotations

import json
from pathlib import Path

from envscaler_gym.bundle import load_bundle
from tests.cli.conftest import Cli


def test_a_bundle_that_fails(cli: Cli, tea_shop: Path) -> None:
    result = cli("check", tea_shop, "--calls", 300, code=1)
    assert "fresh/Tea-v0  failed" in result.output
    assert "no-aliasing: get_tea" in result.output
    assert "0 of 1 environments passed every gate" in result.output


def test_a_report_for_machines(cli: Cli, tea_shop: Path) -> None:
    (report,) = json.loads(cli("check", tea_shop, "--calls", 300, "--json", code=1).stdout)
    assert report["passed"] is False
    assert report["bundle"] == load_bundle(tea_shop).digest
    (gate,) = [gate for gate in report["gates"] if gate["gate"] == "no-aliasing"]
    assert "get_tea" in {finding["subject"] for finding in gate["findings"]}
    assert report["defects"]["a result holds a part of the state itself"] >= 1
    (again,) = json.loads(cli("check", tea_shop, "--calls", 300, "--json", code=1).stdout)
    assert again == report


def test_a_folder_of_bundles_in_two_processes(cli: Cli, tea_shop: Path) -> None:
    second = tea_shop.parent / "second"
    bundle = load_bundle(tea_shop)
    from dataclasses import replace

    replace(bundle, manifest=bundle.manifest.model_copy(update={"id": "fresh/Second-v0"})).save(second)
    one_by_one = json.loads(cli("check", tea_shop, second, "--calls", 200, "--json", code=1).stdout)
    assert json.loads(cli("check", tea_shop.parent, "--calls", 200, "--jobs", 2, "--json", code=1).stdout) == one_by_one
    assert [report["id"] for report in one_by_one] == ["fresh/Tea-v0", "fresh/Second-v0"]


def test_the_record_is_written_into_the_manifest(cli: Cli, tea_shop: Path) -> None:
    cli("check", tea_shop, "--calls", 300, "--record", code=1)
    record = load_bundle(tea_shop).quality
    assert record is not None
    assert not record.passed
    assert record.gates["no-aliasing"] is False
    assert record.figures["calls"] >= 300


def test_names_that_mean_nothing(cli: Cli, tmp_path: Path) -> None:
    assert "There is no environment 'no_such_thing'" in cli("check", "no_such_thing", code=2).output
    assert "give names or paths, or --all" in cli("check", code=2).output
    assert "give names or paths, or --all" in cli("check", "Library", "--all", code=2).output
    assert "There is no environment" in cli("check", tmp_path, code=2).output
