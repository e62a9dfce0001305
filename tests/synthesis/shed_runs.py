"""Runs of the tool shed, as tests begin them and carry them out."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from envscaler_gym.llm.scripted import Scripted
from envscaler_gym.synthesis.config import RunConfig, Source, TasksSource
from envscaler_gym.synthesis.outcomes import RunReport
from envscaler_gym.synthesis.running import run_synthesis
from envscaler_gym.synthesis.runs import Run, create_run
from envscaler_gym.synthesis.switchboard import Access
from tests.synthesis import shed_founder
from tests.synthesis.shed_founder import Founder


def begin(
    folder: Path, name: str = "run", *, source: Source | None = None, batch: bool = False, **settings: Any
) -> Run:
    """Begin a run whose bundles go to a folder of its own."""
    config = RunConfig(
        version="0",
        settings=shed_founder.settings(**settings),
        source=source or TasksSource(tasks=shed_founder.TASKS),
        batch=batch,
        out=str(folder / "out" / name),
    )
    return create_run(config, folder / "runs", name)


def scripted() -> Scripted:
    """Return the model, in the process that asks it."""
    return Scripted(Founder())


def carry_out(run: Run, founder: Founder | None = None, **options: Any) -> tuple[RunReport, Scripted]:
    """Do what a run was asked for with a scripted model, and return the report and the model."""
    model = Scripted(founder or Founder())
    limits = {name: options.pop(name) for name in ("budget_usd", "max_calls") if name in options}
    access = Access(partial(_itself, model), **limits)
    return asyncio.run(run_synthesis(run, access, **options)), model


def _itself(model: Scripted) -> Scripted:
    return model


def files_of(run: Run) -> dict[str, bytes]:
    """Return all files that a run has published, by path."""
    out = Path(run.config.out or "")
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
