"""Assessment counts every round as what it was, and sends what it finds back to the code."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envscaler_gym.bundle import load_bundle
from envscaler_gym.llm.model import CompletionRequest
from envscaler_gym.llm.scripted import Answer, Scripted
from envscaler_gym.synthesis.artefacts import MemoryShelf
from envscaler_gym.synthesis.assessment import Assessment, assess
from envscaler_gym.synthesis.assessment.execution import try_calls
from envscaler_gym.synthesis.assessment.sources import source_of
from envscaler_gym.synthesis.coding import write_draft
from envscaler_gym.synthesis.workshop import Workshop
from tests.synthesis import shed_founder, tool_shed
from tests.synthesis.shed_author import text_of
from tests.synthesis.shed_founder import METHODS, Founder, without_docstring
from tests.synthesis.shed_runs import begin, carry_out
from tests.synthesis.test_coding import PLAN, made

LENIENT: dict[str, Any] = {"rounds": 2, "sessions": 1, "pass_rate": 0.0, "repairs": 2}
"""Settings under which code passes although calls are judged failures."""


def assessed(founder: Founder, **settings: Any) -> tuple[Assessment, Scripted]:
    """Return the assessment of what a founder writes."""
    model = Scripted(founder)
    shop = Workshop(model, shed_founder.settings(**settings), MemoryShelf())

    async def work() -> Assessment:
        return await assess(shop, "tool_shed", made(PLAN), await write_draft(shop, "tool_shed", made(PLAN)))

    return asyncio.run(work()), model


def method_with(name: str, old: str, new: str) -> Callable[[CompletionRequest], Answer]:
    """Return a function that writes the methods, one of them with a mistake."""

    def methods(request: CompletionRequest) -> Answer:
        written: dict[str, Any] = Founder().methods(request)
        for method in written["methods"]:
            if method["name"] == name:
                assert old in method["source"]
                method["source"] = method["source"].replace(old, new)
        return written

    return methods


def test_what_is_right_passes_with_every_round_judged() -> None:
    result, model = assessed(Founder())
    assert result.passed
    assert result.verdicts == {"pass": 6}
    assert {played.expected for played in result.rounds} == {"success", "refusal"}
    lent = next(played for played in result.rounds if played.tool == "lend_tool" and played.changes)
    assert any("loans.LN-105" in change for change in lent.changes)
    judged = next(text_of(request) for request in model.requests if "Judge every call" in text_of(request))
    assert "Only a tool on the shelf is lent." in judged  # rules that no state shows
    assert "_MOST = 2" in judged


def test_the_gates_come_before_the_agents() -> None:
    late = method_with("lend_tool", "if self.tools[tool_id]['status'] != 'on_shelf'", "if False")
    result, model = assessed(Founder(Methods=late))
    assert not result.passed
    assert result.rounds == ()
    assert any(finding.defect and finding.subject == "lend_tool" for finding in result.findings)
    assert not any("Propose the next" in text_of(request) for request in model.requests)


def test_failures_are_findings_with_call_result_and_change() -> None:
    def judge(request: CompletionRequest) -> Answer:
        answer: dict[str, Any] = Founder().judge(request)
        answer["verdicts"][0] |= {"verdict": "fail", "reason": "It should have been refused."}
        return answer

    result, _ = assessed(Founder(CallVerdicts=judge))
    assert result.verdicts == {"fail": 4, "pass": 2}
    assert not result.passed
    assert "2 of 6 rounds passed (33.3%, at least 85% must)" in result.summary
    assert len(result.findings) == 4
    assert "It should have been refused." in result.findings[0].message


def test_warnings_are_no_passes_and_are_counted_apart() -> None:
    def judge(request: CompletionRequest) -> Answer:
        answer: dict[str, Any] = Founder().judge(request)
        answer["verdicts"][0] |= {"verdict": "warning"}
        return answer

    result, _ = assessed(Founder(CallVerdicts=judge), pass_rate=0.3)
    assert result.passed
    assert result.verdicts == {"pass": 2, "warning": 4}


def test_rounds_without_a_usable_call_stay_in_the_denominator() -> None:
    def test(request: CompletionRequest) -> Answer:
        answer: dict[str, Any] = Founder().test(request)
        answer["calls"][0] |= {"tool": "lend_toll", "arguments": {}}
        return answer

    result, model = assessed(Founder(TestCalls=test))
    assert result.verdicts == {"pass": 2, "unusable": 4}
    assert len(result.rounds) == 6
    assert not result.passed
    unusable = next(played for played in result.rounds if played.verdict == "unusable")
    assert "Did you mean 'lend_tool'" in unusable.reason
    asked = [request for request in model.requests if "Propose the next" in request.messages[1].content]
    assert len(asked) == 3 * 4  # each turn was sent back twice


def test_rounds_that_nobody_judged_stay_in_the_denominator() -> None:
    result, model = assessed(Founder(CallVerdicts=lambda _: {"verdicts": []}))
    assert result.verdicts == {"unjudged": 6}
    assert not result.passed
    asked = [request for request in model.requests if "Judge every call" in request.messages[1].content]
    assert len(asked) == 3 * 4


def test_a_state_that_breaks_rules_is_sent_back_and_then_a_finding() -> None:
    def broken(_: CompletionRequest) -> Answer:
        state = tool_shed.state()
        state["tools"]["T-32"]["status"] = "on_shelf"
        return {"state": state}

    result, model = assessed(Founder(SampleStateDraft=broken))
    assert [finding.defect for finding in result.findings] == ["no state satisfies types and rules"]
    assert "Exactly the lent tools" in result.findings[0].message
    assert len([request for request in model.requests if "Write the state" in text_of(request)]) == 3


def test_what_fails_is_mended_and_the_whole_gate_runs_again(tmp_path: Path, clean_registry: None) -> None:
    late = method_with("lend_tool", "if self.tools[tool_id]['status'] != 'on_shelf'", "if False")
    good = {"name": "lend_tool", "imports": [], "source": without_docstring(METHODS["lend_tool"])}
    mend = {"methods": [good], "helpers": None, "rules": []}
    report, model = carry_out(begin(tmp_path), Founder(Methods=late, Repair=lambda _: mend))
    (outcome,) = report.outcomes
    assert (outcome.status, outcome.figures["repairs"]) == ("published", 1)
    repair = next(text_of(request) for request in model.requests if "What was found" in text_of(request))
    assert "lend_tool" in repair.partition("What was found")[2]


@pytest.mark.parametrize(
    ("failures", "taken"),
    [
        ((1, 0), 1),  # mended
        ((1, 1, 1), 2),  # as good as the others, and the last
        ((1, 2, 2), 0),
        ((2, 1, 2), 1),
    ],
)
def test_code_that_passes_with_failures_is_mended_too(
    tmp_path: Path, clean_registry: None, failures: tuple[int, ...], taken: int
) -> None:
    """What fails least is taken, and its record says what was found and what of it was mended."""
    mended: list[int] = []

    def judge(request: CompletionRequest) -> Answer:
        answer: dict[str, Any] = Founder().judge(request)
        for verdict in answer["verdicts"][: failures[len(mended)]]:
            verdict |= {"verdict": "fail", "reason": "The message is wrong."}
        return answer

    def repair(_: CompletionRequest) -> Answer:
        mended.append(1)
        source = without_docstring(METHODS["lend_tool"]).replace(
            "\n", f"\n    number = {len(mended)}\n    del number\n", 1
        )
        return {
            "methods": [{"name": "lend_tool", "imports": [], "source": source}],
            "helpers": None,
            "rules": [],
        }

    report, _ = carry_out(begin(tmp_path, **LENIENT), Founder(CallVerdicts=judge, Repair=repair))
    (outcome,) = report.outcomes
    assert (outcome.status, len(mended)) == ("published", len(failures) - 1)
    bundle = load_bundle(Path(outcome.path))
    assert re.findall(r"number = (\d)", bundle.source) == [str(taken)] * (taken > 0)
    assert bundle.quality is not None
    said = bundle.quality.assessment
    assert said is not None
    assert said.verdicts.get("fail", 0) == len(said.remarks) == failures[taken]
    assert [line.partition(": ")[2] for line in said.repaired] == ["fail: The message is wrong."] * sum(
        failures[:taken]
    )


def test_code_that_passes_is_taken_where_no_repair_of_it_can_be_had(tmp_path: Path, clean_registry: None) -> None:
    def judge(request: CompletionRequest) -> Answer:
        answer: dict[str, Any] = Founder().judge(request)
        answer["verdicts"][0] |= {"verdict": "fail", "reason": "The message is wrong."}
        return answer

    report, model = carry_out(begin(tmp_path, **LENIENT), Founder(CallVerdicts=judge, Repair=lambda _: "I would not."))
    (outcome,) = report.outcomes
    assert outcome.status == "published"
    assert any("What was found" in text_of(request) for request in model.requests)
    quality = load_bundle(Path(outcome.path)).quality
    assert quality is not None
    assert quality.assessment is not None
    assert len(quality.assessment.remarks) == 1


def test_what_cannot_be_mended_is_rejected_with_its_findings(tmp_path: Path) -> None:
    late = method_with("lend_tool", "if self.tools[tool_id]['status'] != 'on_shelf'", "if False")
    useless = {"methods": [{"name": "find_tools", "imports": [], "source": without_docstring(METHODS["find_tools"])}]}
    answer: dict[str, Any] = useless | {"helpers": None, "rules": []}
    report, model = carry_out(begin(tmp_path, repairs=2), Founder(Methods=late, Repair=lambda _: answer))
    (outcome,) = report.outcomes
    assert (outcome.status, outcome.stage) == ("rejected", "assessment")
    assert "after 2 repairs the gates found" in outcome.reason
    assert "lend_tool: " in outcome.reason
    assert [request.attempt for request in model.requests if "What was found" in text_of(request)] == [0, 1]


def test_rounds_that_came_to_nothing_are_no_reason_to_mend_the_code(tmp_path: Path) -> None:
    report, model = carry_out(begin(tmp_path), Founder(CallVerdicts=lambda _: {"verdicts": []}))
    (outcome,) = report.outcomes
    assert (outcome.status, outcome.stage, outcome.figures["repairs"]) == ("rejected", "assessment", 0)
    assert "after 0 repairs 0 of 6 rounds passed (0.0%, at least 85% must): 6 unjudged" in outcome.reason
    assert not any("What was found" in text_of(request) for request in model.requests)


def test_a_call_that_fails_changes_nothing_for_those_behind_it() -> None:
    source = tool_shed.SOURCE.replace('loan["status"] = "closed"', 'loan["status"] = "closed"\n        1 / 0', 1)
    bundle = tool_shed.bundle()
    bundle = type(bundle)(bundle.manifest, source, bundle.invariants_source, {}, {})
    calls = [("return_tool", {"loan_id": "LN-101"}), ("list_loans", {"neighbour_id": "N-11"})]
    run = try_calls(bundle, tool_shed.state(), tool_shed.CLOCK, "0", calls)
    assert "ZeroDivisionError" in run.calls[0].failure
    assert "LN-101" in run.calls[1].result
    assert run.state == tool_shed.state()
    assert run.clock > tool_shed.CLOCK


@pytest.mark.parametrize("tool", ["list_loans", "find_tools"])
def test_judges_see_what_a_tool_calls_and_nothing_else(tool: str) -> None:
    source = source_of(tool_shed.bundle(), [tool])
    assert f"def {tool}" in source
    assert ("_open_loans" in source) == (tool == "list_loans")
    assert "return_tool" not in source
