"""A run from its beginning, or from where it was left, to its report."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from envscaler_gym.bundle import Bundle, load_bundle
from envscaler_gym.errors import BundleError, RunStopped
from envscaler_gym.isolation.workers import require_workers
from envscaler_gym.llm.store import CompletionStore
from envscaler_gym.llm.usage import Usage
from envscaler_gym.registry import get_bundle
from envscaler_gym.synthesis.artefacts import Artefact, Made
from envscaler_gym.synthesis.config import BundleSource, RunConfig
from envscaler_gym.synthesis.discovery import Discovery, discover
from envscaler_gym.synthesis.diversity import diversity, draw_map
from envscaler_gym.synthesis.engines import Engine, EngineName, open_engine
from envscaler_gym.synthesis.events import Ended, Event, Finished, Planned
from envscaler_gym.synthesis.outcomes import Outcome, RunReport
from envscaler_gym.synthesis.pipeline import Job, Produced
from envscaler_gym.synthesis.publication import publish
from envscaler_gym.synthesis.runs import Run, write_durably
from envscaler_gym.synthesis.stages import STAGES, Stage
from envscaler_gym.synthesis.switchboard import Access

__all__ = ["run_synthesis"]

_PACKAGES = ("matplotlib", "ruff", "sklearn")
_POLL = 0.1  # seconds between two looks at what has happened
_ANSWERED_WRONGLY = frozenset({"malformed", "truncated", "refusal", "wrong_schema"})
"""Kinds of failures that only who reads an answer can know of; the others are recorded with it."""


async def run_synthesis(
    run: Run,
    access: Access,
    *,
    engine: EngineName = "local",
    address: str | None = None,
    watch: Callable[[Event], None] = lambda _: None,
) -> RunReport:
    """Do everything that a run was asked for and that is not done yet.

    Equal runs with equal answers come to equal bundles, however often they were interrupted and whichever engine they
    use.

    Args:
        run: The run.
        access: How the model is reached.
        engine: Where the pipelines work.
        address: Address of the Ray cluster.
        watch: Is told what happens.

    Returns:
        What became of it, which is also written to the run's folder.

    Raises:
        RunBusy: Another process works on the run.
        RunDamaged: A file of the run is not what it was.
        BundleError: The environment that is to get more scenarios has changed since the run began.
        IsolationUnavailable: This machine cannot lock workers down, so nothing that is made could be tried.
        ModuleNotFoundError: A package that synthesis needs is not installed.
    """
    _require_packages()
    require_workers()
    with run.locked():
        opened = open_engine(engine, run.folder, run.config.settings, access, address)
        account = _Account(watch)
        over = asyncio.Event()
        watching = asyncio.create_task(_watch(opened, account, over))
        try:
            report = await _run(run, opened)
        finally:
            over.set()
            await watching
            awaited = await opened.close()
        update: dict[str, object] = {"usage": account.by_stage(run.completions())}
        if awaited is not None:
            update |= {"requests": str(awaited[0]), "waiting": awaited[1]}
        report = report.model_copy(update=update)
        if report.status == "finished":
            await asyncio.to_thread(_compare, run, report.outcomes)
        run.write_report(report)
        return report


def _require_packages() -> None:
    """Find out before anything is paid for."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(f'Synthesis needs {", ".join(missing)}: pip install "envscaler-gym[synthesis]"')


async def _run(run: Run, engine: Engine) -> RunReport:
    try:
        jobs, found = await _jobs(run.config, engine)
    except RunStopped as error:
        return RunReport(status="stopped", reason=str(error))
    announce = engine.workshop().announce
    announce(Planned(tuple(job.slug for job in jobs)))
    outcomes = []
    for waiting in engine.start(jobs):
        # In the order of the environments, so that of two with one name it is always the same one that keeps it.
        outcome = await _settle(run, engine, await waiting, [found.artefact] if found else [])
        announce(Ended(outcome.subject, outcome.status, outcome.reason))
        outcomes.append(outcome)
    discovery = found.value if found else None
    unsettled = [outcome for outcome in outcomes if outcome.status in ("stopped", "failed")]
    return RunReport(
        status="stopped" if unsettled else "finished",
        reason=unsettled[0].reason if unsettled else "",
        discovery=dict(discovery.figures) if discovery else {},
        dismissed={one.what: one.reason for one in discovery.dismissed} if discovery else {},
        outcomes=tuple(outcomes),
    )


