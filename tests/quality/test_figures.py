"""Figures are counted from the bundle, and what only trying shows is taken from its quality record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from envscaler_gym import registry
from envscaler_gym.quality.figures import PUBLISHED, Figure, environment_figures, mean_figures


def test_figures_of_a_shipped_environment_are_what_its_files_hold() -> None:
    bundle = registry.get_bundle("envscaler/Library-v0")
    figures: dict[str, Any] = {figure.name: figure.value for figure in environment_figures(bundle)}
    assert set(PUBLISHED) <= set(figures)
    kinds = [tool.kind for tool in bundle.manifest.tools]
    assert (figures["tools"], figures["queries"]) == (len(kinds), kinds.count("query"))
    assert figures["tools"] == figures["queries"] + figures["state changes"]
    assert figures["entities"] == len(bundle.manifest.entities)
    assert figures["lines"] == bundle.source.count("\n")
    assert (figures["rules"], figures["scenarios"]) == (len(bundle.manifest.rules), len(bundle.scenarios))
    assert figures["state attributes"] == 65  # counted by hand in its TypedDicts
    assert bundle.quality is not None
    assert figures["mutants caught"] == bundle.quality.figures["kill_rate"]
    assert (figures["checks true at the start"], figures["reward for doing nothing"]) == (0, 0)


def test_checks_that_are_true_at_the_start_are_a_share_of_all() -> None:
    bundle = registry.get_bundle("envscaler/Library-v0")
    record = bundle.quality
    assert record is not None
    worse = record.model_copy(update={"figures": {**record.figures, "checks": 40, "checks_true_at_start": 10}})
    tried = replace(bundle, manifest=bundle.manifest.model_copy(update={"quality": worse}))
    assert Figure("checks true at the start", 0.25, share=True) in environment_figures(tried)


def test_without_a_quality_record_nothing_is_made_up() -> None:
    bundle = registry.get_bundle("envscaler/Library-v0")
    untried = replace(bundle, manifest=bundle.manifest.model_copy(update={"quality": None}))
    figures = {figure.name: figure.value for figure in environment_figures(untried)}
    assert [name for name, value in figures.items() if value is None] == [
        "checks true at the start",
        "reward for doing nothing",
        "mutants caught",
    ]


def test_means_leave_out_what_was_not_measured() -> None:
    columns = [
        [Figure("a", 2), Figure("b", None)],
        [Figure("a", 5), Figure("b", 0.5)],
        [Figure("a", 5), Figure("b", 1)],
    ]
    assert mean_figures(columns) == (Figure("a", 4), Figure("b", 0.75))
    assert mean_figures([[Figure("a", None)]]) == (Figure("a", None),)
