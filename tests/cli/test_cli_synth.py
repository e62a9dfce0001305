"""synth and runs, up to where a model is asked: batch files take its place."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from envscaler_gym.cli import app
from envscaler_gym.cli.synth_view import SynthView
from envscaler_gym.llm.batch import custom_id
from envscaler_gym.llm.model import CompletionRequest
from envscaler_gym.llm.usage import Usage
from envscaler_gym.synthesis.events import Answered, Ended, Planned, Started, Tried
from envscaler_gym.synthesis.runs import Run
from envscaler_gym.synthesis.settings import Settings
from tests import toys
from tests.cli.conftest import Cli
from tests.synthesis import shed_founder
from tests.synthesis.shed_founder import Founder

SMALL = (
    *("--tools", 5, "--calls", 600, "--rounds", 6, "--start-states", 2, "--scenarios", 2, "--written", 1.0),
    *("--setting", "sessions=2", "--setting", "calls_per_turn=2", "--namespace", "toys", "--seed", 0),
)

pytestmark = pytest.mark.usefixtures("clean_registry")


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """Return a file of tasks."""
    path = tmp_path / "tasks.jsonl"
    path.write_text("\n".join(map(json.dumps, shed_founder.TASKS)))
    return path


def answer(run: Path, path: Path) -> Path:
    """Answer the requests of a run, and return the file of answers."""
    founder = Founder()
    pending = (run / "batch" / "pending.jsonl").read_bytes().splitlines()
    requests = map(CompletionRequest.model_validate_json, pending)
    lines = ({"custom_id": custom_id(request), "text": json.dumps(founder(request))} for request in requests)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_run_by_batch_files_from_the_first_request_to_the_bundle(
    cli: Cli, home: Path, tasks: Path, tmp_path: Path
) -> None:
    out = cli("synth", "--tasks", tasks, "--model", "some/model", "--batch", "--name", "shed", *SMALL, code=3).output
    run = home / "runs" / "shed"
    assert "1 requests are to be answered" in out
    assert f"envscaler synth --resume {run} --answers FILE" in out
    assert "waits for answers" in cli("runs").output
    exit_code, rounds = 3, 0
    while exit_code == 3:
        rounds += 1
        assert rounds < 30
        answers = answer(run, tmp_path / "answers.jsonl")
        result = CliRunner().invoke(app, ["synth", "--resume", "shed", "--answers", str(answers)])
        exit_code = result.exit_code
    assert exit_code == 0, result.output
    assert "toys/ToolShed-v0" in result.output
    assert (home / "envs" / "tool_shed" / "manifest.json").is_file()
    listed = json.loads(cli("runs", "--json").output)
    assert [(line["run"], line["state"], line["published"]) for line in listed] == [("shed", "finished", 1)]
    shown = cli("runs", "show", "shed").output
    assert "left out: What is the capital of Peru?" in shown
    assert "tool_shed  published" in shown
    report = json.loads(cli("runs", "show", "shed", "--json").output)["report"]
    assert report["outcomes"][0]["bundle"] == "toys/ToolShed-v0"
    assert json.loads((run / "diversity.json").read_text())["totals"]["tools"] == 5
    file = tmp_path / "shed.tar.xz"
    assert cli("runs", "pack", "shed", file).output == f"{file}: {file.stat().st_size:,} bytes\n"
    again = home / "runs" / "again"
    assert f"envscaler synth --resume {again}" in cli("runs", "unpack", file, "--name", "again").output
    assert Run(again).config == Run(run).config
    assert (again / "completions.jsonl").read_bytes() == (run / "completions.jsonl").read_bytes()


def test_answers_that_cannot_be_used_are_named(cli: Cli, home: Path, tasks: Path, tmp_path: Path) -> None:
    cli("synth", "--tasks", tasks, "--model", "m", "--batch", *SMALL, code=3)
    (tmp_path / "answers.jsonl").write_text('{"custom_id": "f00", "text": "?"}\n')
    result = cli("synth", "--resume", "run-0001", "--answers", tmp_path / "answers.jsonl", code=3)
    assert "0 answers read, 0 known, 1 missing" in result.output
    assert "is none of the 1 requests" in result.output


def test_settings_come_from_the_options(cli: Cli, home: Path, tasks: Path) -> None:
    options = ("--model", "m", "--stage-model", "code=big", "--temperature", 0.5, "--pass-rate", 0.9, "--repairs", 1)
    cli("synth", "--tasks", tasks, "--batch", *options, "--setting", "rewrite=false", "--out", "there", code=3)
    config = Run(home / "runs" / "run-0001").config
    settings = config.settings
    assert (settings.model_for("code"), settings.model_for("tasks")) == ("big", "m")
    assert (settings.temperature, settings.pass_rate, settings.repairs, settings.rewrite) == (0.5, 0.9, 1, False)
    assert config.out == str(Path("there").resolve())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "m"), "--tasks, --topics, --bundle, --resume or --demo"),
        (("--topics", "x", "--tasks", "y", "--model", "m"), "give one of them"),
        (("--topics", "x"), "ENVSCALER_MODEL"),
        (("--topics", "x", "--model", "m", "--stage-model", "code"), "NAME=VALUE"),
        (("--topics", "x", "--model", "m", "--stage-model", "cod=m"), "there is no stage"),
        (("--topics", "x", "--model", "m", "--rounds", 0), "greater than or equal to 1"),
        (("--topics", "x", "--model", "m", "--setting", "colour=red"), "colour"),
        (("--topics", "x", "--model", "m", "--name", "../x"), "made of letters"),
        (("--topics", "x", "--model", "m", "--answers", "f"), "go with --resume"),
        (("--resume", "nothing"), "There is no run"),
        (("--tasks", "/nowhere/tasks", "--model", "m"), "No such file"),
        (("--bundle", "nowhere", "--model", "m"), "There is no environment"),
    ],
)
def test_wrong_options_are_explained(cli: Cli, home: Path, arguments: tuple[str, ...], said: str) -> None:
    output = cli("synth", *arguments, "--batch", code=2).output
    assert said in " ".join(output.replace("│", " ").split())


def test_a_run_goes_on_as_it_was_begun(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVSCALER_MODEL", "from/environment")
    cli("synth", "--topics", "A tool shed", "--batch", code=3)
    output = cli("synth", "--resume", "run-0001", "--rounds", 5, "--out", "x", code=2).output
    assert "takes no rounds, out" in " ".join(output.replace("│", " ").split())
    cli("synth", "--resume", "run-0001", code=3)


def test_more_scenarios_for_a_bundle_begin_with_that_bundle(cli: Cli, home: Path) -> None:
    cli("synth", "--bundle", toys.TEA_SHOP_ID, "--scenarios", 1, "--written", 1, "--model", "m", "--batch", code=3)
    source = Run(home / "runs" / "run-0001").config.source
    assert source.kind == "bundle"
    assert source.digest == toys.tea_shop().digest


def test_without_runs_there_is_a_hint(cli: Cli, home: Path) -> None:
    assert "'envscaler synth' begins one" in cli("runs").output
    assert cli("runs", "show", "x", code=2).output.startswith("error: There is no run 'x'")


def test_the_view_shows_stages_cost_and_what_became_of_each() -> None:
    view = SynthView(Console(file=io.StringIO(), force_terminal=True, width=120), Settings(model="some/model"))
    view(Started("run", "discovery"))
    view(Answered("run", "discovery", Usage(calls=1, prompt_tokens=10)))
    view(Planned(("tea_shop", "library")))
    view(Started("tea_shop", "assessment", "gates"))
    view(Tried("tea_shop", "assessment", "calls", 500, 2000))
    view(Answered("tea_shop", "assessment", Usage(calls=1, prompt_tokens=900, completion_tokens=100, cost_usd=0.25)))
    view(Ended("library", "rejected", "It did not pass.\nAt all."))
    shown = Console(file=io.StringIO(), record=True, width=140)
    shown.print(view.render())
    text = shown.export_text()
    assert "assessment: calls 500 of 2,000" in text
    assert "1,000 tokens" in text
    assert "rejected  It did not pass." in text
    assert "some/model: 2 calls, 1,010 tokens, 0.25 USD" in text
    assert "left" in text


def test_without_a_terminal_the_view_is_lines() -> None:
    out = io.StringIO()
    with SynthView(Console(file=out, width=100), Settings(model="m")) as view:
        view(Planned(("tea_shop",)))
        view(Started("tea_shop", "code"))
        view(Started("tea_shop", "code", "assembled"))
        view(Ended("tea_shop", "published", ""))
    assert out.getvalue().splitlines() == [
        "1 environments: tea_shop",
        "tea_shop: code",
        "tea_shop: published",
    ]
