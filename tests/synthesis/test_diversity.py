"""The report says how different environments are, names duplicates, and is the same every time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from envscaler_gym import registry
from envscaler_gym.bundle import Bundle
from envscaler_gym.synthesis.diversity import (
    DiversityReport,
    cluster,
    diversity,
    draw_map,
    save_report,
    similarity_matrix,
)
from tests import toys

SHIPPED = [registry.get_bundle(name) for name in registry.shipped_ids()]


def renamed(bundle: Bundle, id_: str, **fields: str) -> Bundle:
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"id": id_, **fields}))


def test_figures_are_counted() -> None:
    report = diversity([toys.tea_shop()])
    (shop,) = report.environments
    assert (shop.tools, shop.changing, shop.start_states, shop.scenarios, shop.checks) == (10, 6, 1, 5, 9)
    assert shop.difficulty == {"easy": 1, "medium": 1, "hard": 1, "unmeasured": 2}
    assert report.difficulty == shop.difficulty
    assert report.totals["checks"] == 9
    assert report.similarity == ((1.0,),)
    assert report.mean_similarity == 0.0


def test_a_copy_is_named_as_a_duplicate_and_falls_into_its_cluster() -> None:
    original = SHIPPED[0]
    copy = renamed(original, "toys/Copy-v0", summary=original.manifest.summary.upper())
    report = diversity([*SHIPPED, copy])
    assert [(each.kind, each.first, each.second) for each in report.duplicates] == [
        ("environment", original.id, copy.id)
    ]
    assert report.duplicates[0].similarity > 0.9
    assert report.clusters[0] == (original.id, copy.id)
    assert len(report.clusters) == len(SHIPPED)


def test_different_environments_are_no_duplicates() -> None:
    report = diversity(SHIPPED)
    assert report.duplicates == ()
    assert len(report.clusters) == len(SHIPPED)
    assert 0 < report.mean_similarity < 0.4


def test_tasks_that_say_the_same_are_named() -> None:
    bundle = SHIPPED[0]
    scenario = next(iter(bundle.scenarios.values()))
    twin = scenario.model_copy(update={"id": "again", "task": f"Please: {scenario.task}"})
    report = diversity([replace(bundle, scenarios={**bundle.scenarios, "again": twin})])
    assert [(each.kind, each.first, each.second) for each in report.duplicates] == [
        ("task", f"{bundle.id}#{scenario.id}", f"{bundle.id}#again")
    ]


def test_alike_texts_are_alike_and_clusters_need_a_mean_similarity() -> None:
    matrix = similarity_matrix(["a hotel's front desk", "the front desk of a hotel", "a shop for bicycles", ""])
    assert matrix[0][1] > 0.5 > matrix[0][2]
    assert [row[i] for i, row in enumerate(matrix)] == [1.0, 1.0, 1.0, 0.0]
    assert cluster([[1, 0.9, 0.1], [0.9, 1, 0.2], [0.1, 0.2, 1]], 0.5) == [[0, 1], [2]]
    assert cluster([[1.0]]) == [[0]]


@pytest.mark.parametrize("count", [1, 2, 9])
def test_the_map_is_the_same_every_time_and_shows_every_name(count: int, tmp_path: Path) -> None:
    bundles = [renamed(SHIPPED[n % 3], f"toys/Number{n}-v0", summary="x" * n) for n in range(count)]
    first, second = diversity(bundles), diversity(bundles[::-1])
    assert first == second
    assert all(abs(each.x) <= 1 and abs(each.y) <= 1 for each in first.environments)
    for name in ("map.svg", "map.png"):
        draw_map(first, tmp_path / name)
        draw_map(second, tmp_path / f"again-{name}")
        assert (tmp_path / name).read_bytes() == (tmp_path / f"again-{name}").read_bytes()
    comments = (tmp_path / "map.svg").read_text("utf-8")
    assert ET.fromstring(comments).tag.endswith("svg")
    assert all(f"Number{n}-v0" in comments for n in range(count))


def test_the_report_is_the_same_in_every_process(run_python: Callable[..., str]) -> None:
    program = (
        "from envscaler_gym import registry\n"
        "from envscaler_gym.synthesis.diversity import diversity\n"
        "from tests.synthesis.test_diversity import SHIPPED, renamed\n"
        "bundles = [renamed(SHIPPED[n % 3], f'toys/N{n}-v0', summary='x' * n) for n in range(9)]\n"
        "print(diversity(bundles).model_dump_json())"
    )
    bundles = [renamed(SHIPPED[n % 3], f"toys/N{n}-v0", summary="x" * n) for n in range(9)]
    assert run_python(program, PYTHONHASHSEED="1") == diversity(bundles).model_dump_json() + "\n"


def test_what_cannot_be_compared_or_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one bundle"):
        diversity([])
    with pytest.raises(ValueError, match=r"ends in \.svg or \.png, got '.gif'"):
        draw_map(diversity([toys.tea_shop()]), tmp_path / "map.gif")


def test_a_report_is_saved_with_its_map(tmp_path: Path) -> None:
    report = diversity(SHIPPED)
    data, picture = save_report(report, tmp_path)
    assert DiversityReport.model_validate_json(data.read_text("utf-8")) == report
    assert picture.read_text("utf-8").startswith("<?xml")
