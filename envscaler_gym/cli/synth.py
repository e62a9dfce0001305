"""``envscaler synth``: new environments and scenarios, made by models and proven by gates."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from envscaler_gym import __version__, registry
from envscaler_gym.cli.console import stderr, stdout, text
from envscaler_gym.cli.options import RunsDir
from envscaler_gym.errors import EnvScalerError

if TYPE_CHECKING:  # synthesis is imported by the command alone
    from envscaler_gym.synthesis.config import Source
    from envscaler_gym.synthesis.outcomes import RunReport
    from envscaler_gym.synthesis.runs import Run
    from envscaler_gym.synthesis.switchboard import Access

__all__ = ["synth"]

STOPPED = 3
"""Exit code of a run that is to be resumed."""

_MODEL = "ENVSCALER_MODEL"
_FROM = "What to start from"
_MODELS = "Models"
_SIZE = "How much is made, and what must hold of it"
_WORK = "How it is done"
_RUN = "The run"


def synth(
    tasks: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Tasks of users, a JSON value a line.", rich_help_panel=_FROM),
    ] = None,
    topics: Annotated[
        str | None,
        typer.Option(metavar="FILE|TEXT", help="Topics, one a line, or one as a text.", rich_help_panel=_FROM),
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="An environment that is to get more scenarios.", rich_help_panel=_FROM),
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with a run, by name or path.", rich_help_panel=_FROM)
    ] = None,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="A whole run over recorded answers, and an episode.", rich_help_panel=_FROM),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(envvar=_MODEL, help="Name of the model, as litellm takes it.", rich_help_panel=_MODELS),
    ] = None,
    stage_model: Annotated[
        list[str] | None,
        typer.Option(metavar="STAGE=MODEL", help="Another model for a stage; repeatable.", rich_help_panel=_MODELS),
    ] = None,
    temperature: Annotated[float | None, typer.Option(rich_help_panel=_MODELS)] = None,
    embedding_model: Annotated[
        str | None,
        typer.Option(help="Compares descriptions; without it, character n-grams do.", rich_help_panel=_MODELS),
    ] = None,
    api_base: Annotated[
        str | None, typer.Option(metavar="URL", help="Address of a server of your own.", rich_help_panel=_MODELS)
    ] = None,
    environments: Annotated[int | None, typer.Option(help="Most environments.", rich_help_panel=_SIZE)] = None,
    usefulness: Annotated[int | None, typer.Option(help="Least usefulness, 1-10 [6].", rich_help_panel=_SIZE)] = None,
    modelability: Annotated[
        int | None, typer.Option(help="Least modelability, 1-10 [6].", rich_help_panel=_SIZE)
    ] = None,
    similarity: Annotated[
        float | None, typer.Option(help="From where descriptions count as the same [0.6].", rich_help_panel=_SIZE)
    ] = None,
    tools: Annotated[
        int | None, typer.Option(help="Tools of an environment, about [18].", rich_help_panel=_SIZE)
    ] = None,
    start_states: Annotated[int | None, typer.Option(help="Start states of each [4].", rich_help_panel=_SIZE)] = None,
    scenarios: Annotated[int | None, typer.Option(help="Scenarios of each [24].", rich_help_panel=_SIZE)] = None,
    written: Annotated[
        float | None, typer.Option(help="Share of them that a model writes [0.5].", rich_help_panel=_SIZE)
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds of assessment [100].", rich_help_panel=_SIZE)] = None,
    pass_rate: Annotated[
        float | None, typer.Option(help="Least share of them that pass [0.85].", rich_help_panel=_SIZE)
    ] = None,
    repairs: Annotated[int | None, typer.Option(help="Most repairs of the code [3].", rich_help_panel=_SIZE)] = None,
    solver_tries: Annotated[
        int | None, typer.Option(help="Tries at a written task [3].", rich_help_panel=_SIZE)
    ] = None,
    calls: Annotated[
        int | None, typer.Option(help="Generated calls of the gates [20000].", rich_help_panel=_SIZE)
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of what is drawn [0].", rich_help_panel=_SIZE)] = None,
    namespace: Annotated[str | None, typer.Option(help="Namespace of the ids.", rich_help_panel=_SIZE)] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Any other setting; repeatable.", rich_help_panel=_SIZE),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Most requests at once.", rich_help_panel=_WORK)] = 16,
    timeout: Annotated[float, typer.Option(help="Seconds for one request.", rich_help_panel=_WORK)] = 600.0,
    budget_usd: Annotated[float | None, typer.Option(help="Most US dollars.", rich_help_panel=_WORK)] = None,
    max_calls: Annotated[int | None, typer.Option(help="Most answers.", rich_help_panel=_WORK)] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Write requests to a file instead of sending them.", rich_help_panel=_WORK)
    ] = False,
    answers: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Answers to a batch file, with --resume.", rich_help_panel=_WORK),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Where the pipelines work.", rich_help_panel=_WORK)
    ] = "local",
    ray_address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Ray cluster to use.", rich_help_panel=_WORK)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the bundles; your own one by default.", rich_help_panel=_RUN),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run.", rich_help_panel=_RUN)] = None,
    runs_dir: RunsDir = None,
) -> None:
    """Make environments from tasks or topics, or more scenarios for one that exists.

    The exit code is 1 where nothing was published, and 3 where there is more to do: resume the run.
    """
    settings = {
        "model": model,
        "temperature": temperature,
        "embedding_model": embedding_model,
        "environments": environments,
        "usefulness": usefulness,
        "modelability": modelability,
        "similarity": similarity,
        "tools": tools,
        "start_states": start_states,
        "scenarios": scenarios,
        "written": written,
        "rounds": rounds,
        "pass_rate": pass_rate,
        "repairs": repairs,
        "solver_tries": solver_tries,
        "gate_calls": calls,
        "seed": seed,
        "namespace": namespace,
    }
    given: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    given |= {name: _value(value) for name, value in map(_pair, setting or ())}
    given |= {"stage_models": dict(map(_pair, stage_model))} if stage_model else {}
    sources = {"tasks": tasks, "topics": topics, "bundle": bundle}
    if demo:
        run, access = _demo_run(
            given | sources | {"resume": resume, "batch": batch or None, "answers": answers}, name, out, runs_dir
        )
    else:
        if resume is not None:
            run = _resumed(resume, runs_dir, given | sources | {"out": out, "name": name}, answers, batch=batch)
        else:
            run = _begun(given, sources, name, runs_dir, batch=batch, out=out, answers=answers)
        access = _access(run, concurrency, timeout, api_base, budget_usd, max_calls)
    report = _carry_out(run, access, engine, ray_address)
    _print_report(run, report)
    if report.status == "stopped":
        raise typer.Exit(STOPPED)
    if not any(outcome.status == "published" for outcome in report.outcomes):
        raise typer.Exit(1)
    if demo:
        from envscaler_gym.cli.demo import play_made  # noqa: PLC0415

        play_made(stdout(), Path(report.outcomes[0].path))


def _demo_run(
    given: Mapping[str, Any], name: str | None, out: Path | None, runs_dir: Path | None
) -> tuple[Run, Access]:
    """Return a new run over the recorded answers, which reaches no model."""
    from envscaler_gym.synthesis import runs  # noqa: PLC0415
    from envscaler_gym.synthesis.demo import create_demo_run  # noqa: PLC0415
    from envscaler_gym.synthesis.switchboard import Access  # noqa: PLC0415

    _nothing_else(given, "--demo", "repeats a run as it was recorded")
    folder = runs.runs_folder() if runs_dir is None else runs_dir
    try:
        return create_demo_run(folder, out, name), Access()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--name") from None


def _nothing_else(given: Mapping[str, Any], option: str, what: str) -> None:
    """Refuse options that go with a new run of one's own."""
    fixed = [name for name, value in given.items() if value is not None and value != os.environ.get(_MODEL)]
    if fixed:
        raise typer.BadParameter(f"{what}, so it takes no {', '.join(fixed)}", param_hint=option)


