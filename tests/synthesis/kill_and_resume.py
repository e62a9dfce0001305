"""Goes on with a run in one process after another, and kills each of them at a random moment but the last.

Prints how many answers were stored at each kill, and which requests were asked although their answers were stored.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from envscaler_gym.llm.model import Completion, CompletionRequest
from envscaler_gym.llm.scripted import Scripted
from envscaler_gym.llm.store import CompletionStore
from envscaler_gym.synthesis.running import run_synthesis
from envscaler_gym.synthesis.runs import Run
from envscaler_gym.synthesis.switchboard import Access
from tests.synthesis.shed_founder import Founder


class Logged:
    """A model that takes a moment, and writes down what it is asked."""

    def __init__(self, log: Path) -> None:
        self._log, self._inner = log, Scripted(Founder())

    async def complete(self, request: CompletionRequest) -> Completion:
        with self._log.open("a") as file:
            file.write(f"{request.digest}\n")
        await asyncio.sleep(0.02)
        return await self._inner.complete(request)


def main() -> None:
    folder, kills = Path(sys.argv[1]), int(sys.argv[2])
    rng, log = random.Random(7), folder.parent / "log"
    stored, repeated = [], []
    for number in range(kills + 1):
        before = set(_stored(folder))
        log.write_text("")
        child = os.fork()
        if not child:
            asyncio.run(run_synthesis(Run(folder), Access(lambda: Logged(log))))
            os._exit(0)
        if number < kills:
            _wait_for_progress(folder, log, rng.randint(1, 6), child)
            time.sleep(rng.uniform(0, 0.05))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert number < kills or status == 0, status
        repeated += sorted(before & set(log.read_text().split()))
        stored.append(len(_stored(folder)))
    sys.stdout.write(json.dumps({"killed": kills, "stored": stored, "repeated": repeated}))


def _wait_for_progress(folder: Path, log: Path, steps: int, child: int) -> None:
    """Wait until so many more requests and artefacts have been made, or the child has ended."""

    def made() -> int:
        return len(log.read_text().split()) + len(list((folder / "artefacts").glob("*.json")))

    begun = made()
    while made() < begun + steps and _lives(child):
        time.sleep(0.005)


def _lives(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _stored(folder: Path) -> list[str]:
    return [request.digest for request, _ in CompletionStore(folder / "completions.jsonl").exchanges()]


if __name__ == "__main__":
    main()
