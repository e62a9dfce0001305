"""Grown scenarios: they pass every gate, and what does not hold is rejected with a reason."""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import Check
from envscaler_gym.errors import ScenarioError
from envscaler_gym.invariants import load_invariants
from envscaler_gym.quality.checks.gates import check_gates
from envscaler_gym.quality.reports import GateResult
from envscaler_gym.quality.scenarios.gates import scenario_gates
from envscaler_gym.quality.state_types import StateTypes
from envscaler_gym.scenario import DIFFICULTIES, SolutionCall, StartState
from envscaler_gym.state import copy_state, digest
from envscaler_gym.synthesis.graph import learn_graph
from envscaler_gym.synthesis.graph.lab import Lab
from envscaler_gym.synthesis.graph.literals import Literals
from envscaler_gym.synthesis.graph.tables import Tables
from envscaler_gym.synthesis.growth import GrowthReport, VerifiedChain, grow, missing_facts, rewrite_tasks
from envscaler_gym.synthesis.growth.candidates import Candidate, Ground
from envscaler_gym.synthesis.growth.chain import Step
from envscaler_gym.synthesis.growth.difficulty import EXPERT_CALLS, measure
from envscaler_gym.synthesis.growth.sampling import ChainSampler
from envscaler_gym.synthesis.growth.trials import Play, Rejected, refute, unshown
from tests.synthesis.kennel import INVARIANTS, RANDOM, SOURCE, kennel, shipped_graph, state

SHIPPED = ("envscaler/Library-v0", "envscaler/HotelFrontDesk-v0", "envscaler/RepairShop-v0")
CLOCK = "2025-09-01T09:00:00"


@pytest.fixture(scope="module")
def report() -> GrowthReport:
    return grow(kennel(), count=16, seed=3, trust=True)


def with_scenarios(bundle: Bundle, report: GrowthReport) -> Bundle:
    """Return a bundle with the grown scenarios alone."""
    starts = dict(bundle.start_states) | {start.id: start for start in report.start_states}
    return replace(bundle, start_states=starts, scenarios={s.id: s for s in report.scenarios}, path=None)


def gates(bundle: Bundle, report: GrowthReport) -> dict[str, GateResult]:
    grown = with_scenarios(bundle, report)
    results = [
        *scenario_gates(grown, report.scenarios, seed=7, trust=True),
        *check_gates(grown, report.scenarios, seed=7, trust=True),
    ]
    return {result.gate: result for result in results}


@pytest.mark.parametrize("name", SHIPPED)
def test_what_grows_in_a_shipped_bundle_passes_every_gate(name: str) -> None:
    graph = shipped_graph(name)
    report = grow(graph.bundle, count=4, seed=11, graph=graph)
    assert len(report.scenarios) == 4
    assert report.rejected_share <= 0.2
    assert {scenario.difficulty for scenario in report.scenarios} == set(DIFFICULTIES)
    results = gates(graph.bundle, report)
    assert [(result.gate, result.findings) for result in results.values() if not result.passed] == []
    assert float(results["check-mutants"].figures["kill_rate"]) >= 0.98


@pytest.mark.parametrize("name", SHIPPED)
def test_tasks_name_records_by_what_people_know(name: str) -> None:
    graph = shipped_graph(name)
    report = grow(graph.bundle, count=8, seed=12, graph=graph)
    keys = {
        key
        for start in report.start_states
        for table in graph.tables.values()
        if not table.known_key
        for key in start.state[table.name]
    }
    for chain in report.chains.values():
        words = set(re.findall(r"[\w-]+", chain.scenario.task))
        assert not words & keys
        assert missing_facts(chain, chain.scenario.task) == ()
        for request in chain.scenario.requests:
            assert request[0].isupper()
            assert request[-1] in ".?!"


def test_a_kennel_passes_every_gate(report: GrowthReport) -> None:
    assert [r.gate for r in gates(kennel(), report).values() if not r.passed] == []
    assert {scenario.difficulty for scenario in report.scenarios} == set(DIFFICULTIES)


def test_code_that_nobody_has_reviewed_grows_the_same_in_a_worker() -> None:
    there, here = (grow(kennel(), count=3, seed=5, trust=trust) for trust in (False, True))
    assert there.scenarios == here.scenarios
    assert there.start_states == here.start_states


def test_new_records_with_random_keys_are_never_named_in_a_solution() -> None:
    report = grow(kennel(RANDOM), count=10, seed=1, trust=True)
    assert any(step.created for chain in report.chains.values() for goal in chain.goals for step in goal)
    assert "seed" not in report.figures()["reasons"]
    numbered = grow(kennel(), count=10, seed=1, trust=True)
    chains = [goal for chain in numbered.chains.values() for goal in chain.goals]
    assert any({*goal[0].created}.intersection(goal[1].records) for goal in chains if len(goal) > 1)
    assert [r.gate for r in gates(kennel(RANDOM), report).values() if not r.passed] == []


