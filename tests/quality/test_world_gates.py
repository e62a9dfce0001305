"""Every world gate catches a planted defect, and lets the twin without it pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from envscaler_gym import errors
from envscaler_gym.bundle import Bundle
from envscaler_gym.manifest import Provenance
from envscaler_gym.quality import probing
from envscaler_gym.quality.reports import GateResult
from envscaler_gym.quality.worlds.gates import WORLD_GATES, world_gates
from envscaler_gym.scenario import Scenario
from tests import toys

SOURCE = '''\
import datetime
import uuid
from typing import Any, Dict, List, Optional, TypedDict


class Jar(TypedDict):
    jar_id: str
    grams: int
    sealed: bool
    tags: List[str]


class Shelf:
    """Jars on a shelf; a sealed jar is not empty."""

    def __init__(self, init_config: Dict[str, Any]) -> None:
        self.jars: Dict[str, Jar] = {}

    def list_jars(self) -> Dict[str, Any]:
        return {"success": True, "data": [self._shown(jar) for jar in self.jars.values()]}

    def get_jar(self, jar_id: str) -> Dict[str, Any]:
        if jar_id not in self.jars:
            return {"success": False, "error": "There is no such jar."}
        return {"success": True, "data": self._shown(self.jars[jar_id])}

    def best_before(self, jar_id: str) -> Dict[str, Any]:
        if jar_id not in self.jars:
            return {"success": False, "error": "There is no such jar."}
        try:
            day = datetime.date(2025, 1, 1) + datetime.timedelta(days=self.jars[jar_id]["grams"])
            label = day.isoformat()
        except AttributeError:
            return {"success": False, "error": "It says nothing."}
        return {"success": True, "data": label}

    def add_jar(self, tags: List[str]) -> Dict[str, Any]:
        if len(tags) > 3:
            return {"success": False, "error": "Too many tags."}
        jar_id = str(uuid.uuid4())
        self.jars[jar_id] = {"jar_id": jar_id, "grams": 0, "sealed": False, "tags": list(tags)}
        return {"success": True, "data": {"jar_id": jar_id}}

    def fill_jar(self, jar_id: str, grams: int) -> Dict[str, Any]:
        jar = self.jars.get(jar_id)
        if jar is None or jar["sealed"]:
            return {"success": False, "error": "No such jar, or it is sealed."}
        if not 0 < grams <= 500:
            return {"success": False, "error": "1 to 500 grams fit in."}
        jar["grams"] = grams
        return {"success": True, "message": "Filled."}

    def seal_jar(self, jar_id: str) -> Dict[str, Any]:
        jar = self.jars.get(jar_id)
        if jar is None or not jar["grams"]:
            return {"success": False, "error": "No such jar, or it is empty."}
        jar["sealed"] = True
        return {"success": True, "message": "Sealed."}

    def empty_jar(self, jar_id: str) -> Dict[str, Any]:
        jar = self.jars.get(jar_id)
        if jar is None or jar["sealed"]:
            return {"success": False, "error": "No such jar, or it is sealed."}
        jar["grams"] = 0
        return {"success": True, "message": "Emptied."}

    def _shown(self, jar: Jar) -> Dict[str, Any]:
        return {**jar, "tags": list(jar["tags"])}
'''
INVARIANTS = '''\
def sealed_jars_are_full(state):
    """A sealed jar is not empty."""
    return [f"{key} is sealed and empty" for key, jar in state["jars"].items() if jar["sealed"] and not jar["grams"]]
'''
STATE: dict[str, Any] = {
    "jars": {
        "J-1": {"jar_id": "J-1", "grams": 0, "sealed": False, "tags": ["salt"]},
        "J-2": {"jar_id": "J-2", "grams": 0, "sealed": False, "tags": []},
    }
}
CHANGING = ("add_jar", "fill_jar", "seal_jar", "empty_jar")
CALLS = 700

Plant = tuple[str, str]


def shelf(*plants: Plant, method: str = "handwritten") -> Bundle:
    """Return the shelf with pieces of its source replaced."""
    source = SOURCE
    for old, new in plants:
        assert source.count(old) >= 1, old
        source = source.replace(old, new, 1)
    scenarios = [Scenario(id="quiet", start_state="two", task="Look around.", checks=(toys.check("return True"),))]
    kinds = dict.fromkeys(CHANGING, "state_change")
    bundle = toys.make_bundle(source, "Shelf", scenarios, {"two": STATE}, "toys/Shelf-v0", kinds)
    manifest = bundle.manifest.model_copy(update={"provenance": Provenance(method=method)})  # type: ignore[arg-type]
    return Bundle(manifest, source, INVARIANTS, bundle.start_states, bundle.scenarios)


@lru_cache(maxsize=64)
def results(
    plants: tuple[Plant, ...] = (), method: str = "handwritten", *, trust: bool = False
) -> dict[str, GateResult]:
    gates = world_gates(shelf(*plants, method=method), calls=CALLS, trust=trust)
    return {result.gate: result for result in gates}


def failed(gates: dict[str, GateResult]) -> list[str]:
    return [name for name, result in gates.items() if not result.passed]


def runs(example: str, bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run an example with the bundle where the example looks for it."""
    monkeypatch.setattr("envscaler_gym.registry.get_bundle", lambda name: bundle)
    bundle.save(folder)
    text = example.replace(f"gym.make({bundle.id!r}", f"envscaler_gym.ToolEnv({str(folder)!r}")
    exec(compile(text, "<example>", "exec"), {})


