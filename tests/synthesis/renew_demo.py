"""Records the demo anew after a prompt, schema or stage has changed: ``python -m tests.synthesis.renew_demo FOLDER``.

Requests that are new are answered as those of the old recording that say nearly the same. What is then still without an
answer stands in ``FOLDER/runs/demo/batch/requests.jsonl``; ``envscaler synth --resume FOLDER/runs/demo --answers FILE``
takes the answers, and this goes on from there when it is called again. Look at the difference before it is committed.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections import Counter
from pathlib import Path

from envscaler_gym.llm.model import Completion, CompletionRequest
from envscaler_gym.llm.store import CompletionStore
from envscaler_gym.synthesis.config import RunConfig
from envscaler_gym.synthesis.demo import demo
from envscaler_gym.synthesis.running import run_synthesis
from envscaler_gym.synthesis.runs import Run, create_run
from envscaler_gym.synthesis.switchboard import Access

ALIKE = 0.8
"""Share of words in common from which on two messages say nearly the same."""
ALIKE_SAID_AGAIN = 0.97
"""The same for requests that are to be said again, since the answer depends on every word."""


def nearest(request: CompletionRequest, store: CompletionStore) -> Completion | None:
    """Return the answer to the recorded request of the same kind that is most like a request, or ``None``."""
    found = [
        (sum(alike), completion)
        for recorded, completion in store.exchanges()
        if _kind(recorded) == _kind(request)
        and min(alike := likeness(recorded, request)) >= ALIKE
        and alike[-1] >= (ALIKE_SAID_AGAIN if _kind(request)[0] == "Rewording" else ALIKE)
    ]
    return max(found, key=lambda each: each[0])[1] if found else None


def likeness(one: CompletionRequest, other: CompletionRequest) -> list[float]:
    """Return the share of words in common, 0 to 1, of each message with the one in its place."""
    return [_common(a.content, b.content) for a, b in zip(one.messages, other.messages, strict=True)]


def renew(folder: Path) -> Path | None:
    """Carry out the run of the demo as far as its recording reaches.

    Args:
        folder: Folder of the run and of its bundle, which go on from where they are.

    Returns:
        The new recording; ``None`` where requests are left that nothing like is recorded of.
    """
    run = _run(folder)
    recorded = CompletionStore(demo.COMPLETIONS)
    while True:
        report = asyncio.run(run_synthesis(run, Access(batch=True)))
        if report.status == "finished" and all(outcome.status == "published" for outcome in report.outcomes):
            return run.folder / "completions.jsonl"
        if not report.waiting:
            raise RuntimeError(f"{run.folder}: {report.reason or report.outcomes}")
        lines = (run.batch_folder / "pending.jsonl").read_bytes().splitlines()
        pending = list(map(CompletionRequest.model_validate_json, lines))
        answers = [(request, answer) for request in pending if (answer := nearest(request, recorded)) is not None]
        if not answers:
            return None
        store = run.completions()
        for request, answer in answers:
            store.put(request, answer)
        store.close()


def _run(folder: Path) -> Run:
    if (folder / "runs" / "demo" / "run.json").exists():
        return Run(folder / "runs" / "demo")
    config = RunConfig.model_validate_json(demo.CONFIG.read_bytes())
    return create_run(config.model_copy(update={"out": str(folder.resolve() / "out")}), folder / "runs", "demo")


def _kind(request: CompletionRequest) -> tuple[str, int, int]:
    return str((request.response_schema or {})["title"]), len(request.messages), request.attempt


def _common(one: str, other: str) -> float:
    words, others = Counter(re.findall(r"\w+", one)), Counter(re.findall(r"\w+", other))
    return (words & others).total() / max((words | others).total(), 1)


if __name__ == "__main__":
    renewed = renew(Path(sys.argv[1]))
    if renewed is None:
        raise SystemExit(f"requests are left: {sys.argv[1]}/runs/demo/batch/requests.jsonl")
    shutil.copyfile(renewed, demo.COMPLETIONS)
