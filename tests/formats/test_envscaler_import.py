"""Import of the published formats: every shape, and a reason for everything that is left out."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from envscaler_gym.bundle import load_bundle
from envscaler_gym.errors import BundleError
from envscaler_gym.formats import Skipped, import_envscaler, save_all
from envscaler_gym.manifest import Entity, Provenance, ToolEntry

Item = dict[str, Any]
Write = Callable[[str, Any], Path]


def as_text(item: Item, *keys: str) -> Item:
    """Return an item with some values as JSON text."""
    return {key: json.dumps(value) if key in keys else value for key, value in item.items()}


def without(item: Item, *keys: str) -> Item:
    return {key: value for key, value in item.items() if key not in keys}


def test_metadata_becomes_a_manifest(metadata_item: Item, scenario_item: Item, write: Write) -> None:
    report = import_envscaler(write("m.json", {"env_7_rl": metadata_item}), [write("s.json", [scenario_item])])
    assert report.skipped == ()
    (bundle,) = report.bundles
    manifest = bundle.manifest
    assert bundle.id == "imported/HarborLights-v0"
    assert manifest.class_name == "HarborLights"
    assert manifest.summary == "Harbor lights"
    assert manifest.introduction == "The lamps that guide ships into a harbor."
    assert manifest.rules == ("A lamp that is not lit has no color.",)
    # Damaged names stay as they are, and tools stand in the order of the source.
    assert manifest.entities == (Entity(name="Lam", attributes="_id, lit, colo", description="A lamp on a pier."),)
    assert manifest.tools == (
        ToolEntry(name="list_lamps", kind="query", summary="List them."),
        ToolEntry(name="light_lamp", kind="state_change", summary="Light it."),
    )
    assert manifest.provenance == Provenance(method="imported", env_id="env_7_rl")
    assert bundle.source == metadata_item["env_class_code"]
    assert bundle.invariants_source is None
    assert bundle.path is None


def test_an_item_becomes_a_scenario(metadata_item: Item, scenario_item: Item, write: Write) -> None:
    report = import_envscaler(write("m.json", [metadata_item]), [write("s.json", [scenario_item])])
    (bundle,) = report.bundles
    scenario = bundle.scenario("env_7_rl-task_1")
    assert scenario.task == "Light lamp L1 in red."
    assert scenario.checks is not None
    assert [(check.text, check.source) for check in scenario.checks] == [
        (check["check_item"], check["check_func"]) for check in scenario_item["checklist_with_func"]
    ]
    assert bundle.start_states[scenario.start_state].state == scenario_item["init_config"]
    assert (scenario.max_steps, scenario.split, scenario.difficulty, scenario.solution) == (30, "train", None, ())


@pytest.mark.parametrize("shape", ["keyed", "list", "texts", "pipeline", "lines", "one"])
def test_every_shape_of_metadata(shape: str, metadata_item: Item, scenario_item: Item, write: Write) -> None:
    scenarios = [write("s.json", [scenario_item])]
    (expected,) = import_envscaler(write("m.json", {"env_7_rl": metadata_item}), scenarios).bundles
    texts = as_text(metadata_item, "tools", "env_func_details", "operation_list", "constraints_rules")
    pipeline = without(metadata_item, "env_id", "env_func_details") | {"env_structure": {"states": {}, "methods": {}}}
    metadata = {
        "keyed": lambda: write("x.json", {"some_key": metadata_item}),
        "list": lambda: write("x.json", [metadata_item]),
        "texts": lambda: write("x.json", [texts]),
        "pipeline": lambda: write("x.json", {"env_7_rl": pipeline}),
        "lines": lambda: write("x.jsonl", json.dumps(metadata_item) + "\n\n"),
        "one": lambda: write("x.json", metadata_item),
    }[shape]()
    report = import_envscaler(metadata, scenarios)
    assert report.bundles == (expected,)
    assert report.skipped == ()


@pytest.mark.parametrize("shape", ["texts", "lines", "one", "keyed", "with checklist", "two files"])
def test_every_shape_of_scenarios(shape: str, metadata_item: Item, scenario_item: Item, write: Write) -> None:
    metadata = write("m.json", [metadata_item])
    (expected,) = import_envscaler(metadata, [write("s.json", [scenario_item])]).bundles
    scenarios = {
        "texts": lambda: [write("x.json", [as_text(scenario_item, "init_config", "checklist_with_func")])],
        "lines": lambda: [write("x.jsonl", json.dumps(scenario_item))],
        "one": lambda: [write("x.json", scenario_item)],
        "keyed": lambda: [write("x.json", {"1": scenario_item})],
        "with checklist": lambda: [write("x.json", [scenario_item | {"checklist": ["Is L1 red?"], "other": 1}])],
        "two files": lambda: [write("x.json", []), write("y.json", [scenario_item])],
    }[shape]()
    report = import_envscaler(metadata, scenarios)
    assert report.bundles == (expected,)
    assert report.skipped == ()


def test_items_without_checks_are_ungraded(metadata_item: Item, scenario_item: Item, write: Write) -> None:
    item = without(scenario_item, "checklist_with_func")
    (bundle,) = import_envscaler(write("m.json", [metadata_item]), [write("s.json", [item])]).bundles
    assert bundle.scenario("env_7_rl-task_1").checks is None


def test_an_environment_may_have_no_scenarios(metadata_item: Item, write: Write) -> None:
    (bundle,) = import_envscaler(write("m.json", [metadata_item])).bundles
    assert (bundle.scenarios, bundle.start_states) == ({}, {})


def test_operations_default_to_state_changes(metadata_item: Item, write: Write) -> None:
    metadata_item["operation_list"] = [{"operation_name": "light_lamp", "operation_type": "modify"}]
    (bundle,) = import_envscaler(write("m.json", [metadata_item])).bundles
    assert {tool.kind for tool in bundle.manifest.tools} == {"state_change"}


def test_the_class_that_the_items_name_is_used(metadata_item: Item, scenario_item: Item, write: Write) -> None:
    metadata_item["env_class_name"] = "SomethingElse"
    report = import_envscaler(write("m.json", [metadata_item]), [write("s.json", [scenario_item])])
    assert [bundle.manifest.class_name for bundle in report.bundles] == ["HarborLights"]
    assert report.skipped == ()


def test_items_that_name_no_class_use_the_metadatas(metadata_item: Item, scenario_item: Item, write: Write) -> None:
    item = without(scenario_item, "env_class_name")
    (bundle,) = import_envscaler(write("m.json", [metadata_item]), [write("s.json", [item])]).bundles
    assert list(bundle.scenarios) == ["env_7_rl-task_1"]


def test_one_source_with_two_classes_gives_two_bundles(metadata_item: Item, scenario_item: Item, write: Write) -> None:
    metadata_item["env_class_code"] += "\n\nclass Annex(HarborLights):\n    pass\n"
    other = scenario_item | {"env_class_name": "Annex", "task_id": "env_7_rl-task_2"}
    report = import_envscaler(write("m.json", [metadata_item]), [write("s.json", [scenario_item, other])])
    assert [(bundle.id, list(bundle.scenarios)) for bundle in report.bundles] == [
        ("imported/HarborLights-v0", ["env_7_rl-task_1"]),
        ("imported/Annex-v0", ["env_7_rl-task_2"]),
    ]


def test_equal_class_names_are_told_apart(metadata_item: Item, write: Write) -> None:
    second = metadata_item | {"env_id": "env_8_rl"}
    report = import_envscaler(write("m.json", [metadata_item, second]), namespace="lab")
    assert [bundle.id for bundle in report.bundles] == ["lab/HarborLights-v0", "lab/HarborLights_env_8_rl-v0"]


def test_equal_start_states_are_stored_once(metadata_item: Item, scenario_item: Item, write: Write) -> None:
    items = [copy.deepcopy(scenario_item) | {"task_id": f"t{number}"} for number in range(4)]
    items[2]["init_config"]["lamps"]["L1"]["lit"] = True
    # Equal, but in another order, which what a tool lists would show.
    items[3]["init_config"] = dict(reversed(items[3]["init_config"].items()))
    (bundle,) = import_envscaler(write("m.json", [metadata_item]), [write("s.json", items)]).bundles
    assert len(bundle.start_states) == 3
    used = [bundle.scenario(f"t{number}").start_state for number in range(4)]
    assert used[0] == used[1]
    assert len(set(used)) == 3


def test_no_code_is_run(metadata_item: Item, scenario_item: Item, write: Write) -> None:
    trap = "raise SystemExit('this code was run')\n"
    metadata_item["env_class_code"] = trap + metadata_item["env_class_code"]
    scenario_item["checklist_with_func"][0]["check_func"] = trap
    report = import_envscaler(write("m.json", [metadata_item]), [write("s.json", [scenario_item])])
    assert len(report.bundles[0].scenarios) == 1


def test_what_is_imported_can_be_saved_and_loaded(
    metadata_item: Item, scenario_item: Item, write: Write, tmp_path: Path
) -> None:
    report = import_envscaler(write("m.json", [metadata_item]), [write("s.json", [scenario_item])])
    (path,) = save_all(report.bundles, tmp_path / "envs")
    loaded = load_bundle(path)
    assert loaded.scenarios == report.bundles[0].scenarios
    assert loaded.digest == report.bundles[0].digest


# --- what is left out -------------------------------------------------------------------------------------------------

METADATA_PROBLEMS: list[tuple[str, Callable[[Item], Any], str]] = [
    ("no object", lambda _: 5, "must be an object, got 5"),
    ("no id", lambda m: without(m, "env_id"), "env_id: must be a non-empty string, got None"),
    ("odd id", lambda m: m | {"env_id": 3}, "env_id: must be a non-empty string, got 3"),
    ("no source", lambda m: without(m, "env_class_code"), "env_class_code: must be the source of a class, got None"),
    ("bad source", lambda m: m | {"env_class_code": "class :"}, "environment.py:1: cannot be parsed: invalid syntax"),
    (
        "other class",
        lambda m: m | {"env_class_name": "Harbor"},
        "the source defines no class 'Harbor'; its classes are",
    ),
    ("no class name", lambda m: m | {"env_class_name": None}, "env_class_name: must be the name of a class, got None"),
    (
        "no tools",
        lambda m: m | {"env_class_code": "class HarborLights:\n    def _hidden(self): ..."},
        "class 'HarborLights' has no public methods, so there is nothing to call",
    ),
    (
        "uncallable tool",
        lambda m: m | {"env_class_code": "class HarborLights:\n    def see(self, x, /): ..."},
        "environment.py:2: tool 'see' has positional-only parameters",
    ),
    ("bad text", lambda m: m | {"constraints_rules": "no JSON"}, "constraints_rules: not JSON: Expecting value"),
    ("bad list", lambda m: m | {"operation_list": {"a": 1}}, "operation_list: must be a list, got {'a': 1}"),
    ("bad entry", lambda m: m | {"operation_list": ["a"]}, "operation_list[0]: must be an object, got 'a'"),
    ("bad rule", lambda m: m | {"constraints_rules": [1]}, "rules.0: input should be a valid string, got 1"),
    ("bad summary", lambda m: m | {"environment_summary": [1]}, "summary: input should be a valid string, got [1]"),
    ("not JSON", lambda m: m | {"environment_summary": "\ud800"}, "holds what JSON cannot: 'utf-8' codec can't encode"),
    ("bad extra", lambda m: m | {"envscaler_gym": []}, "envscaler_gym: must be an object, got []"),
    ("odd extra", lambda m: m | {"envscaler_gym": {"manifest": {"x": 1}}}, "x: extra inputs are not permitted, got 1"),
    (
        "bad invariants",
        lambda m: m | {"envscaler_gym": {"invariants": 1}},
        "envscaler_gym.invariants: must be the source of a module, got 1",
    ),
    (
        "bad start state",
        lambda m: m | {"envscaler_gym": {"start_states": {"a": 1}}},
        "envscaler_gym.start_states: state: input should be a valid dictionary, got 1",
    ),
]


@pytest.mark.parametrize(
    ("change", "reason"), [p[1:] for p in METADATA_PROBLEMS], ids=[p[0] for p in METADATA_PROBLEMS]
)
def test_unusable_environments_are_reported(
    change: Callable[[Item], Any], reason: str, metadata_item: Item, write: Write
) -> None:
    good = metadata_item | {"env_id": "env_1_rl"}
    path = write("m.json", [good, change(metadata_item)])
    report = import_envscaler(path)
    assert [bundle.manifest.provenance.env_id for bundle in report.bundles] == ["env_1_rl"]
    (skipped,) = report.skipped
    assert skipped.what == f"{path}[1]"
    assert skipped.reason.startswith(reason)
    assert "\n" not in skipped.reason


def test_a_second_environment_of_the_same_id_is_reported(metadata_item: Item, write: Write) -> None:
    path = write("m.json", {"a": metadata_item, "b": metadata_item})
    report = import_envscaler(path)
    assert len(report.bundles) == 1
    assert report.skipped == (Skipped(f"{path}['b']", f"env_id: 'env_7_rl' is already taken by {path}['a']"),)


def test_an_environment_whose_bundle_id_is_taken_is_reported(metadata_item: Item, write: Write) -> None:
    second = metadata_item | {"env_id": "x", "envscaler_gym": {"manifest": {"id": "imported/HarborLights-v0"}}}
    report = import_envscaler(write("m.json", [metadata_item, second]))
    assert len(report.bundles) == 1
    assert [skipped.reason for skipped in report.skipped] == [
        "id: 'imported/HarborLights-v0' is already the id of another environment of this import"
    ]


def test_operations_that_the_class_lacks_are_reported(metadata_item: Item, write: Write) -> None:
    metadata_item["operation_list"].append({"operation_name": "paint_lamp", "operation_type": "state_change"})
    path = write("m.json", [metadata_item])
    report = import_envscaler(path)
    assert len(report.bundles) == 1
    assert report.skipped == (Skipped(f"{path}[0].operation_list", "class 'HarborLights' has no tool 'paint_lamp'"),)


NAN = float("nan")
SCENARIO_PROBLEMS: list[tuple[str, Callable[[Item], Any], str]] = [
    ("no object", lambda _: "task", "must be an object, got 'task'"),
    (
        "unknown environment",
        lambda s: s | {"env_id": "env_7_sft"},
        "env_id: the metadata has no environment 'env_7_sft'. Did you mean 'env_7_rl'?",
    ),
    ("no environment", lambda s: without(s, "env_id"), "env_id: the metadata has no environment None."),
    (
        "other class",
        lambda s: s | {"env_class_name": "Harbor"},
        "the source defines no class 'Harbor'; its classes are",
    ),
    ("odd class", lambda s: s | {"env_class_name": 1}, "env_class_name: must be the name of a class, got 1"),
    ("no start", lambda s: without(s, "init_config"), "init_config: is missing"),
    ("start is null", lambda s: s | {"init_config": None}, "init_config: is missing"),
    ("start is a list", lambda s: s | {"init_config": [1]}, "init_config: must be an object, got [1]"),
    ("start is text", lambda s: s | {"init_config": "{"}, "init_config: not JSON: Expecting property name"),
    ("start is deep", lambda s: s | {"init_config": "[" * 100_000}, "init_config: not JSON: maximum recursion depth"),
    ("NaN", lambda s: s | {"init_config": {"a": NAN}}, "holds what JSON cannot: Out of range float values"),
    ("NaN in text", lambda s: s | {"init_config": '{"a": NaN}'}, "init_config: holds what JSON cannot: Out of range"),
    ("no checks", lambda s: s | {"checklist_with_func": []}, "checklist_with_func is empty"),
    (
        "odd check",
        lambda s: s | {"checklist_with_func": ["Is it red?"]},
        "checklist_with_func[0]: must be an object, got 'Is it red?'",
    ),
    (
        "no check function",
        lambda s: s | {"checklist_with_func": [{"check_item": "Is it red?"}]},
        "checks.0.source: input should be a valid string, got None",
    ),
    ("no id", lambda s: without(s, "task_id"), "id: input should be a valid string, got None"),
    ("no task", lambda s: s | {"task": ""}, "task: string should have at least 1 character, got ''"),
    ("taken id", lambda s: s | {"task_id": "good"}, "task_id: 'good' is already the id of a scenario"),
    ("odd extra", lambda s: s | {"envscaler_gym": {"x": 1}}, "x: extra inputs are not permitted, got 1"),
    (
        "unknown tool",
        lambda s: s | {"envscaler_gym": {"solution": [{"name": "dim", "arguments": {}}]}},
        "envscaler_gym.solution: calls the unknown tool 'dim'",
    ),
    (
        "taken start state",
        lambda s: s | {"init_config": {}, "envscaler_gym": {"start_state": "here"}},
        "envscaler_gym.start_state: 'here' is already the id of another start state",
    ),
]


@pytest.mark.parametrize(
    ("change", "reason"), [p[1:] for p in SCENARIO_PROBLEMS], ids=[p[0] for p in SCENARIO_PROBLEMS]
)
def test_unusable_scenarios_are_reported(
    change: Callable[[Item], Any], reason: str, metadata_item: Item, scenario_item: Item, write: Write
) -> None:
    good = scenario_item | {"task_id": "good", "envscaler_gym": {"start_state": "here"}}
    path = write("s.json", [good, change(scenario_item)])
    report = import_envscaler(write("m.json", [metadata_item]), [path])
    assert [list(bundle.scenarios) for bundle in report.bundles] == [["good"]]
    assert list(report.bundles[0].start_states) == ["here"]
    (skipped,) = report.skipped
    assert skipped.what == f"{path}[1]"
    assert skipped.reason.startswith(reason)
    assert "\n" not in skipped.reason


def test_an_environment_survives_when_no_scenario_does(metadata_item: Item, scenario_item: Item, write: Write) -> None:
    scenario_item["env_class_name"] = "Harbor"
    report = import_envscaler(write("m.json", [metadata_item]), [write("s.json", [scenario_item])])
    assert [(bundle.manifest.class_name, dict(bundle.scenarios)) for bundle in report.bundles] == [("HarborLights", {})]
    assert len(report.skipped) == 1


def test_scenarios_of_an_unusable_environment_are_reported(
    metadata_item: Item, scenario_item: Item, write: Write
) -> None:
    metadata_item["env_class_code"] = "class :"
    metadata, scenarios = write("m.json", [metadata_item]), write("s.json", [scenario_item])
    report = import_envscaler(metadata, [scenarios])
    assert report.bundles == ()
    assert [skipped.what for skipped in report.skipped] == [f"{scenarios}[0]", f"{metadata}[0]"]


junk: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(["[1]", "{}"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
extra_keys = ["manifest", "invariants", "start_states", "solution", "checks", "start_state", "clock", "tools"]
extras: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"envscaler_gym": junk | st.dictionaries(st.sampled_from(extra_keys), junk, max_size=2)}
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_item_is_imported_or_reported(source: str, data: st.DataObject) -> None:
    environment: Item = {"env_id": "e", "env_class_name": "HarborLights", "env_class_code": source}
    scenario: Item = {"env_id": "e", "task_id": "t", "init_config": {}, "task": "Wait."}
    keys = ["env_id", "env_class_name", "env_class_code", "operation_list", "state_space_definition"]
    environment |= data.draw(st.dictionaries(st.sampled_from([*keys, "environment_summary"]), junk, max_size=1))
    environment |= data.draw(st.just({}) | extras)
    keys = ["env_id", "env_class_name", "task_id", "init_config", "task", "checklist_with_func"]
    scenario |= data.draw(st.dictionaries(st.sampled_from(keys), junk, max_size=1) | extras)
    with tempfile.TemporaryDirectory() as folder:
        metadata, scenarios = Path(folder, "m.json"), Path(folder, "s.json")
        metadata.write_text(json.dumps([environment]))
        scenarios.write_text(json.dumps([scenario]))
        report = import_envscaler(metadata, [scenarios])
        reported = {skipped.what for skipped in report.skipped}
        assert len(report.bundles) + (f"{metadata}[0]" in reported) == 1
        assert sum(len(bundle.scenarios) for bundle in report.bundles) + (f"{scenarios}[0]" in reported) == 1
        for path in save_all(report.bundles, Path(folder, "envs")):
            load_bundle(path)


# --- files that are not what they should be ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.json", "{", "m.json: not JSON: Expecting property name"),
        ("m.json", "5", "m.json: must hold a list or an object of items, got 5"),
        ("m.json", "[" * 100_000, "m.json: not JSON: maximum recursion depth"),
        ("m.jsonl", '{"env_id": "a"}\n{', "m.jsonl:2: not JSON: Expecting property name"),
    ],
)
def test_a_file_that_holds_no_items_is_an_error(name: str, content: str, message: str, write: Write) -> None:
    with pytest.raises(BundleError) as caught:
        import_envscaler(write(name, content))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_an_error(metadata_item: Item, write: Write, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"absent\.json: cannot be read: No such file or directory"):
        import_envscaler(write("m.json", [metadata_item]), [tmp_path / "absent.json"])


def test_a_file_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(b"\xff\xfe")
    with pytest.raises(BundleError, match=r"m\.json: is not UTF-8"):
        import_envscaler(tmp_path / "m.json")


def test_a_namespace_that_no_id_can_have_is_an_error(metadata_item: Item, write: Write) -> None:
    with pytest.raises(BundleError, match="namespace must consist of"):
        import_envscaler(write("m.json", [metadata_item]), namespace="my envs")
