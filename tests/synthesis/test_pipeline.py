"""A run from tasks to a bundle that can be played: undisturbed, stopped, killed, by batch files, and on Ray."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from envscaler_gym.bundle import load_bundle
from envscaler_gym.llm.batch import custom_id, read_answers
from envscaler_gym.llm.model import Completion, CompletionRequest
from envscaler_gym.llm.scripted import Answer, Scripted
from envscaler_gym.synthesis.config import BundleSource, TopicsSource
from envscaler_gym.synthesis.events import Ended, Event, Planned
from envscaler_gym.synthesis.running import run_synthesis
from envscaler_gym.synthesis.runs import Run
from envscaler_gym.synthesis.switchboard import Access
from tests.synthesis import shed_author, tool_shed
from tests.synthesis.shed_founder import Founder
from tests.synthesis.shed_runs import begin, carry_out, files_of

pytestmark = pytest.mark.usefixtures("clean_registry")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Scripted]:
    """Return a run that nothing came in the way of."""
    run = begin(tmp_path_factory.mktemp("undisturbed"))
    report, model = carry_out(run)
    assert report.status == "finished"
    return run, model


def test_a_run_ends_with_a_bundle_that_can_be_played(undisturbed: tuple[Run, Scripted], run_python: object) -> None:
    run, _ = undisturbed
    report = run.report()
    assert report is not None
    (outcome,) = report.outcomes
    assert (outcome.status, outcome.bundle, outcome.figures["rounds"]) == ("published", "toys/ToolShed-v0", {"pass": 6})
    assert report.discovery["suitable tasks"] == 2
    assert list(report.dismissed) == ["What is the capital of Peru?"]
    bundle = load_bundle(Path(outcome.path))
    assert bundle.quality is not None
    assert bundle.quality.passed
    assert bundle.manifest.provenance.method == "synthesized"
    assert bundle.manifest.synthesis is not None
    assert bundle.manifest.synthesis.models["code"] == "scripted"
    assert bundle.manifest.rules == tool_shed.RULES
    said = bundle.quality.assessment
    assert said is not None
    assert (said.calls, said.verdicts, said.repaired) == (6, {"pass": 6}, ())
    assert any("hand the" in scenario.task for scenario in bundle.scenarios.values())  # by a phrase of the model's
    code = (
        "import gymnasium as gym, envscaler_gym\n"
        "env = gym.make('toys/ToolShed-v0'); env.reset(seed=0)\n"
        "print(env.step({'name': 'find_tools', 'arguments': {'name': 'saw'}})[0])"
    )
    assert callable(run_python)
    assert "tile saw" in run_python(code, ENVSCALER_PATH=str(run.config.out))


def test_every_answer_is_accounted_for(undisturbed: tuple[Run, Scripted]) -> None:
    run, model = undisturbed
    report = run.report()
    assert report is not None
    asked = len({request.digest for request in model.requests})
    assert sum(usage.calls for usage in report.usage.values()) == asked == len(model.requests)
    artefacts = run.shelf().artefacts
    assert len({exchange for artefact in artefacts for exchange in artefact.exchanges}) == asked
    made_from = load_bundle(Path(report.outcomes[0].path)).manifest.synthesis
    assert made_from is not None
    assert made_from.calls == asked
    known = {artefact.digest for artefact in artefacts}
    code = next(artefact for artefact in artefacts if artefact.part == "assembled")
    assert set(code.parents) <= known


def test_once_more_over_the_same_answers_asks_nothing_and_changes_nothing(undisturbed: tuple[Run, Scripted]) -> None:
    run, _ = undisturbed
    before, report = files_of(run), run.report()
    again, model = carry_out(run)
    assert model.requests == []
    assert again.usage == (report.usage if report else {})
    assert files_of(run) == before


def test_a_budget_stops_a_run_that_goes_on_later(undisturbed: tuple[Run, Scripted], tmp_path: Path) -> None:
    run, asked = begin(tmp_path), set[str]()
    for most in (1, 4, 13):
        report, model = carry_out(run, max_calls=most)
        assert report.status == "stopped"
        assert "resume the run" in report.reason
        digests = {request.digest for request in model.requests}
        assert not digests & asked
        asked |= digests
        assert len(asked) == most
    report, model = carry_out(run)
    assert report.status == "finished"
    assert not {request.digest for request in model.requests} & asked
    assert files_of(run) == files_of(undisturbed[0])


def test_batch_files_take_the_place_of_a_model(undisturbed: tuple[Run, Scripted], tmp_path: Path) -> None:
    run, founder, rounds = begin(tmp_path, batch=True), Founder(), 0
    while True:
        report = asyncio.run(run_synthesis(run, Access(batch=True)))
        if report.status == "finished":
            break
        rounds += 1
        assert rounds < 30
        assert report.waiting
        answers = tmp_path / "answers.jsonl"
        answers.write_text("".join(_answered(Path(report.requests), run, founder)))
        store = run.completions()
        read = read_answers(answers, run.batch_folder, store)
        store.close()
        assert (read.problems, read.missing) == ((), 0)
    assert report.outcomes[0].status == "published"
    wanted, made = files_of(undisturbed[0]), files_of(run)
    assert made["tool_shed/environment.py"] == wanted["tool_shed/environment.py"]
    assert made["tool_shed/scenarios.jsonl"] == wanted["tool_shed/scenarios.jsonl"]
    assert b"from files of answers" in made["tool_shed/manifest.json"]
    assert rounds < 25  # what does not depend on each other is asked in one round


def _answered(path: Path, run: Run, founder: Founder) -> list[str]:
    pending = (run.batch_folder / "pending.jsonl").read_bytes().splitlines()
    requests = {custom_id(request): request for request in map(CompletionRequest.model_validate_json, pending)}
    names = [json.loads(line)["custom_id"] for line in path.read_text().splitlines()]
    return [json.dumps({"custom_id": name, "text": json.dumps(founder(requests[name]))}) + "\n" for name in names]


def test_an_environment_that_exists_gets_more_scenarios(undisturbed: tuple[Run, Scripted], tmp_path: Path) -> None:
    folder = Path(undisturbed[0].config.out or "") / "tool_shed"
    had = load_bundle(folder)
    source = BundleSource(name=str(folder), digest=had.digest)
    run = begin(tmp_path, source=source, scenarios=2, written=1.0)
    report, _ = carry_out(
        run, Founder(TaskDrafts=lambda _: {"tasks": [shed_author.task("saw-is-back", shed_author.RETURN)]})
    )
    (outcome,) = report.outcomes
    assert outcome.status == "published", outcome.reason
    more = load_bundle(Path(outcome.path))
    assert set(had.scenarios) < set(more.scenarios)
    assert more.source == had.source


def test_topics_need_no_tasks_and_what_is_too_similar_is_left_out(tmp_path: Path) -> None:
    run = begin(tmp_path, source=TopicsSource(topics=("Tool Shed", "The Tool Shed")))
    seen: list[Event] = []
    report, _ = carry_out(run, Founder(Skeleton=lambda _: "No."), watch=seen.append)
    assert report.discovery == {"topics": 2, "environments": 2, "above the thresholds": 2, "different": 1, "chosen": 1}
    (reason,) = report.dismissed.values()
    assert "too similar" in reason
    assert [event.subjects for event in seen if isinstance(event, Planned)] == [(report.outcomes[0].subject,)]
    assert [event.status for event in seen if isinstance(event, Ended)] == ["rejected"]


def test_nothing_above_the_thresholds_is_nothing_built(tmp_path: Path) -> None:
    report, model = carry_out(begin(tmp_path, modelability=10))
    assert report.status == "finished"
    assert report.outcomes == ()
    assert "modelability 9 is below 10" in report.dismissed["Tool Shed"]
    assert {request.purpose for request in model.requests} == {"discovery"}


def test_a_stage_without_a_usable_answer_rejects_its_environment(tmp_path: Path) -> None:
    report, model = carry_out(begin(tmp_path), Founder(Skeleton=lambda _: "I would rather not."))
    (outcome,) = report.outcomes
    assert (outcome.status, outcome.stage) == ("rejected", "skeleton")
    assert "no usable Skeleton" in outcome.reason
    assert report.usage["skeleton"].failures == {"malformed": 3}
    assert report.status == "finished"
    assert len([request for request in model.requests if request.purpose == "skeleton"]) == 3


def test_an_error_of_ours_costs_one_environment_and_is_told(tmp_path: Path) -> None:
    def broken(request: CompletionRequest) -> Answer:
        raise ZeroDivisionError("seven by nothing")

    report, _ = carry_out(begin(tmp_path), Founder(RuleParts=broken))
    (outcome,) = report.outcomes
    assert (outcome.status, outcome.stage) == ("failed", "invariants")
    assert "ZeroDivisionError: seven by nothing (test_pipeline.py:" in outcome.reason
    assert report.status == "stopped"


def test_an_interrupted_run_keeps_what_is_paid_and_asks_no_more(tmp_path: Path) -> None:
    run, model = begin(tmp_path), Interrupting(after=5)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(model.interrupt(run_synthesis(run, Access(lambda: model))))
    assert len(run.completions()) == len(model.requests) == 5
    assert not run.is_busy()


class Interrupting(Scripted):
    """A model that interrupts the run behind an answer, while more is being asked."""

    def __init__(self, after: int) -> None:
        super().__init__(Founder())
        self._after = after
        self._task: asyncio.Task[object] | None = None

    async def interrupt(self, work: Coroutine[Any, Any, object]) -> None:
        self._task = asyncio.create_task(work)
        await self._task

    async def complete(self, request: CompletionRequest) -> Completion:
        if len(self.requests) + 1 == self._after and self._task is not None:
            self._task.cancel()
        return await super().complete(request)


KILLED = 20


def test_killed_at_random_points_it_comes_to_the_same_end(undisturbed: tuple[Run, Scripted], tmp_path: Path) -> None:
    run = begin(tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.synthesis.kill_and_resume", str(run.folder), str(KILLED)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout)
    assert seen["killed"] == KILLED
    assert len(set(seen["stored"])) > KILLED / 3, "the kills fell on too few points"
    assert seen["repeated"] == []
    report = run.report()
    assert report is not None
    assert report.status == "finished"
    assert report.usage == (undisturbed[0].report() or report).usage
    assert files_of(run) == files_of(undisturbed[0])