def _resumed(
    name: str, runs_dir: Path | None, given: Mapping[str, Any], answers: list[Path] | None, *, batch: bool
) -> Run:
    """Return a run that goes on, with the answers that were given to it."""
    from envscaler_gym.synthesis import runs  # noqa: PLC0415 - synthesis is imported by its own commands alone

    _nothing_else(given, "--resume", "goes on with a run as it was begun")
    run = runs.find_run(name, runs.runs_folder() if runs_dir is None else runs_dir)
    if (answers or batch) and not run.config.batch:
        raise typer.BadParameter(f"run {run.name} asks its models itself", param_hint="--batch, --answers")
    if answers:
        _read_answers(run, answers)
    return run


def _begun(
    given: Mapping[str, Any],
    sources: Mapping[str, Any],
    name: str | None,
    runs_dir: Path | None,
    *,
    batch: bool,
    out: Path | None,
    answers: list[Path] | None,
) -> Run:
    """Return a new run."""
    from pydantic import ValidationError  # noqa: PLC0415

    from envscaler_gym.bundle import explain_validation  # noqa: PLC0415
    from envscaler_gym.synthesis import runs  # noqa: PLC0415
    from envscaler_gym.synthesis.config import RunConfig  # noqa: PLC0415
    from envscaler_gym.synthesis.settings import Settings  # noqa: PLC0415

    if answers:
        raise typer.BadParameter("go with --resume", param_hint="--answers")
    if sum(source is not None for source in sources.values()) != 1:
        raise typer.BadParameter("give one of them", param_hint="--tasks, --topics, --bundle, --resume or --demo")
    if "model" not in given:
        raise typer.BadParameter(f"is needed, or the variable {_MODEL}", param_hint="--model")
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        raise typer.BadParameter(explain_validation(error)) from None
    config = RunConfig(
        version=__version__,
        settings=settings,
        source=_source(**sources),
        batch=batch,
        out=None if out is None else str(out.resolve()),
    )
    try:
        return runs.create_run(config, runs.runs_folder() if runs_dir is None else runs_dir, name)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--name") from None