def test_equal_seeds_grow_the_same_in_any_process() -> None:
    code = (
        "from tests.synthesis.kennel import kennel\n"
        "from envscaler_gym.state import digest\n"
        "from envscaler_gym.synthesis.growth import grow\n"
        "print(digest([s.model_dump(mode='json') for s in grow(kennel(), count=5, seed=2, trust=True).scenarios]))"
    )
    root = str(Path(__file__).resolve().parents[2])
    here = grow(kennel(), count=5, seed=2, trust=True)
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": root},
        )
        assert done.stdout.strip() == digest([s.model_dump(mode="json") for s in here.scenarios])
    other = grow(kennel(), count=5, seed=4, trust=True)
    assert [s.task for s in other.scenarios] != [s.task for s in here.scenarios]


def test_start_states_are_variants_that_hold_all_rules(report: GrowthReport) -> None:
    bundle = kennel()
    invariants = load_invariants(INVARIANTS)
    for start in report.start_states:
        assert start.state != state()
        assert StateTypes.of(bundle).problems(start.state) == []
        assert [v for invariant in invariants for v in invariant.violations(start.state)] == []
    assert any(len(start.state["owners"]) > 3 or len(start.state["dogs"]) > 4 for start in report.start_states)


def test_a_distractor_that_breaks_a_rule_is_left_out() -> None:
    rule = "def never_more_owners(state):\n    return ['x'] * (len(state['owners']) > 3)\n"
    strict = f"{INVARIANTS}\n\n{rule}"
    report = grow(replace(kennel(), invariants_source=strict), count=4, seed=3, trust=True)
    assert all(len(start.state["owners"]) == 3 for start in report.start_states)
    free = grow(kennel(), count=4, seed=3, trust=True)
    assert any(len(start.state["owners"]) > 3 for start in free.start_states)


def test_the_splits_share_no_start_state(report: GrowthReport) -> None:
    used = {split: {s.start_state for s in report.scenarios if s.split == split} for split in ("train", "test")}
    assert used["train"]
    assert used["test"]
    assert not used["train"] & used["test"]
    assert all(name.startswith("summer") for name in used["train"])


def test_every_scenario_changes_something_and_can_be_done_in_time(report: GrowthReport) -> None:
    for chain in report.chains.values():
        assert any(goal for goal in chain.goals)
        assert chain.scenario.max_steps > len(chain.scenario.solution)
        assert len(chain.clauses) == len(chain.goals)


def test_the_report_counts(report: GrowthReport) -> None:
    figures = report.figures()
    assert figures["scenarios"] == 16
    assert sum(figures["difficulties"].values()) == 16
    assert sum(figures["tools"].values()) == sum(len(goal) for c in report.chains.values() for goal in c.goals)
    assert figures["rejected_share"] == round(len(report.rejected) / (16 + len(report.rejected)), 4)
    assert list(report.measures) == [scenario.id for scenario in report.scenarios]


def test_candidates_that_do_not_hold_are_rejected_with_a_reason() -> None:
    """Where a stay can be booked in even minutes only, a chain that books one does not hold at every time."""
    fickle = SOURCE.replace("NEW_ID", 'f"ST-{len(self.stays) + 1:04d}"').replace(
        "if dog_id not in self.dogs or", "if datetime.now().minute or dog_id not in self.dogs or"
    )
    report = grow(replace(kennel(), source=fickle), count=8, seed=1, trust=True)
    reasons = report.figures()["reasons"]
    assert reasons["seed"] > 0
    assert not any(call.name == "book_stay" for s in report.scenarios for call in s.solution)


def test_a_change_without_which_the_score_is_the_same_is_rejected() -> None:
    """Where a stay can be ended before it has begun, beginning it makes no difference to the end."""
    lenient = SOURCE.replace("NEW_ID", "'x'").replace('(stay_id, "here", "over")', '(stay_id, "booked", "over")')
    lenient = lenient.replace("!= before", "not in (before, 'here')")
    bundle = replace(kennel(), source=lenient)
    graph = learn_graph(bundle, trust=True)
    steps = [Step(tool, {"stay_id": "ST-0001"}, (("stays", "ST-0001"),)) for tool in ("check_in", "check_out")]
    with Lab(bundle, trust=True) as lab:
        sampler = ChainSampler(graph, Literals(graph.tables, [state()]), lab, Counter())
        ground = Ground(graph, StartState(id="s", state=state()), CLOCK, "train", lab)
        candidate = Candidate(graph, sampler, ground, random.Random(0))
        with pytest.raises(Rejected, match="needless: without check_in"):
            candidate.verify([tuple(steps)])
        assert candidate.verify([tuple(steps[1:])]).clauses == (("check out the stay for Ada Berg's Rex",),)


