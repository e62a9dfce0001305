"""The runs behind the environments that come with the library, and how they are carried out again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from envscaler_gym.bundle import Bundle
from envscaler_gym.llm.recorded import Recorded
from envscaler_gym.llm.store import CompletionStore
from envscaler_gym.registry import SHIPPED
from envscaler_gym.scenario import Scenario
from envscaler_gym.synthesis.artefacts import MemoryShelf
from envscaler_gym.synthesis.packing import unpack_run
from envscaler_gym.synthesis.running import run_synthesis
from envscaler_gym.synthesis.runs import Run
from envscaler_gym.synthesis.scenarios import generate_scenarios
from envscaler_gym.synthesis.skeleton import Skeleton
from envscaler_gym.synthesis.switchboard import Access
from envscaler_gym.synthesis.workshop import Workshop

RUNS = SHIPPED / "_runs"
NAMES = sorted(path.name.removesuffix(".tar.xz") for path in RUNS.glob("*.tar.xz"))


def unpacked(name: str, folder: Path) -> Run:
    """Return the run of an environment, whose bundle will lie in ``folder / "out"``."""
    return unpack_run(RUNS / f"{name}.tar.xz", folder / "runs", name, folder / "out")


def carried_out(name: str, folder: Path) -> Path:
    """Carry a run out from its beginning, and return the folder of its bundle."""
    report = asyncio.run(run_synthesis(unpacked(name, folder), Access()))
    (outcome,) = report.outcomes
    assert outcome.status == "published", outcome.reason
    return Path(outcome.path)


def scenarios_again(bundle: Bundle, run: Run) -> Mapping[str, Scenario]:
    """Return the scenarios that the last stages of a run make for its environment, the final gates left out."""
    store = run.completions()
    bare = replace(bundle, start_states={}, scenarios={}, path=None)
    shop = Workshop(Recorded(store), run.config.settings, MemoryShelf())
    skeleton = Skeleton.model_validate(json.loads(_answer(store, "Skeleton")))
    comparisons = {
        entity.name: {attribute.name: attribute.comparison for attribute in entity.attributes}
        for entity in skeleton.entities
    }
    return asyncio.run(generate_scenarios(shop, run.name, bare, comparisons)).scenarios


def _answer(store: CompletionStore, title: str) -> str:
    """Return the last answer of a kind; what was sent back comes before."""
    return [
        completion.text
        for request, completion in store.exchanges()
        if (request.response_schema or {}).get("title") == title
    ][-1]
