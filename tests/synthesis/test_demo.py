"""The demo: a whole run over recorded answers, with the same bundle each time, wherever it runs."""

from __future__ import annotations

import importlib.util
import json
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from envscaler_gym.bundle import Bundle, load_bundle
from envscaler_gym.cli import app
from envscaler_gym.env import ToolEnv
from envscaler_gym.errors import EnvScalerError
from envscaler_gym.llm.store import CompletionStore
from envscaler_gym.rollout import NoopPolicy, ReferencePolicy, run_episode
from envscaler_gym.synthesis.demo import create_demo_run, demo, run_demo
from envscaler_gym.synthesis.events import Event, Finished
from envscaler_gym.synthesis.stages import STAGES
from tests.synthesis import demo_page, renew_demo

MOST_BYTES = 1_500_000


class Made(NamedTuple):
    """What a demo came to: the bundle's folder, and what happened on the way."""

    path: Path
    events: list[Event]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return what the demo makes."""
    events: list[Event] = []
    return Made(run_demo(tmp_path_factory.mktemp("demo"), on_event=events.append), events)


@pytest.fixture(scope="module")
def bundle(made: Made) -> Bundle:
    """Return the demo's bundle."""
    return load_bundle(made.path)


@pytest.fixture(scope="module")
def store() -> CompletionStore:
    """Return the recorded answers."""
    return CompletionStore(demo.COMPLETIONS)


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of a bundle by path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_it_goes_through_every_stage(made: Made) -> None:
    assert {event.stage for event in made.events if isinstance(event, Finished)} == set(STAGES)


def test_it_is_an_environment_worth_showing(bundle: Bundle) -> None:
    manifest, scenarios = bundle.manifest, bundle.scenarios.values()
    assert len(manifest.entities) == 5
    assert len(manifest.tools) == 14
    assert len(manifest.rules) == 10
    grown = [scenario for scenario in scenarios if scenario.id.startswith("grown-")]
    assert (len(scenarios), len(grown)) == (12, 8)
    assert {scenario.difficulty for scenario in scenarios} == {"easy", "medium", "hard", "expert"}
    assert {scenario.split for scenario in scenarios} == {"train", "test"}
    assert manifest.quality is not None
    assert manifest.quality.passed
    assert manifest.graph is not None


def test_it_says_how_its_answers_came_about(bundle: Bundle, store: CompletionStore) -> None:
    synthesis = bundle.manifest.synthesis
    assert bundle.manifest.provenance.method == "synthesized"
    assert synthesis is not None
    assert synthesis.answered == "from files of answers to batches of requests"
    assert set(synthesis.models.values()) == {"batch-file"}
    assert {completion.model for _, completion in store.exchanges()} == {""}


def test_every_recorded_answer_is_used(bundle: Bundle, store: CompletionStore) -> None:
    synthesis = bundle.manifest.synthesis
    assert synthesis is not None
    assert synthesis.calls == len(store)
    assert demo.COMPLETIONS.stat().st_size < MOST_BYTES


def test_answers_were_corrected_and_checks_mended_on_the_way(store: CompletionStore) -> None:
    asked = Counter(
        (request.response_schema or {})["title"]
        for request, _ in store.exchanges()
        if len(request.messages) == 4 and "That cannot be used yet" in request.messages[-1].content
    )
    assert asked == {"Helpers": 1}
    assert "CheckChanges" in {(request.response_schema or {})["title"] for request, _ in store.exchanges()}


def test_its_reference_solutions_earn_everything_and_doing_nothing_earns_nothing(made: Made, bundle: Bundle) -> None:
    with closing(ToolEnv(str(made.path))) as env:
        for policy, wanted in ((ReferencePolicy(), 1.0), (NoopPolicy(), 0.0)):
            for scenario in bundle.scenarios:
                result = run_episode(env, policy, seed=0, options={"scenario": scenario})
                assert (scenario, result.reward) == (scenario, wanted)


def test_the_command_in_another_process_makes_the_same_bundle_and_plays_in_it(
    made: Made, tmp_path: Path, run_python: Callable[..., str]
) -> None:
    code = "import sys; from envscaler_gym.cli import main; sys.argv = ['envscaler', 'synth', '--demo']; main()"
    out = run_python(code, ENVSCALER_HOME=str(tmp_path), PYTHONHASHSEED="7")
    assert files(tmp_path / "envs" / made.path.name) == files(made.path)
    assert "An episode in it" in out
    assert "reward 1  (4 of 4 checks)" in out
    code = "import gymnasium as gym, envscaler_gym; print(gym.make('synthesized/TelescopeTime-v0').reset(seed=0)[0])"
    tasks = {scenario.task for scenario in load_bundle(made.path).scenarios.values()}
    assert run_python(code, ENVSCALER_HOME=str(tmp_path)).strip() in tasks


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.enable_socket
def test_ray_makes_the_same_bundle(made: Made, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        import ray

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
        request.addfinalizer(ray.shutdown)
        path = run_demo(tmp_path, engine="ray")
    assert files(path) == files(made.path)


def test_an_answer_that_is_missing_is_said_and_no_model_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = demo.COMPLETIONS.read_text("utf-8").splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if '"purpose":"skeleton"' in line)
    short = tmp_path / "short.jsonl"
    short.write_text("".join(lines[:last]), "utf-8")
    monkeypatch.setattr(demo, "COMPLETIONS", short)
    with pytest.raises(EnvScalerError, match=r"was not published: .* holds no answer to request"):
        run_demo(tmp_path / "out")


def test_the_page_about_it_shows_what_it_does(bundle: Bundle) -> None:
    assert demo_page.page(bundle) == demo_page.PAGE.read_text("utf-8"), "python -m tests.synthesis.demo_page writes it"


def test_its_run_can_be_kept(tmp_path: Path) -> None:
    run = create_demo_run(tmp_path / "runs", tmp_path / "out", "demo")
    assert (run.name, run.config.out, run.config.batch) == ("demo", str(tmp_path / "out"), True)
    assert json.loads(demo.CONFIG.read_text("utf-8"))["out"] is None
    with pytest.raises(ValueError, match="there is a run of that name"):
        create_demo_run(tmp_path / "runs", None, "demo")


@pytest.mark.parametrize("option", ["--tools=5", "--topics=Zoo", "--resume=run-0001", "--batch"])
def test_the_command_takes_nothing_that_would_make_it_another_run(option: str) -> None:
    result = CliRunner().invoke(app, ["synth", "--demo", option], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert f"so it takes no {option[2:].partition('=')[0]}" in result.output


def test_a_recording_answers_what_is_worded_a_little_differently(store: CompletionStore) -> None:
    for request, completion in store.exchanges():
        first, *others = request.messages
        changed = first.model_copy(update={"content": f"{first.content}\nMind the spelling of names."})
        assert renew_demo.nearest(request.model_copy(update={"messages": (changed, *others)}), store) == completion
        unlike = request.messages[-1].model_copy(update={"content": "What is the capital of Peru?"})
        strange = request.model_copy(update={"messages": (*request.messages[:-1], unlike)})
        assert renew_demo.nearest(strange, store) is None
