"""figures and gallery: environments in numbers, and on pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envscaler_gym import registry
from envscaler_gym.gallery import environment_page, index_page
from tests.cli.conftest import Cli

pytest.importorskip("networkx", reason="drawing needs the synthesis extra")

DOCS = Path(__file__).parents[2] / "docs" / "gallery"


def test_figures_stand_beside_the_published_ones(cli: Cli) -> None:
    told = json.loads(cli("figures", "Library-v0", "RepairShop-v0", "--json").output)
    library, repair_shop = (told["environments"][f"envscaler/{name}-v0"] for name in ("Library", "RepairShop"))
    assert told["mean"]["tools"] == (library["tools"] + repair_shop["tools"]) / 2
    assert told["published"]["tools"] == [18.6, 18.6]
    lines = cli("figures", "Library-v0", "RepairShop-v0").output.splitlines()
    rows = {line[:27].strip(): line[27:].split() for line in lines if line.strip()}
    assert rows["tools"] == ["18.6", "22", "22", "22"]
    assert rows["checks true at the start"] == ["9.0-15.0%", "0.0%", "0.0%", "0.0%"]


def test_figures_are_of_all_that_is_shipped_by_default(cli: Cli) -> None:
    shown = cli("figures").output
    assert shown.split()[:4] == ["published", "mean", "least", "most"]
    assert f"{len(registry.shipped_ids())} environments; --json has the figures of each." in shown
    assert list(json.loads(cli("figures", "--json").output)["environments"]) == registry.shipped_ids()


def test_a_gallery_has_a_page_and_a_picture_for_each_environment(cli: Cli, tmp_path: Path) -> None:
    cli("gallery", "Library-v0", "--out", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "library.md", "library.svg"]
    page = (tmp_path / "library.md").read_text("utf-8")
    bundle = registry.get_bundle("envscaler/Library-v0")
    for said in (bundle.manifest.introduction, *bundle.manifest.rules, *(f"| `{tool}` |" for tool in bundle.tools)):
        assert said in page
    assert "27 of 27 gates passed." in page
    assert "=== score 1  (" in page
    assert "(library.svg)" in page
    assert (tmp_path / "library.svg").read_text("utf-8").count(">lend_copy<") == 1
    assert "[envscaler/Library-v0](library.md)" in (tmp_path / "README.md").read_text("utf-8")


@pytest.mark.parametrize("id_", registry.shipped_ids())
def test_the_gallery_in_the_docs_is_of_the_environments_as_they_are(id_: str) -> None:
    bundle = registry.get_bundle(id_)
    assert bundle.path is not None
    again = "write it anew: envscaler gallery --out docs/gallery"
    assert (DOCS / f"{bundle.path.name}.md").read_text("utf-8") == environment_page(bundle), again
    assert (DOCS / f"{bundle.path.name}.svg").is_file(), again


def test_the_gallerys_index_has_every_shipped_environment() -> None:
    assert (DOCS / "README.md").read_text("utf-8") == index_page(list(map(registry.get_bundle, registry.shipped_ids())))
