"""How the recorded run is carried out again."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from envscaler_gym import __version__
from envscaler_gym.errors import EnvScalerError
from envscaler_gym.synthesis.config import RunConfig
from envscaler_gym.synthesis.engines import EngineName
from envscaler_gym.synthesis.events import Event
from envscaler_gym.synthesis.running import run_synthesis
from envscaler_gym.synthesis.runs import Run, create_run
from envscaler_gym.synthesis.switchboard import Access

__all__ = ["create_demo_run", "run_demo"]

CONFIG = Path(__file__).with_name("run.json")
COMPLETIONS = Path(__file__).with_name("completions.jsonl")


def create_demo_run(runs: Path, out: Path | None = None, name: str | None = None) -> Run:
    """Make a run that has all of its answers already and none of its results.

    Args:
        runs: Folder of the runs.
        out: Folder for the bundle; ``None`` for the user's own, where ``gym.make`` finds it.
        name: The run's name; the next free number where none is given.

    Raises:
        ValueError: The name is taken, or cannot be one.
    """
    recorded = RunConfig.model_validate_json(CONFIG.read_bytes())
    where = None if out is None else str(out.resolve())
    run = create_run(recorded.model_copy(update={"version": __version__, "out": where}), runs, name)
    shutil.copyfile(COMPLETIONS, run.folder / "completions.jsonl")
    return run


def run_demo(
    out: Path,
    *,
    engine: EngineName = "local",
    address: str | None = None,
    on_event: Callable[[Event], None] = lambda _: None,
) -> Path:
    """Make the environment of the demo: every stage of synthesis, offline, in a run that is not kept.

    Args:
        out: Folder for the bundle.
        engine: Where the pipeline works.
        address: Address of the Ray cluster.
        on_event: Is told what happens.

    Returns:
        The bundle's folder. What is in it is the same each time.

    Raises:
        EnvScalerError: It was not published; the message says why.
    """
    with tempfile.TemporaryDirectory(prefix="envscaler-demo-") as folder:
        run = create_demo_run(Path(folder), out)
        report = asyncio.run(run_synthesis(run, Access(), engine=engine, address=address, watch=on_event))
    for outcome in report.outcomes:
        if outcome.status == "published":
            return Path(outcome.path)
    reasons = "; ".join(outcome.reason for outcome in report.outcomes)
    raise EnvScalerError(f"the demo's environment was not published: {reasons or report.reason}")
