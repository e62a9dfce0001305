"""Runs are folders that two processes cannot work on at once, and that say what is wrong with them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from envscaler_gym.errors import RunStopped, UnknownNameError
from envscaler_gym.llm.model import Completion, CompletionRequest
from envscaler_gym.llm.scripted import Scripted
from envscaler_gym.synthesis.artefacts import MemoryShelf
from envscaler_gym.synthesis.config import RunConfig, TopicsSource
from envscaler_gym.synthesis.events import Answered, Event, Finished, Started
from envscaler_gym.synthesis.runs import Run, RunBusy, RunDamaged, create_run, find_run, list_runs
from envscaler_gym.synthesis.settings import Settings
from envscaler_gym.synthesis.skeleton import Rule
from envscaler_gym.synthesis.workshop import Desk, Workshop

CONFIG = RunConfig(version="0", settings=Settings(model="m"), source=TopicsSource(topics=("tea",)))


def test_runs_are_numbered_found_and_listed(tmp_path: Path) -> None:
    first, second = create_run(CONFIG, tmp_path), create_run(CONFIG, tmp_path)
    named = create_run(CONFIG, tmp_path, "tea")
    assert (first.name, second.name) == ("run-0001", "run-0002")
    assert find_run("tea", tmp_path).config == CONFIG == find_run(str(named.folder), tmp_path / "elsewhere").config
    assert [run.name for run in list_runs(tmp_path)] == ["run-0001", "run-0002", "tea"]
    with pytest.raises(UnknownNameError, match="Did you mean 'run-0001'"):
        find_run("run-001", tmp_path)


@pytest.mark.parametrize("name", ["tea", "../tea", ""])
def test_names_that_are_taken_or_none_are_refused(tmp_path: Path, name: str) -> None:
    create_run(CONFIG, tmp_path, "tea")
    with pytest.raises(ValueError, match=r"there is a run of that name|is made of letters"):
        create_run(CONFIG, tmp_path, name)


def test_two_processes_refuse_each_other(tmp_path: Path) -> None:
    run = create_run(CONFIG, tmp_path)
    assert not run.is_busy()
    code = (
        "import sys, time; from pathlib import Path; from envscaler_gym.synthesis.runs import Run\n"
        "with Run(Path(sys.argv[1])).locked(): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert run.is_busy()
        with pytest.raises(RunBusy, match=rf"process {other.pid} on .* is working on it"), run.locked():
            pass
        other.kill()
    with run.locked():  # a process that was killed holds nothing
        assert run.is_busy()
    assert not run.is_busy()


def test_damage_is_named(tmp_path: Path) -> None:
    run = create_run(CONFIG, tmp_path)
    asyncio.run(make(Workshop(Scripted([]), CONFIG.settings, run.shelf())))
    (path,) = (run.folder / "artefacts").iterdir()
    path.write_text(path.read_text().replace("Tea is hot.", "Tea is not."))
    with pytest.raises(RunDamaged, match="holds an artefact of digest"):
        run.shelf()
    path.write_text("{")
    with pytest.raises(RunDamaged, match=path.name):
        run.shelf()
    (run.folder / "run.json").write_text("{}")
    with pytest.raises(RunDamaged, match=r"run\.json: version: field required"):
        Run(run.folder)
    assert list_runs(tmp_path) == []


async def make(shop: Workshop, text: str = "Tea is hot.", parent: str = "p") -> Rule:
    """Make a rule without asking anybody."""

    async def work(_: Desk) -> Rule:
        return Rule(text=text, kind="state")

    return (await shop.make("skeleton", "tea", Rule, work, parents=[parent])).value


def test_what_was_made_is_found_and_not_made_again(tmp_path: Path) -> None:
    run = create_run(CONFIG, tmp_path)
    asyncio.run(make(Workshop(Scripted([]), CONFIG.settings, run.shelf())))
    again = Workshop(Scripted([]), CONFIG.settings, run.shelf())
    assert asyncio.run(make(again, "Tea is cold.")).text == "Tea is hot."
    assert asyncio.run(make(again, "Tea is cold.", "another parent")).text == "Tea is cold."
    colder = Workshop(Scripted([]), CONFIG.settings.model_copy(update={"seed": 1}), run.shelf())
    assert asyncio.run(make(colder, "Tea is cold.")).text == "Tea is cold."


def test_what_a_desk_was_answered_is_in_the_artefact() -> None:
    model = Scripted([Completion(text="3", prompt_tokens=7, completion_tokens=1, cost_usd=0.5), "nonsense"])
    seen: list[Event] = []
    shop = Workshop(model, Settings(model="m", stage_models={"skeleton": "large"}), MemoryShelf(), seen.append)

    async def work(desk: Desk) -> Rule:
        request = desk.request("judge_tasks", tasks="none")
        assert (request.model, request.purpose) == ("large", "skeleton")
        await desk.model.complete(request)
        await desk.model.complete(request.model_copy(update={"attempt": 1}))
        return Rule(text="done", kind="state")

    artefact = asyncio.run(shop.make("skeleton", "tea", Rule, work)).artefact
    assert artefact.models == ("large",)
    assert list(artefact.prompts) == ["judge_tasks"]
    assert len(artefact.exchanges) == 2
    assert (artefact.usage.calls, artefact.usage.cost_usd, artefact.usage.unpriced) == (2, 0.5, 1)
    assert [type(event) for event in seen] == [Started, Answered, Answered, Finished]


def test_a_stage_that_has_to_stop_makes_nothing() -> None:
    shelf, seen = MemoryShelf(), list[Event]()
    shop = Workshop(Scripted([]), Settings(model="m"), shelf, seen.append)

    async def work(desk: Desk) -> Rule:
        await desk.model.complete(desk.request("judge_tasks", tasks="none"))
        raise AssertionError("not reached")

    with pytest.raises(RunStopped):
        asyncio.run(shop.make("skeleton", "tea", Rule, work))
    assert shelf.artefacts == {}
    assert shop.unfinished == ["skeleton"]
    assert isinstance(seen[-1], Finished)


def test_settings_name_their_stages() -> None:
    with pytest.raises(ValidationError, match=r"no stage 'codes'\. Did you mean 'code'\?"):
        Settings(model="m", stage_models={"codes": "x"})  # type: ignore[dict-item]


def test_corrections_show_the_last_answer_and_what_is_wrong() -> None:
    answers = iter(["first", "second", "third"])
    model = Scripted(lambda _: {"text": next(answers), "kind": "state"})
    shop = Workshop(model, Settings(model="m"), MemoryShelf())

    async def work(desk: Desk) -> Rule:
        return await desk.ask(
            "judge_tasks", Rule, accept=lambda rule: "" if rule.text == "third" else "Not yet.", tasks=""
        )

    assert asyncio.run(shop.make("skeleton", "tea", Rule, work)).value.text == "third"
    last: CompletionRequest = model.requests[-1]
    assert [message.role for message in last.messages] == ["system", "user", "assistant", "user"]
    assert '"second"' in last.messages[2].content
    assert "Not yet." in last.messages[3].content
