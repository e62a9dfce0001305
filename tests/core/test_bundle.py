"""Bundles on disk: what is saved is read back, and what is malformed is named by file, line and field."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envscaler_gym import Bundle, BundleError, ScenarioError, registry
from envscaler_gym.bundle import FILES, load_bundle
from envscaler_gym.positions import line_of
from envscaler_gym.scenario import StartState
from tests import toys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    toys.tea_shop().save(tmp_path / "tea")
    return tmp_path / "tea"


def refusal(folder: Path, *, verify: bool = True) -> str:
    """Return what is said about a malformed bundle: one line that begins with a path."""
    with pytest.raises(BundleError) as caught:
        load_bundle(folder, verify=verify)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1000
    assert message.startswith(str(folder))
    return message.removeprefix(str(folder)).removeprefix("/")


# --- saving and loading -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id_", [*registry.shipped_ids(), toys.TEA_SHOP_ID, toys.HOSTILE_ID])
def test_what_is_saved_is_read_back(id_: str, tmp_path: Path) -> None:
    bundle = registry.get_bundle(id_)
    bundle.save(tmp_path / "again")
    again = load_bundle(tmp_path / "again")
    assert replace(again, path=bundle.path) == bundle
    assert again.digest == bundle.digest
    assert again.manifest.digests == bundle.manifest.digests == bundle.file_digests()
    assert list(again.scenarios) == list(bundle.scenarios)
    again.save(tmp_path / "third")
    for name in FILES:
        assert (tmp_path / "third" / name).exists() == (tmp_path / "again" / name).exists()
        if (tmp_path / "third" / name).exists():
            assert (tmp_path / "third" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "third").iterdir()) == sorted({*again.file_digests(), FILES[2]})


@pytest.mark.parametrize("id_", registry.shipped_ids())
def test_shipped_bundles_lie_there_as_they_would_be_saved(id_: str, tmp_path: Path) -> None:
    bundle = registry.get_bundle(id_)
    assert bundle.path is not None
    bundle.save(tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (bundle.path / path.name).read_bytes()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=3))
def test_any_state_is_read_back(state: dict[str, Any]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        bundle = toys.tea_shop()
        bundle = replace(bundle, start_states={"shop": StartState(id="shop", state=state)})
        bundle.save(Path(place) / "x")
        assert load_bundle(Path(place) / "x").start_states["shop"].state == state


def test_lone_surrogates_in_a_state_are_kept(tmp_path: Path) -> None:
    state = {"text": "\ud800 and é"}
    bundle = replace(toys.tea_shop(), start_states={"shop": StartState(id="shop", state=state)})
    bundle.save(tmp_path)
    assert load_bundle(tmp_path).start_states["shop"].state == state


def test_saving_over_a_bundle_removes_invariants_that_are_gone(folder: Path) -> None:
    bundle = replace(load_bundle(folder), invariants_source="# none\n")
    bundle.save(folder)
    assert load_bundle(folder).invariants_source == "# none\n"
    replace(bundle, invariants_source=None).save(folder)
    assert load_bundle(folder).invariants_source is None
    assert not (folder / "invariants.py").exists()


def test_a_digest_covers_everything_and_nothing_else(folder: Path) -> None:
    bundle = load_bundle(folder)
    scenario = bundle.scenarios["both"]
    changed = [
        replace(bundle, source=bundle.source + "\n"),
        replace(bundle, invariants_source=""),
        replace(bundle, manifest=bundle.manifest.model_copy(update={"introduction": "Hello"})),
        replace(bundle, scenarios=bundle.scenarios | {"both": scenario.model_copy(update={"task": "Hello"})}),  # type: ignore[operator]
        replace(bundle, start_states={"shop": StartState(id="shop", state={})}),
    ]
    assert len({bundle.digest, *(each.digest for each in changed)}) == 6
    assert replace(bundle, path=None).digest == bundle.digest
    unsealed = bundle.manifest.model_copy(update={"digests": {}})
    assert replace(bundle, manifest=unsealed).digest == bundle.digest


def test_loading_runs_nothing(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    bomb = f"open({str(mark)!r}, 'w').close()\n"
    bundle = load_bundle(folder)
    bad = replace(bundle, source=bomb + bundle.source, invariants_source=bomb)
    bad.save(folder)
    loaded = load_bundle(folder)
    assert loaded.tools.specs
    assert loaded.digest
    assert not mark.exists()


def test_scenarios_are_asked_for_by_id(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert bundle.scenario("both").id == "both"
    with pytest.raises(
        ScenarioError, match=r"has no scenario 'bothe'\. Did you mean 'both'\? Its 5 scenarios begin with"
    ):
        bundle.scenario("bothe")
    with pytest.raises(ScenarioError, match=r"has no scenario \['both'\]"):
        bundle.scenario(["both"])  # type: ignore[arg-type]  # on purpose


# --- malformed folders ------------------------------------------------------------------------------------------------


def test_folders_that_hold_no_bundle(folder: Path, tmp_path: Path) -> None:
    assert "no such folder; a bundle is a folder with environment.py, invariants.py" in refusal(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    assert "no such folder" in refusal(tmp_path / "file")
    (folder / "notes.txt").write_text("")
    assert refusal(folder) == f"notes.txt: unknown file; a bundle holds only {', '.join(FILES)}"


@pytest.mark.parametrize("name", ["environment.py", "manifest.json", "scenarios.jsonl"])
def test_a_file_that_is_missing_or_no_file(name: str, folder: Path) -> None:
    (folder / name).unlink()
    assert refusal(folder) == f"{name}: cannot be read: No such file or directory"
    (folder / name).mkdir()
    assert refusal(folder) == f"{name}: cannot be read: Is a directory"


@pytest.mark.parametrize("name", ["environment.py", "manifest.json", "scenarios.jsonl"])
def test_a_file_that_is_not_utf_8(name: str, folder: Path) -> None:
    (folder / name).write_bytes((folder / name).read_bytes() + b"\n\xff")
    assert refusal(folder).startswith(f"{name}: is not UTF-8: ")


@pytest.mark.parametrize("name", ["environment.py", "scenarios.jsonl"])
def test_a_file_that_has_changed(name: str, folder: Path) -> None:
    (folder / name).write_text((folder / name).read_text() + "\n")
    assert refusal(folder).startswith(f"{name}: has changed since the manifest was written; run 'envscaler seal ")
    assert load_bundle(folder, verify=False).id == toys.TEA_SHOP_ID


def test_digests_must_cover_no_more_than_the_files(folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["digests"]["invariants.py"] = manifest["digests"]["environment.py"]
    path.write_text(json.dumps(manifest))
    assert refusal(folder).startswith("manifest.json: digests: cover ['environment.py', 'invariants.py', 'scenarios")


def test_digests_must_cover_the_files(folder: Path) -> None:
    (folder / "invariants.py").write_text("")
    assert refusal(folder).startswith(
        "manifest.json: digests: cover ['environment.py', 'scenarios.jsonl'], "
        "must cover ['environment.py', 'invariants.py', 'scenarios.jsonl']; run 'envscaler seal "
    )


# --- malformed manifests ----------------------------------------------------------------------------------------------

Change = Callable[[dict[str, Any]], Any]

MANIFESTS: list[tuple[Change, str, str]] = [
    (lambda m: m.update(colour="red"), '"colour"', "colour: extra inputs are not permitted, got 'red'"),
    (lambda m: m.update(format=2), '"format"', "format: input should be 1, got 2"),
    (lambda m: m.update(id="TeaShop"), '"id"', "id: string should match pattern"),
    (lambda m: m.update(class_name=3), '"class_name"', "class_name: input should be a valid string, got 3"),
    (lambda m: m.update(tools=[]), '"tools"', "tools: tuple should have at least 1 item"),
    (lambda m: m.update(tools={}), '"tools"', "tools: input should be a valid"),
    (
        lambda m: m["tools"][3].update(kind="write"),
        '"write"',
        "tools.3.kind: input should be 'query' or 'state_change', ",
    ),
    (lambda m: m["tools"][3].pop("kind"), '"cancel_order"', "tools.3.kind: field required"),
    (lambda m: m["tools"][2].update(cost=1), '"cost"', "tools.2.cost: extra inputs are not permitted, got 1"),
    (lambda m: m.pop("id"), "", "id: field required"),
    (lambda m: m.pop("provenance"), "", "provenance: field required"),
    (
        lambda m: m.update(provenance={"method": "found"}),
        '"method"',
        "provenance.method: input should be 'handwritten'",
    ),
    (lambda m: m.update(rules=["one", 2]), "2\n", "rules.1: input should be a valid string, got 2"),
    (lambda m: m.update(digests={"environment.py": 1}), '"environment.py"', "digests.environment.py: input should be"),
]


@pytest.mark.parametrize(("change", "place", "message"), MANIFESTS, ids=[case[2] for case in MANIFESTS])
def test_a_field_of_the_manifest_is_named_with_its_line(change: Change, place: str, message: str, folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    text = json.dumps(manifest, indent=1) + "\n"
    path.write_text(text)
    said = refusal(folder)
    file, line, rest = said.split(":", 2)
    assert file == "manifest.json"
    assert rest.strip().startswith(message)
    # A field that is missing is looked for in the line in which its object begins.
    expected = [
        number for number, content in enumerate(text.splitlines(keepends=True), 1) if place and place in content
    ]
    if "field required" in message:
        assert int(line) == (expected[0] - 1 if expected else 1)
    else:
        assert int(line) in expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "manifest.json:1: not JSON: Expecting value at column 1"),
        ('{\n "id": 1,\n}', "manifest.json:3: not JSON: Expecting property name enclosed in double quotes at column 1"),
        ("[]", "manifest.json:1: value: input should be"),
        ("[" * 100_000, "manifest.json: cannot be read: maximum recursion depth exceeded"),
        ("1" * 5000, "manifest.json: cannot be read: Exceeds the limit"),
    ],
    ids=range(5),
)
def test_a_manifest_that_is_no_object(text: str, message: str, folder: Path) -> None:
    (folder / "manifest.json").write_text(text)
    assert refusal(folder).startswith(message)


TOOLS: list[tuple[Change, str]] = [
    (lambda m: m["tools"].append({"name": "brew", "kind": "query"}), "no public method 'brew'"),
    (lambda m: m["tools"].append({"name": "get_teas", "kind": "query"}), "Did you mean 'get_tea'"),
    (lambda m: m["tools"].append({"name": "_audit", "kind": "query"}), "no public method '_audit'"),
    (lambda m: m["tools"].append({"name": "__init__", "kind": "query"}), "no public method '__init__'"),
    (lambda m: m["tools"].append(m["tools"][0]), "'list_teas'"),
    (lambda m: m.update(class_name="TeaShops"), "no class 'TeaShops'; its classes are ['TeaShop']"),
]


@pytest.mark.parametrize(("change", "message"), TOOLS)
def test_the_allow_list_must_fit_the_class(change: Change, message: str, folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    said = refusal(folder)
    assert said.startswith("manifest.json: ")
    assert message in said


def test_a_source_that_cannot_be_parsed(folder: Path) -> None:
    (folder / "environment.py").write_text("class TeaShop:\n    def f(self:\n        pass\n")
    assert "environment.py:2: cannot be parsed: " in refusal(folder, verify=False)


# --- malformed scenarios ----------------------------------------------------------------------------------------------

SCENARIOS: list[tuple[Change, str]] = [
    (lambda s: s.update(colour="red"), "colour: extra inputs are not permitted, got 'red'"),
    (lambda s: s.update(kind="scene"), "kind: must be 'start_state' or 'scenario', got 'scene'"),
    (lambda s: s.pop("kind"), "kind: must be 'start_state' or 'scenario', got None"),
    (lambda s: s.pop("task"), "task: field required"),
    (lambda s: s.update(task=""), "task: string should have at least 1 character, got ''"),
    (lambda s: s.update(task=["x"]), "task: input should be a valid string, got ['x']"),
    (lambda s: s.update(checks=[]), "checks: tuple should have at least 1 item after validation, not 0, got []"),
    (lambda s: s["checks"][1].update(sauce="x"), "checks.1.sauce: extra inputs are not permitted, got 'x'"),
    (lambda s: s["checks"][1].pop("source"), "checks.1.source: field required"),
    (lambda s: s["checks"][0].update(source=""), "checks.0.source: string should have at least 1 character"),
    (lambda s: s.update(difficulty="tricky"), "difficulty: input should be 'easy', 'medium', 'hard' or 'expert', got "),
    (lambda s: s.update(split="dev"), "split: input should be 'train' or 'test', got 'dev'"),
    (lambda s: s.update(max_steps=0), "max_steps: input should be greater than or equal to 1, got 0"),
    (lambda s: s.update(max_steps="9"), "max_steps: input should be a valid integer, got '9'"),
    (
        lambda s: s.update(clock="yesterday"),
        "clock: value error, Invalid isoformat string: 'yesterday', got 'yesterday'",
    ),
    (lambda s: s.update(solution=[{"name": "surprise"}]), "solution.0.arguments: field required"),
    (
        lambda s: s.update(start_state="store"),
        "start_state: no start state 'store' above this line; there are ['shop']",
    ),
    (lambda s: s.update(id="order-sencha"), "id: 'order-sencha' occurs twice; ids are unique within a bundle"),
    (lambda s: s.update(task="\ud800"), "task: input should be a valid string"),
]


@pytest.mark.parametrize(("change", "message"), SCENARIOS, ids=[case[1] for case in SCENARIOS])
def test_a_field_of_a_scenario_is_named_with_its_line(change: Change, message: str, folder: Path) -> None:
    path = folder / "scenarios.jsonl"
    lines = path.read_text().splitlines()
    scenario = json.loads(lines[3])
    change(scenario)
    lines[3] = json.dumps(scenario)
    lines.insert(1, "")
    path.write_text("\n".join(lines) + "\n")
    assert refusal(folder).startswith(f"scenarios.jsonl:5: {message}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON: Expecting property name enclosed in double quotes at column 2"),
        ("[1, 2]", "kind: must be 'start_state' or 'scenario', got None"),
        ("3", "kind: must be 'start_state' or 'scenario', got None"),
        ('{"kind": "start_state", "id": "x"}', "state: field required"),
        ('{"kind": "start_state", "id": "x", "state": []}', "state: input should be a valid"),
        ('{"kind": "start_state", "id": "shop", "state": {}}', "id: 'shop' occurs twice; ids are unique"),
        ("[" * 100_000, "cannot be read: maximum recursion depth exceeded"),
        ("1" * 5000, "cannot be read: Exceeds the limit"),
        ('{"kind": "start_state", "id": "x", "state": {"a": NaN}}', "cannot be read: NaN is not a JSON number"),
        ('{"kind": "start_state", "id": "x", "state": {"a": -Infinity}}', "cannot be read: -Infinity is not a JSON"),
    ],
    ids=range(10),
)
def test_a_line_that_is_no_scenario(line: str, message: str, folder: Path) -> None:
    path = folder / "scenarios.jsonl"
    first, rest = path.read_text().split("\n", 1)
    path.write_text(f"{first}\n{line}\n{rest}")
    assert refusal(folder).startswith(f"scenarios.jsonl:2: {message}")


@pytest.mark.parametrize(
    ("name", "message"), [("list_tea", "'list_tea'. Did you mean 'list_teas'"), ("_audit", "'_audit'."), ("", "''.")]
)
def test_a_solution_calls_only_tools(name: str, message: str, folder: Path) -> None:
    path = folder / "scenarios.jsonl"
    path.write_text(path.read_text().replace('"name":"list_teas"', f'"name":"{name}"'))
    said = refusal(folder, verify=False)
    assert said.startswith(f"scenarios.jsonl: scenario 'order-sencha': solution: there is no tool {message}")


def test_blank_lines_and_windows_line_ends_are_fine(folder: Path) -> None:
    path, bundle = folder / "scenarios.jsonl", load_bundle(folder)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n \n\r\n"))
    assert load_bundle(folder, verify=False).scenarios == bundle.scenarios


def test_caches_of_python_are_overlooked(folder: Path) -> None:
    (folder / "__pycache__").mkdir()
    assert load_bundle(folder).id == toys.TEA_SHOP_ID


def test_lines_are_split_at_line_feeds_only(folder: Path) -> None:
    bundle = load_bundle(folder)
    task = "one\u2028two\x85three\r\nfour\x0bfive"
    scenario = bundle.scenarios["both"].model_copy(update={"task": task})
    replace(bundle, scenarios={"both": scenario}).save(folder)
    assert load_bundle(folder).scenario("both").task == task


# --- positions --------------------------------------------------------------------------------------------------------


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


@given(JSON, st.sampled_from([0, 1, None]))
def test_a_line_is_the_line_of_the_value(value: Any, indent: int | None) -> None:
    """Each value is looked for in a text in which it is replaced by a mark."""
    for path, _ in paths(value):
        marked = put(value, path)
        text = json.dumps(marked, indent=indent)
        expected = next(number for number, line in enumerate(text.split("\n"), 1) if '"<mark>"' in line)
        assert line_of(text, path) == expected
        assert line_of(text, (*path, "no such key", 3)) == expected


def put(value: Any, path: tuple[str | int, ...]) -> Any:
    if not path:
        return "<mark>"
    copied = value.copy()
    copied[path[0]] = put(value[path[0]], path[1:])
    return copied


def test_a_bundle_is_data() -> None:
    bundle = toys.tea_shop()
    assert isinstance(bundle, Bundle)
    with pytest.raises(AttributeError):
        bundle.source = ""  # type: ignore[misc]  # on purpose
    with pytest.raises(Exception, match="frozen"):
        bundle.manifest.id = ""  # type: ignore[misc]  # on purpose
