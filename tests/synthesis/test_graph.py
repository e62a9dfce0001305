"""The tool dependency graph: planted dependencies are found, by executing and not by name."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from envscaler_gym.bundle import Bundle, load_bundle
from envscaler_gym.cli import app
from envscaler_gym.errors import EnvScalerError, ScenarioError
from envscaler_gym.registry import get_bundle
from envscaler_gym.synthesis.graph import Edge, ToolGraph, draw_graph, graph_figures, learn_graph, load_graph
from envscaler_gym.synthesis.graph.model import digest_of_source
from envscaler_gym.synthesis.graph.slots import slots_of
from envscaler_gym.synthesis.graph.tables import Tables, singular
from tests.synthesis.kennel import RANDOM, kennel, shipped_graph, state

SHIPPED = ("envscaler/Library-v0", "envscaler/HotelFrontDesk-v0", "envscaler/RepairShop-v0")


@pytest.fixture(scope="module")
def graph() -> ToolGraph:
    return learn_graph(kennel(), trust=True)


def pairs(graph: ToolGraph, kind: str) -> set[tuple[str, str]]:
    return {(edge.source, edge.target) for edge in graph.edges if edge.kind == kind}


def test_results_that_supply_parameters_are_found(graph: ToolGraph) -> None:
    assert {
        ("find_owners", "list_dogs"),
        ("list_dogs", "book_stay"),
        ("list_dogs", "list_stays"),
        ("list_stays", "check_in"),
        ("book_stay", "check_in"),
    } <= pairs(graph, "data")
    edge = next(edge for edge in graph.edges if (edge.source, edge.target) == ("find_owners", "list_dogs"))
    assert edge.via == "owner_id"
    assert edge.evidence > 0


def test_a_change_that_enables_another_is_found(graph: ToolGraph) -> None:
    assert pairs(graph, "enables") == {("check_in", "check_out")}


def test_nothing_is_believed_for_its_name(graph: ToolGraph) -> None:
    """``lost_and_found`` takes a ``dog_id`` like the others, and no value ever makes it succeed."""
    assert [slot.tables for slot in graph.slots["lost_and_found"]] == [("dogs",)]
    assert not [edge for edge in graph.edges if edge.target == "lost_and_found" and edge.evidence]


def test_shared_state_is_read_off_the_source_where_the_manifest_is_silent(graph: ToolGraph) -> None:
    shared = [edge for edge in graph.edges if edge.kind == "state"]
    assert Edge("book_stay", "list_stays", "state", "stays", 0) in shared
    assert not any(edge.target == "find_owners" for edge in shared)
    tools = tuple(
        entry.model_copy(update={"reads": ("owners",)}) if entry.name == "list_stays" else entry
        for entry in graph.bundle.manifest.tools
    )
    told = replace(graph.bundle, manifest=graph.bundle.manifest.model_copy(update={"tools": tools}))
    assert ToolGraph(told, graph.tables, graph.learnt).reads["list_stays"] == ("owners",)


def test_what_records_are_is_read_off_the_state_where_the_manifest_is_silent() -> None:
    tables = Tables(kennel(entities=False), [state()])
    assert tables["dogs"].key == "dog_id"
    assert dict(tables["dogs"].references) == {"owner_id": "owners"}
    assert tables["owners"].person
    assert not tables["dogs"].known_key
    told, found = learn_graph(kennel(), trust=True), learn_graph(kennel(entities=False), trust=True)
    assert pairs(told, "data") == pairs(found, "data")


def test_roles_and_chains(graph: ToolGraph) -> None:
    figures = graph_figures(graph)
    assert figures.roles == {
        "entry look-up": ("find_owners",),
        "linked look-up": ("list_dogs", "list_stays", "lost_and_found"),
        "creates": ("book_stay",),
        "changes": ("check_in", "check_out"),
    }
    assert figures.longest_chain == ("find_owners", "list_dogs", "list_stays", "check_out")
    assert "lost_and_found" in figures.isolated
    assert figures.tools == len(graph.bundle.tools)
    assert figures.confirmed == figures.edges["data"] + figures.edges["enables"]


def test_keys_that_depend_on_the_seed_are_known(graph: ToolGraph) -> None:
    assert graph.learnt.random_keys == ()
    assert learn_graph(kennel(RANDOM), trust=True).learnt.random_keys == ("stays",)


def test_code_that_nobody_has_reviewed_is_learnt_in_a_worker(graph: ToolGraph) -> None:
    assert learn_graph(kennel()).learnt == graph.learnt


def test_a_bundle_without_start_states_has_nothing_to_try_calls_in() -> None:
    with pytest.raises(ScenarioError, match="no start state"):
        learn_graph(replace(kennel(), start_states={}, scenarios={}), trust=True)


def test_the_graph_is_saved_in_the_manifest_and_changes_no_digest(graph: ToolGraph, tmp_path: Path) -> None:
    bundle = graph.bundle
    graph.saved.save(tmp_path / "kennel")
    loaded = load_bundle(tmp_path / "kennel")
    assert loaded.manifest.graph == graph.learnt
    assert loaded.digest == bundle.digest == graph.saved.digest
    assert load_graph(loaded).edges == graph.edges


def test_a_graph_of_other_code_is_not_used(graph: ToolGraph) -> None:
    saved = graph.saved
    changed = replace(saved, source=saved.source.replace('"booked", "here"', '"over", "here"'))
    assert pairs(load_graph(changed, trust=True), "enables") == set()


def test_phrases_change_no_digest() -> None:
    assert kennel(phrases=True).digest == kennel().digest


def test_equal_seeds_learn_the_same_in_any_process(graph: ToolGraph) -> None:
    code = (
        "from tests.synthesis.kennel import kennel\n"
        "from envscaler_gym.synthesis.graph import learn_graph\n"
        "print(learn_graph(kennel(), trust=True).learnt.model_dump_json())"
    )
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )
        assert done.stdout.strip() == graph.learnt.model_dump_json()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_tool_of_a_shipped_bundle_can_be_supplied(name: str) -> None:
    found = shipped_graph(name)
    assert set(found.chains) == set(found.bundle.tools)
    assert set(found.learnt.effects) == set(found.changes)
    assert graph_figures(found).isolated == ()


def test_slots_in_items_of_arrays_take_keys_too() -> None:
    bundle = get_bundle(SHIPPED[0])
    slots = slots_of(bundle, Tables(bundle, [start.state for start in bundle.start_states.values()]))
    assert {slot.label: slot.tables for slot in slots["record_payment"]} == {
        "member_id": ("members",),
        "items.fine_id": ("fines",),
        "items.amount_cents": (),
        "method": (),
    }


@pytest.mark.parametrize(
    ("plural", "word"),
    [
        ("copies", "copy"),
        ("loans", "loan"),
        ("branches", "branch"),
        ("boxes", "box"),
        ("glass", "glass"),
        ("status",) * 2,
    ],
)
def test_singulars(plural: str, word: str) -> None:
    assert singular(plural) == word


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_picture_is_the_same_each_time(graph: ToolGraph, tmp_path: Path, ending: str) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("networkx")
    paths = [tmp_path / f"{name}.{ending}" for name in ("one", "other")]
    for path in paths:
        draw_graph(graph, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    if ending == "svg":
        assert all(f">{tool}<" in paths[0].read_text() for tool in graph.bundle.tools)


def test_a_picture_needs_a_known_ending_and_the_extra(
    graph: ToolGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EnvScalerError, match=r"\.svg, \.png or \.pdf, not '\.gif'"):
        draw_graph(graph, tmp_path / "graph.gif")
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(EnvScalerError, match=r'pip install "envscaler-gym\[synthesis\]"'):
        draw_graph(graph, tmp_path / "graph.svg")


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["graph", *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def saved_kennel(tmp_path: Path) -> tuple[Bundle, Path]:
    bundle = kennel()
    bundle.save(tmp_path / "kennel")
    return bundle, tmp_path / "kennel"


def test_the_command_prints_figures_and_edges(invoke: Callable[..., str], tmp_path: Path) -> None:
    folder = saved_kennel(tmp_path)[1]
    shown = invoke(str(folder))
    assert "find_owners -> list_dogs -> list_stays -> check_out" in shown
    assert "1 enables" in shown
    printed = json.loads(invoke(str(folder), "--json"))
    assert printed["tools"] == 7
    assert ["check_in", "check_out"] in [[edge["source"], edge["target"]] for edge in printed["edges_found"]]


def test_the_command_draws_and_saves(invoke: Callable[..., str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("networkx")
    bundle, folder = saved_kennel(tmp_path)
    invoke(str(folder), "--out", str(tmp_path / "graph.svg"), "--save")
    assert (tmp_path / "graph.svg").read_text().startswith("<?xml")
    saved = load_bundle(folder)
    assert saved.manifest.graph is not None
    assert saved.digest == bundle.digest


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_graph_is_of_the_shipped_code(name: str) -> None:
    """``envscaler graph NAME --learn --save`` brings it up to date."""
    bundle = get_bundle(name)
    assert bundle.manifest.graph is not None
    assert bundle.manifest.graph.source == digest_of_source(bundle)
    assert load_graph(bundle).learnt == bundle.manifest.graph