async def _jobs(config: RunConfig, engine: Engine) -> tuple[list[Job], Made[Discovery] | None]:
    source = config.source
    if isinstance(source, BundleSource):
        bundle = get_bundle(source.name)
        if bundle.digest != source.digest:
            raise BundleError(f"{bundle.id} has changed since the run began; begin a new run for it as it is now")
        return [Job(_slug(bundle), None, bundle, bundle.digest)], None
    found = await discover(engine.workshop(), source)
    return [Job(one.slug, one, None, found.digest) for one in found.value.environments], found


async def _settle(run: Run, engine: Engine, produced: Produced, origin: Sequence[Artefact]) -> Outcome:
    """Publish what came out of a pipeline, unless it is decided already that it is not.

    Args:
        run: The run.
        engine: Where it works.
        produced: What came out.
        origin: Artefacts that the pipeline was begun for.
    """
    if produced.outcome is not None:
        return produced.outcome
    assert produced.bundle is not None
    assert produced.generated is not None
    published = await publish(
        engine.workshop(),
        produced.slug,
        produced.bundle,
        produced.generated,
        (*origin, *produced.artefacts),
        answered=run.config.answered,
        assessments=produced.assessments,
        out=run.config.out_folder,
    )
    return Outcome(
        subject=produced.slug,
        status="published" if published.passed else "rejected",
        stage="publication",
        reason=published.reason or published.note,
        bundle=published.id if published.passed else "",
        path=published.path,
        figures={**(produced.figures or {}), "scenarios": published.scenarios, "digest": published.digest},
    )


def _compare(run: Run, outcomes: Iterable[Outcome]) -> None:
    """Write how different the environments of a run are from each other, in figures and, of several, as a picture."""
    bundles = [load_bundle(Path(outcome.path)) for outcome in outcomes if outcome.status == "published"]
    if bundles:
        compared = diversity(bundles)
        write_durably(run.folder / "diversity.json", compared.model_dump_json(indent=1) + "\n")
        if len(bundles) > 1:
            draw_map(compared, run.folder / "map.svg")


class _Account:
    """Passes on what happens, and keeps what was wrong with answers, once for each piece of work."""

    def __init__(self, watch: Callable[[Event], None]) -> None:
        self._watch = watch
        self._wrong: dict[str, tuple[Stage, Usage]] = {}

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Finished):
                kinds = {kind: count for kind, count in event.usage.failures.items() if kind in _ANSWERED_WRONGLY}
                self._wrong[event.key] = event.stage, Usage(failures=kinds)
            self._watch(event)

    def by_stage(self, store: CompletionStore) -> dict[str, Usage]:
        """Return what the answers came to by stage, in the order of the stages, for stages that had any."""
        parts: dict[str, list[Usage]] = {}
        for request, completion in store.exchanges():
            given = {kind: n for kind, n in completion.failures.items() if kind not in _ANSWERED_WRONGLY}
            parts.setdefault(request.purpose, []).append(Usage.of(completion).model_copy(update={"failures": given}))
        for stage, usage in self._wrong.values():
            parts.setdefault(stage, []).append(usage)
        sums = {stage: Usage.sum(parts[stage]) for stage in STAGES if stage in parts}
        return {stage: usage for stage, usage in sums.items() if usage.calls}


async def _watch(engine: Engine, account: _Account, over: asyncio.Event) -> None:
    while not over.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), _POLL)
        account.take(await engine.take_events())


def _slug(bundle: Bundle) -> str:
    return bundle.manifest.class_name.casefold()
