"""Export to the published formats: what other tools read, and what comes back."""

from __future__ import annotations

import ast
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from envscaler_gym import registry
from envscaler_gym.bundle import Bundle, load_bundle
from envscaler_gym.checks import Check
from envscaler_gym.errors import BundleError
from envscaler_gym.formats import export_envscaler, import_envscaler
from envscaler_gym.manifest import Entity, Manifest, Provenance, ToolEntry
from envscaler_gym.scenario import DIFFICULTIES, SPLITS, Scenario, SolutionCall, StartState

Item = dict[str, Any]
Write = Callable[[str, Any], Path]


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def come_back(bundles: list[Bundle], folder: Path) -> tuple[Bundle, ...]:
    """Export and import bundles."""
    files = export_envscaler(bundles, folder)
    report = import_envscaler(files.metadata, [files.scenarios])
    assert report.skipped == ()
    return report.bundles


def assert_equal(returned: tuple[Bundle, ...], bundles: list[Bundle]) -> None:
    assert returned == tuple(replace(bundle, path=None) for bundle in bundles)
    # Equality overlooks the order of scenarios and start states; what would be written does not.
    assert [bundle.digest for bundle in returned] == [bundle.digest for bundle in bundles]


# --- the published keys -----------------------------------------------------------------------------------------------


@pytest.fixture
def exported(metadata_item: Item, scenario_item: Item, write: Write, tmp_path: Path) -> tuple[Item, list[Item]]:
    report = import_envscaler(write("m.json", [metadata_item]), [write("s.json", [scenario_item])])
    files = export_envscaler(report.bundles, tmp_path / "out")
    return read(files.metadata), read(files.scenarios)


def test_published_data_keeps_its_keys(
    exported: tuple[Item, list[Item]], metadata_item: Item, scenario_item: Item
) -> None:
    metadata, scenarios = exported
    assert scenarios == [scenario_item]
    assert list(metadata) == ["env_7_rl"]
    item = metadata["env_7_rl"]
    assert list(item) == [*metadata_item, "envscaler_gym"]
    derived = {"env_class_def", "env_func_details", "tools", "operation_list"}
    assert {key: item[key] for key in metadata_item if key not in derived} == {
        key: value for key, value in metadata_item.items() if key not in derived
    }
    assert item["operation_list"] == [metadata_item["operation_list"][1], metadata_item["operation_list"][0]]
    assert item["envscaler_gym"] == {"manifest": {"id": "imported/HarborLights-v0"}}


def test_tools_say_what_is_required(exported: tuple[Item, list[Item]]) -> None:
    tools = {tool["function"]["name"]: tool["function"] for tool in exported[0]["env_7_rl"]["tools"]}
    assert list(tools) == ["list_lamps", "light_lamp"]
    assert tools["list_lamps"]["parameters"]["required"] == []
    assert tools["light_lamp"]["parameters"]["required"] == ["_id"]
    assert list(tools["light_lamp"]["parameters"]["properties"]) == ["_id", "color", "note"]
    assert tools["list_lamps"]["description"] == (
        "List the lamps.\n\nArgs:\n    color (str): Only lamps of this color."
    )


def test_func_details_cover_the_tools(exported: tuple[Item, list[Item]], source: str) -> None:
    details = exported[0]["env_7_rl"]["env_func_details"]
    assert list(details) == ["list_lamps", "light_lamp"]
    assert details["light_lamp"]["signature"] == {
        "parameters": [
            {"name": "_id", "type": "str", "default": None, "kind": "positional-or-keyword"},
            {"name": "color", "type": "str", "default": "'white'", "kind": "positional-or-keyword"},
            {"name": "note", "type": "str", "default": "''", "kind": "keyword-only"},
        ],
        "return": "dict",
    }
    assert details["light_lamp"]["doc"] == "Light a lamp."
    assert details["light_lamp"]["source_code"] in source


def test_class_def_ends_with_the_constructor(exported: tuple[Item, list[Item]], source: str) -> None:
    definition = exported[0]["env_7_rl"]["env_class_def"]
    assert source.startswith(definition.rstrip())
    assert definition.rstrip().endswith("# ---- looking ----")
    assert "def list_lamps" not in definition
    ast.parse(definition)