def _source(tasks: Path | None, topics: str | None, bundle: str | None) -> Source:
    from envscaler_gym.synthesis.config import BundleSource  # noqa: PLC0415
    from envscaler_gym.synthesis.inputs import read_tasks, read_topics  # noqa: PLC0415

    if tasks is not None:
        return read_tasks(tasks)
    if topics is not None:
        return read_topics(topics)
    found = registry.get_bundle(bundle or "")
    return BundleSource(name=str(found.path), digest=found.digest)


def _pair(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not (name and equals and value):
        raise typer.BadParameter(f"must be of the form NAME=VALUE, got {item!r}")
    return name, value


def _value(written: str) -> Any:
    try:
        return json.loads(written)
    except ValueError:
        return written


def _read_answers(run: Run, files: list[Path]) -> None:
    """Put answers into a run's store, and say what became of them."""
    from envscaler_gym.llm.batch import read_answers  # noqa: PLC0415

    with run.locked():
        store = run.completions()
        for path in files:
            read = read_answers(path, run.batch_folder, store)
            console = stderr()
            counts = f"{path}: {read.stored} answers read, {read.known} known, {read.missing} missing"
            console.print(text(counts), soft_wrap=True)
            for problem in read.problems:
                console.print(text(f"  {problem}", "yellow"), soft_wrap=True)
        store.close()


def _access(
    run: Run,
    concurrency: int,
    timeout: float,
    api_base: str | None,
    budget_usd: float | None,
    max_calls: int | None,
) -> Access:
    from envscaler_gym.llm.litellm_model import LiteLLM  # noqa: PLC0415
    from envscaler_gym.synthesis.switchboard import Access  # noqa: PLC0415

    reach = partial(LiteLLM, concurrency=concurrency, timeout=timeout, api_base=api_base)
    return Access(None if run.config.batch else reach, run.config.batch, budget_usd, max_calls)


def _carry_out(run: Run, access: Access, engine: Literal["local", "ray"], address: str | None) -> RunReport:
    from envscaler_gym.cli.synth_view import SynthView  # noqa: PLC0415
    from envscaler_gym.synthesis.running import run_synthesis  # noqa: PLC0415

    console = stderr()
    console.print(text(f"run {run.name}  {run.folder}", "dim"), soft_wrap=True)
    with SynthView(console, run.config.settings) as view:
        try:
            return asyncio.run(run_synthesis(run, access, engine=engine, address=address, watch=view))
        except KeyboardInterrupt:
            message = f"interrupted; nothing is lost: envscaler synth --resume {run.folder}"
        except ModuleNotFoundError as error:
            raise EnvScalerError(str(error)) from error
    console.print(text(message, "yellow"), soft_wrap=True)
    raise typer.Exit(130)


def _print_report(run: Run, report: RunReport) -> None:
    from envscaler_gym.cli.runs import print_run  # noqa: PLC0415

    print_run(stdout(), run, report)