def test_it_gives_up_where_nothing_can_be_changed() -> None:
    frozen = SOURCE.replace("NEW_ID", "'x'").replace("not 1 <= nights <= 9", "True").replace("!= before", "!= 'no'")
    report = grow(replace(kennel(), source=frozen), count=2, seed=1, trust=True)
    assert report.scenarios == ()
    assert {one.reason.partition(":")[0] for one in report.rejected} == {"level"}
    with pytest.raises(ScenarioError, match="no start state"):
        grow(replace(kennel(), start_states={}, scenarios={}), count=1, trust=True)


def stay_states() -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    start, final = state(), state()
    final["stays"]["ST-0001"]["status"] = "here"
    final["stays"]["ST-0003"] = {**final["stays"]["ST-0002"], "stay_id": "ST-0003", "dog_id": "DG-4"}
    return start, final


RIGHT = "s = final_state['stays']\n    return any(r['dog_id'] == 'DG-4' for r in s.values()) and {}".format(
    "s['ST-0001']['status'] == 'here'"
)


def check(body: str) -> Check:
    return Check(text="Is it so?", source=f"def check_func(final_state):\n    {body}\n")


@pytest.mark.parametrize(
    ("checks", "guards", "reason"),
    [
        ([check(RIGHT)], [], None),
        ([check("return True")], [], "check at the start"),
        ([check("return final_state['nothing']")], [], "check at the start"),
        ([check("return False")], [], "check at the end"),
        ([check("return final_state['stays']['ST-0001']['status'] == 'here'")], [], "mutant survives"),
        ([check("return final_state['stays'].get('ST-0003', {'x': 0}).get('x') is None")], [], "mutant raises"),
        ([check(RIGHT)], [check("return 'ST-0003' in final_state['stays']")], "guard at the start"),
    ],
)
def test_checks_are_tried(checks: list[Check], guards: list[Check], reason: str | None) -> None:
    start, final = stay_states()
    outcome = Play((), None, final)
    tables = Tables(kennel(), [start])
    if reason == "mutant raises":
        checks = [check("return bool(final_state['stays']['ST-0003']) if final_state != initial_state else False")]
        reason = "check on a mutant"
    if reason is None:
        refute(checks, guards, start, outcome, CLOCK, tables)
        return
    with pytest.raises(Rejected, match=reason):
        refute(checks, guards, start, outcome, CLOCK, tables)


def test_states_are_not_changed_by_trying() -> None:
    start, final = stay_states()
    before = copy_state([start, final])
    refute([check(RIGHT)], [], start, Play((), None, final), CLOCK, Tables(kennel(), [start]))
    assert [start, final] == before


def test_a_key_counts_as_shown_once_a_result_has_it() -> None:
    uses = [[], [("dogs", "DG-1")]]
    assert unshown(uses, ['{"dog_id":"DG-1"}', ""]) is None
    assert unshown(uses, ['{"dog_id":"DG-10"}', '"DG-1"']) == ("dogs", "DG-1")


def test_difficulty_is_measured() -> None:
    bundle = kennel()
    calls = [SolutionCall(name="find_owners", arguments={}), SolutionCall(name="list_dogs", arguments={})]
    calls += [SolutionCall(name="book_stay", arguments={})] * 2
    uses = [[], [("owners", "OW-1")], [("dogs", "DG-1")], [("dogs", "DG-1")]]
    found = measure(bundle, calls, uses, ['["OW-1"]', '["DG-1"]', "{}", "{}"])
    assert found == (4, 3, 2, 2, 3, (4 + 3 / 2) / 50, "easy")
    assert measure(bundle, calls * 2, uses * 2, ["[]"] * 8).difficulty == "medium"
    assert measure(bundle, calls * 4, [[]] * 16, ["[]"] * 16).difficulty == "hard"
    assert measure(bundle, calls * 5, [[]] * 20, ["[]"] * 20).difficulty == "expert"
    few = calls * 2 + calls[:3]
    linked = [[("owners", "OW-1"), ("dogs", "DG-1")]] * 11
    assert len(few) < EXPERT_CALLS
    assert measure(bundle, few, linked, ['["OW-1"]'] * 11).difficulty == "hard"


def test_tasks_can_be_put_in_other_words_that_keep_the_facts(report: GrowthReport) -> None:
    async def write(chain: VerifiedChain) -> str:
        if len(chain.goals) > 1:
            return "Do what has to be done."
        return f"In short: {'; '.join(clause for clauses in chain.clauses for clause in clauses)}!"

    written = asyncio.run(rewrite_tasks(report, write))
    short = [name for name, chain in report.chains.items() if len(chain.goals) == 1]
    assert short
    assert len(short) < len(report.chains)
    for name, chain in written.chains.items():
        assert chain.scenario.task.startswith("In short") == (name in short)
        assert (chain.scenario.task == report.chains[name].scenario.task) == (name not in short)
        assert chain.scenario.solution == report.chains[name].scenario.solution
    plain = asyncio.run(rewrite_tasks(report, lambda _chain: ""))
    assert plain == report