def test_a_bundle_that_was_never_published_has_plain_keys_too(source: str, tmp_path: Path) -> None:
    manifest = Manifest(
        id="demo/HarborLights-v0",
        class_name="HarborLights",
        entities=(Entity(name="lamps", record="LampInfo"),),
        tools=(ToolEntry(name="light_lamp", kind="state_change"),),
        provenance=Provenance(method="handwritten"),
    )
    scenario = Scenario(
        id="first", start_state="dark", task="Wait.", solution=(SolutionCall(name="light_lamp", arguments={}),)
    )
    bundle = Bundle(
        manifest, source, "# none\n", {"dark": StartState(id="dark", state={"lamps": {}})}, {"first": scenario}
    )
    files = export_envscaler([bundle], tmp_path)
    item = read(files.metadata)["demo_HarborLights_v0"]
    assert item["env_id"] == "demo_HarborLights_v0"
    assert item["state_space_definition"] == [{"entity": "lamps", "attributes": "_id, lit, color", "description": ""}]
    assert item["operation_list"] == [
        {"operation_name": "light_lamp", "operation_description": "Light a lamp.", "operation_type": "state_change"}
    ]
    assert [tool["function"]["name"] for tool in item["tools"]] == ["light_lamp"]
    assert read(files.scenarios) == [
        {
            "env_id": "demo_HarborLights_v0",
            "env_class_name": "HarborLights",
            "task_id": "demo_HarborLights_v0-first",
            "init_config": {"lamps": {}},
            "task": "Wait.",
            "envscaler_gym": {
                "id": "first",
                "start_state": "dark",
                "solution": [{"name": "light_lamp", "arguments": {}}],
            },
        }
    ]


def test_one_bundle_twice_is_an_error(metadata_item: Item, write: Write, tmp_path: Path) -> None:
    (bundle,) = import_envscaler(write("m.json", [metadata_item])).bundles
    with pytest.raises(BundleError, match="'imported/HarborLights-v0' is to be exported twice"):
        export_envscaler([bundle, bundle], tmp_path)


# --- round trips ------------------------------------------------------------------------------------------------------


def test_published_data_comes_back_equal(
    metadata_item: Item, scenario_item: Item, write: Write, tmp_path: Path
) -> None:
    metadata_item["env_class_code"] += "\n\nclass Annex(HarborLights):\n    pass\n"
    other = metadata_item | {"env_id": "env_9_sft"}
    items = [
        scenario_item,
        scenario_item | {"env_class_name": "Annex"},
        {key: value for key, value in scenario_item.items() if key != "checklist_with_func"} | {"task_id": "odd"},
    ]
    metadata = write("m.json", [metadata_item, other])
    report = import_envscaler(metadata, [write("s.json", items)], namespace="lab")
    assert len(report.bundles) == 3
    assert report.skipped == ()
    assert_equal(come_back(list(report.bundles), tmp_path), list(report.bundles))


@pytest.mark.parametrize("path", sorted(registry.SHIPPED.glob("*/manifest.json")), ids=lambda path: path.parent.name)
def test_shipped_bundles_come_back_equal(path: Path, tmp_path: Path) -> None:
    bundle = load_bundle(path.parent, verify=False)
    assert_equal(come_back([bundle], tmp_path), [bundle])


texts = st.text(st.characters(codec="utf-8"), max_size=8)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
states = st.dictionaries(texts, values, max_size=2)
checks = st.builds(Check, text=texts, source=names)
kinds = st.sampled_from(["query", "state_change"])
tools = st.lists(
    st.builds(
        ToolEntry,
        name=st.sampled_from(["list_lamps", "light_lamp"]),
        kind=kinds,
        summary=texts,
        reads=st.lists(names, max_size=1).map(tuple),
    ),
    min_size=1,
    unique_by=lambda tool: tool.name,
)
entities = st.builds(
    Entity,
    name=texts,
    record=st.none() | st.just("LampInfo") | names,
    key=st.none() | names,
    attributes=st.none() | texts,
    description=texts,
    references=st.dictionaries(names, names, max_size=1),
)