@pytest.mark.parametrize("trust", [False, True])
def test_the_twin_without_defects_passes_every_gate(trust: bool) -> None:
    gates = results(trust=trust)
    assert tuple(gates) == WORLD_GATES
    assert failed(gates) == []
    assert gates["never-raises"].figures["calls"] >= CALLS
    assert gates["branches"].figures["branch_coverage"] >= 0.9
    assert gates["succeeds-and-refuses"].figures["tools_succeeded"] == 7


GET = '"data": self._shown(self.jars[jar_id])}'
SEALED = '{"success": True, "message": "Sealed."}'
UNKNOWN = """\
        if jar_id not in self.jars:
            return {"success": False, "error": "There is no such jar."}
        return"""
NOT_SEALED = """\
        if jar is None or jar["sealed"]:
            return {"success": False, "error": "No such jar, or it is sealed."}
        jar["grams"] = 0"""
MAYBE_SEALED = """\
        if jar is None:
            return {"success": False, "error": "No such jar."}
        jar["grams"] = 0"""
NEEDLES = "if len(tags) == 9999:\n" + "".join(
    f"            if len(tags[{n}]) == {n}:\n                tags.pop()\n" for n in range(6)
)


class Planted(NamedTuple):
    """What is replaced in the source, the gate that must not pass, the subject, and the class of the defect."""

    plants: tuple[Plant, ...]
    gate: str
    subject: str
    defect: str