@st.composite
def bundles(draw: st.DrawFn, bundle_id: str) -> Bundle:
    """Draw a bundle that still lacks its source."""
    manifest = Manifest(
        id=bundle_id,
        class_name="HarborLights",
        summary=draw(texts),
        introduction=draw(texts),
        rules=tuple(draw(st.lists(texts, max_size=2))),
        entities=tuple(draw(st.lists(entities, max_size=2))),
        tools=tuple(draw(tools)),
        provenance=draw(
            st.builds(Provenance, method=st.sampled_from(["handwritten", "imported"]), env_id=st.none() | texts)
        ),
        digests=draw(st.dictionaries(names, texts, max_size=1)),
    )
    known = [tool.name for tool in manifest.tools]
    start_states = {
        i: StartState(id=i, state=draw(states)) for i in draw(st.lists(names, min_size=1, max_size=3, unique=True))
    }
    calls = st.builds(SolutionCall, name=st.sampled_from(known), arguments=states)
    scenarios = {
        scenario_id: Scenario(
            id=scenario_id,
            start_state=draw(st.sampled_from(list(start_states))),
            task=draw(names),
            requests=tuple(draw(st.lists(texts, max_size=2))),
            checks=draw(st.none() | st.lists(checks, min_size=1, max_size=2).map(tuple)),
            guards=tuple(draw(st.lists(checks, max_size=1))),
            solution=tuple(draw(st.lists(calls, max_size=2))),
            difficulty=draw(st.none() | st.sampled_from(DIFFICULTIES)),
            split=draw(st.sampled_from(SPLITS)),
            clock=draw(st.sampled_from(["2025-09-01T09:00:00", "2030-02-28"])),
            max_steps=draw(st.integers(1, 40)),
        )
        # Ids that an export makes of others, to see that none is lost.
        for scenario_id in draw(
            st.lists(st.sampled_from(["a", "x", "x-a", "x_2-a", "x-a_2"]) | names, max_size=4, unique=True)
        )
    }
    return Bundle(manifest, "", draw(st.none() | texts), start_states, scenarios)


def same_environment(bundle: Bundle, env_id: str) -> Bundle:
    provenance = Provenance(method="imported", env_id=env_id)
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"provenance": provenance}))


@settings(max_examples=60, deadline=None)
@given(first=bundles("a/One-v0"), second=bundles("b/One-v0"), share=st.booleans())
def test_any_bundles_come_back_equal(source: str, first: Bundle, second: Bundle, share: bool) -> None:
    both = [replace(bundle, source=source) for bundle in (first, second)]
    if share:
        both = [same_environment(bundle, "x") for bundle in both]
    with tempfile.TemporaryDirectory() as folder:
        assert_equal(come_back(both, Path(folder)), both)


def test_start_states_of_no_scenario_come_back(metadata_item: Item, write: Write, tmp_path: Path) -> None:
    (bundle,) = import_envscaler(write("m.json", [metadata_item])).bundles
    starts: Mapping[str, StartState] = {i: StartState(id=i, state={"lamps": {}}) for i in ("b", "unused", "a")}
    scenarios = {i: Scenario(id=i, start_state=i, task="Wait.") for i in ("a", "b")}
    full = replace(bundle, start_states=starts, scenarios=scenarios)
    item = read(export_envscaler([full], tmp_path).metadata)["env_7_rl"]
    assert item["envscaler_gym"]["start_states"] == {"b": None, "unused": {"lamps": {}}, "a": None}
    assert_equal(come_back([full], tmp_path), [full])


def test_task_ids_are_unique(metadata_item: Item, write: Write, tmp_path: Path) -> None:
    (bundle,) = import_envscaler(write("m.json", [metadata_item])).bundles
    ids = ["env_7_rl-a", "a", "env_7_rl-a_2"]
    scenarios = {i: Scenario(id=i, start_state="s", task="Wait.") for i in ids}
    full = replace(bundle, start_states={"s": StartState(id="s", state={})}, scenarios=scenarios)
    items = read(export_envscaler([full], tmp_path).scenarios)
    assert [item["task_id"] for item in items] == ["env_7_rl-a", "env_7_rl-a_2", "env_7_rl-a_2_2"]
    assert_equal(come_back([full], tmp_path), [full])


def test_what_the_plain_keys_say_can_be_edited(
    metadata_item: Item, scenario_item: Item, write: Write, tmp_path: Path
) -> None:
    report = import_envscaler(write("m.json", [metadata_item]), [write("s.json", [scenario_item])])
    files = export_envscaler(report.bundles, tmp_path)
    for path in files:
        path.write_text(path.read_text().replace("Harbor lights", "Pier lights").replace("in red", "in green"))
    (edited,) = import_envscaler(files.metadata, [files.scenarios]).bundles
    assert edited.manifest.summary == "Pier lights"
    assert edited.scenario("env_7_rl-task_1").task == "Light lamp L1 in green."