ODD = "an odd result"
LIVE = "a result holds a part of the state itself"
NOT_JSON = "the state holds what is not JSON"
NO_FIT = "a record does not fit its type"
PLANTED = {
    "raises": Planted(((UNKNOWN, "        return"),), "never-raises", "get_jar", "a tool raises"),
    "huge": Planted(
        ((GET, '"data": "x" * (1 << 20)}'),),
        "never-raises",
        "get_jar",
        "a tool returns more than an observation may hold",
    ),
    "no-dict": Planted(((SEALED, "None"),), "result-shape", "seal_jar", ODD),
    "odd-success": Planted(((SEALED, '{"success": 1, "message": "Sealed."}'),), "result-shape", "seal_jar", ODD),
    "no-error": Planted((('"error": "Too many tags."', '"reason": "Too many tags."'),), "result-shape", "add_jar", ODD),
    "not-json-result": Planted(((GET, '"data": {1, 2}}'),), "result-shape", "get_jar", ODD),
    "refusal-writes": Planted(
        (("if not 0 < grams <= 500:\n", "if not 0 < grams <= 500:\n            jar['grams'] = 1\n"),),
        "refusal-keeps-state",
        "fill_jar",
        "a refusal changes the state",
    ),
    "query-writes": Planted(
        ((GET, '"data": self.jars[jar_id].update(grams=7)}'),),
        "read-keeps-state",
        "get_jar",
        "a query changes the state",
    ),
    "live-result": Planted(((GET, '"data": self.jars[jar_id]}'),), "no-aliasing", "get_jar", LIVE),
    "live-nested": Planted((('{**jar, "tags": list(jar["tags"])}', "dict(jar)"),), "no-aliasing", "get_jar", LIVE),
    "live-argument": Planted(
        (('"tags": list(tags)', '"tags": tags'),), "no-aliasing", "add_jar", "the state keeps an argument itself"
    ),
    "tuple": Planted((('"tags": list(tags)', '"tags": tuple(tags)'),), "state-is-json", "add_jar", NOT_JSON),
    "infinity": Planted((('jar["grams"] = 0', 'jar["grams"] = float("inf")'),), "state-is-json", "empty_jar", NOT_JSON),
    "other-type": Planted(
        (('jar["grams"] = grams', 'jar["grams"] = str(grams)'),), "state-fits-types", "fill_jar", NO_FIT
    ),
    "missing-field": Planted(
        (('"sealed": False, "tags": list(tags)', '"sealed": False'),), "state-fits-types", "add_jar", NO_FIT
    ),
    "breaks-rule": Planted(((NOT_SEALED, MAYBE_SEALED),), "invariants-hold", "empty_jar", "a call breaks an invariant"),
    "never-succeeds": Planted(
        (("if len(tags) > 3", "if len(tags) > -1"),), "succeeds-and-refuses", "add_jar", "a tool never succeeded"
    ),
    "never-refuses": Planted(
        (("if len(tags) > 3", "if len(tags) > 10**9"),), "succeeds-and-refuses", "add_jar", "a tool never refused"
    ),
    "no-such-attribute": Planted(
        (("datetime.date(2025, 1, 1)", "datetime.day(2025, 1, 1)"),),
        "branches",
        "best_before",
        "a statement that can never complete",
    ),
    "unreached": Planted(
        (("if len(tags) > 3:", NEEDLES + "        if len(tags) > 3:"),),
        "branches",
        "Shelf",
        "too few branches are reached",
    ),
    "class-attribute": Planted(
        (
            ("class Shelf:\n", "class Shelf:\n    served = []\n"),
            ('"message": "Sealed."', '"message": f"Sealed as {self.served.append(1) or len(self.served)}."'),
        ),
        "no-shared-state",
        "seal_jar",
        "an episode leaves something behind",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_defect_is_caught_in_a_worker(name: str) -> None:
    plants, gate, subject, defect = PLANTED[name]
    result = results(plants)[gate]
    assert (subject, defect) in {(finding.subject, finding.defect) for finding in result.findings}


TRUSTED = ("raises", "refusal-writes", "live-result", "other-type", "breaks-rule", "no-such-attribute")


@pytest.mark.parametrize("name", TRUSTED)
def test_a_planted_defect_is_caught_in_this_process(name: str) -> None:
    from envscaler_gym.quality.probing import make_prober
    from envscaler_gym.quality.worlds.exploring import Explorer

    plants, gate, subject, _ = PLANTED[name]
    bundle = shelf(*plants)
    with make_prober(bundle, trust=True) as prober:
        explorer = Explorer(bundle, prober, 0)
        explorer.run(CALLS, None)
        if gate == "branches":
            assert [caught.kind for caught in prober.counts().caught] == ["AttributeError"]
            return
    assert subject in {seen.sighting.tool for seen in explorer.sightings.of(gate)}


def test_gates_that_have_nothing_to_do_with_a_defect_pass() -> None:
    assert failed(results(PLANTED["refusal-writes"].plants)) == ["refusal-keeps-state"]
    assert failed(results(PLANTED["live-result"].plants)) == ["no-aliasing"]
    assert failed(results(PLANTED["breaks-rule"].plants)) == ["invariants-hold"]


def test_the_example_is_the_shortest_program() -> None:
    (finding,) = results(PLANTED["breaks-rule"].plants)["invariants-hold"].findings
    steps = [line for line in finding.example.splitlines() if "env.step(" in line]
    assert [step.partition("'name': '")[2].partition("'")[0] for step in steps] == ["fill_jar", "seal_jar", "empty_jar"]
    assert "sealed_jars_are_full: J-" in finding.message


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("raises", errors.ToolFailure),
        ("no-dict", AssertionError),
        ("refusal-writes", AssertionError),
        ("query-writes", AssertionError),
        ("live-result", AssertionError),
        ("live-argument", AssertionError),
        ("tuple", AssertionError),
        ("other-type", AssertionError),
        ("breaks-rule", AssertionError),
    ],
)
def test_an_example_shows_its_defect_and_runs_where_there_is_none(
    name: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plants, gate, subject, defect = PLANTED[name]
    example = next(
        finding.example
        for finding in results(plants)[gate].findings
        if (finding.subject, finding.defect) == (subject, defect)
    )
    with pytest.raises(error):
        runs(example, shelf(*plants), tmp_path / "planted", monkeypatch)
    runs(example, shelf(), tmp_path / "twin", monkeypatch)


def test_an_example_of_shared_state_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plants = PLANTED["class-attribute"].plants
    (finding,) = results(plants)["no-shared-state"].findings
    assert 5 <= finding.example.count("prober.probe") <= 16
    with pytest.raises(AssertionError, match="Sealed as 2"):
        runs(finding.example, shelf(*plants), tmp_path / "planted", monkeypatch)
    runs(finding.example, shelf(), tmp_path / "twin", monkeypatch)


def test_the_order_of_a_set_is_no_episode() -> None:
    plant = ('"data": [self._shown(jar) for jar in self.jars.values()]', '"data": list({*self.jars, "a", "b", "c"})')
    gates = results((plant,), trust=True)
    assert failed(gates) == ["deterministic"]
    assert {finding.subject for finding in gates["deterministic"].findings} == {"list_jars"}
    ordered = ('"data": [self._shown(jar) for jar in self.jars.values()]', '"data": sorted({*self.jars, "a", "b"})')
    assert failed(results((ordered,), trust=True)) == []


def test_a_tool_without_a_refusal_in_its_source_is_a_note() -> None:
    gate = results()["succeeds-and-refuses"]
    assert [(note.subject, note.defect) for note in gate.notes] == [("list_jars", "a tool without a refusal")]


def test_what_nothing_proves_is_a_note_in_imported_bundles() -> None:
    for name in ("never-succeeds", "unreached"):
        plants, gate, subject, defect = PLANTED[name]
        result = results(plants, "imported")[gate]
        assert result.passed
        if name == "never-succeeds":
            assert (subject, defect) in {(note.subject, note.defect) for note in result.notes}
    assert not results(PLANTED["no-such-attribute"].plants, "imported")["branches"].passed


def test_unreached_branches_are_listed_with_line_and_source() -> None:
    plant = ("if len(tags) > 3:", "if len(tags) > 9999:")
    notes = results((plant,), "imported")["branches"].notes
    line = SOURCE.splitlines().index("        if len(tags) > 3:") + 1
    assert f"line {line}, true: if len(tags) > 9999:" in [note.message for note in notes if note.subject == "add_jar"]


def test_a_swallowed_exception_that_values_may_cause_is_no_defect() -> None:
    plant = ("label = day.isoformat()", 'label = [][jar_id.count("?")]')
    twin = ("except AttributeError:", "except IndexError:")
    gate = results((plant, twin))["branches"]
    assert gate.passed
    (note,) = [note for note in gate.notes if note.defect == "a statement that never completed"]
    assert "IndexError was swallowed" in note.message


def test_calls_that_do_not_come_back_are_found_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_LIMITS", replace(probing._LIMITS, call_seconds=0.2))
    plant = (GET, '"data": [None for _ in iter(int, 1)]}')
    gates = world_gates(shelf(plant), calls=60)
    never = gates[0]
    assert [(finding.subject, finding.times) for finding in never.findings] == [("get_jar", 3)]
    assert never.findings[0].defect in ("a tool does not return", "a tool raises", "a tool takes too much memory")


def test_a_start_that_cannot_be_loaded_is_a_defect() -> None:
    plant = ("self.jars: Dict[str, Jar] = {}", "self.jars: Dict[str, Jar] = init_config['lids']")
    (finding,) = results((plant,))["never-raises"].findings
    assert (finding.subject, finding.defect) == ("quiet", "a start state cannot be loaded")
    assert "KeyError" in finding.message


def test_without_invariants_the_gate_is_skipped() -> None:
    bundle = shelf()
    bare = Bundle(bundle.manifest, bundle.source, None, bundle.start_states, bundle.scenarios)
    gates = {result.gate: result for result in world_gates(bare, calls=50)}
    assert gates["invariants-hold"].skipped
    assert not results()["invariants-hold"].skipped


def test_a_bundle_without_scenarios_starts_from_nothing() -> None:
    bundle = shelf(method="imported")
    bare = Bundle(bundle.manifest, bundle.source, None, {}, {})
    gates = {result.gate: result for result in world_gates(bare, calls=300)}
    assert failed(gates) == []
    assert gates["branches"].notes[0].defect == "nowhere to start"
    live = shelf(*PLANTED["raises"].plants, method="imported")
    (finding,) = world_gates(Bundle(live.manifest, live.source, None, {}, {}), calls=300)[0].findings
    assert "prober.load({}," in finding.example


def test_equal_seeds_give_equal_results_in_any_process(run_python: Callable[..., str], tmp_path: Path) -> None:
    shelf(*PLANTED["live-result"].plants).save(tmp_path / "shelf")
    code = f"""
import json
from pathlib import Path
from envscaler_gym import load_bundle, registry
from envscaler_gym.quality.worlds.exploring import Explorer
from envscaler_gym.quality.probing import make_prober
from envscaler_gym.quality.worlds.gates import world_gates

gates = world_gates(load_bundle(Path({str(tmp_path / "shelf")!r})), calls=150)
tea_shop = registry.get_bundle("toys/TeaShop-v0")  # reviewed, so that it runs in this process
with make_prober(tea_shop) as prober:
    explorer = Explorer(tea_shop, prober, 0)
    explorer.run(400, None)
seen = [tuple(found) for found in explorer.sightings.of("no-aliasing")]
print(json.dumps([[gate.model_dump(mode="json") for gate in gates], explorer.tallies, repr(seen)]))
"""
    one, other = (run_python(code, PYTHONHASHSEED=seed) for seed in ("3", "4"))
    assert one == other
    gates, tallies, seen = json.loads(one)
    assert gates[WORLD_GATES.index("no-aliasing")]["findings"]
    assert len(tallies) == 10
    assert "get_tea" in seen


def test_other_seeds_try_other_calls() -> None:
    one, other = (world_gates(shelf(), calls=120, seed=seed)[8].figures for seed in (0, 1))
    assert one["calls_succeeded"] != other["calls_succeeded"]


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    world_gates(shelf(), calls=90, on_progress=lambda what, done, total: told.append((what, done, total)))
    assert told[-1] == ("calls", 90, 90)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
