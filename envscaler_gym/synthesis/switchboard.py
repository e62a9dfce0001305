"""The one place of a run that reaches the model and the run's folder, wherever the stages work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from envscaler_gym.llm.batch import BatchFile
from envscaler_gym.llm.budget import Budget
from envscaler_gym.llm.model import Completion, CompletionRequest, LanguageModel
from envscaler_gym.llm.recorded import Recorded
from envscaler_gym.synthesis.artefacts import Artefact
from envscaler_gym.synthesis.events import Event
from envscaler_gym.synthesis.runs import Run

__all__ = ["Access", "Switchboard"]


@dataclass(frozen=True, slots=True)
class Access:
    """How the model is reached. What a run comes to does not depend on it; it can be sent to another process.

    Attributes:
        open: Makes the model; ``None`` to answer from recorded completions alone.
        batch: Write requests to a file instead of asking a model.
        budget_usd: Most US dollars that the run may cost, those of earlier processes included.
        max_calls: Most requests that may be answered, likewise.
    """

    open: Callable[[], LanguageModel] | None = None
    batch: bool = False
    budget_usd: float | None = None
    max_calls: int | None = None


class Switchboard:
    """Reaches the model, the completions and the artefacts of a run. One process has it at a time.

    Args:
        folder: Folder of the run.
        access: How the model is reached.
    """

    def __init__(self, folder: Path, access: Access) -> None:
        run = Run(folder)
        self._store = run.completions()
        self._shelf = run.shelf()
        self._batch = BatchFile(run.batch_folder) if access.batch else None
        self._opened = access.open() if access.open is not None and not access.batch else None
        inner: LanguageModel | None = self._batch or self._opened
        if inner is not None:
            inner = Budget(inner, usd=access.budget_usd, calls=access.max_calls, store=self._store)
        self._model = Recorded(self._store, inner)
        self._events: list[Event] = []

    async def complete(self, request: CompletionRequest) -> Completion:
        """Answer a request; the answer is on disk when this returns."""
        return await self._model.complete(request)

    async def find(self, key: str) -> Artefact | None:
        """Return an artefact from the shelf."""
        return await self._shelf.find(key)

    async def keep(self, artefact: Artefact) -> None:
        """Put an artefact on the shelf."""
        await self._shelf.keep(artefact)

    def announce(self, event: Event) -> None:
        """Take note of what happens, until :meth:`take_events`."""
        self._events.append(event)

    def take_events(self) -> list[Event]:
        """Return what has happened since this was last asked."""
        events, self._events = self._events, []
        return events

    async def close(self) -> tuple[Path, int] | None:
        """Wait for calls that are on their way, and close what is open.

        Returns:
            The file of requests that are to be answered, and their number; ``None`` where there are none.
        """
        await self._model.__aexit__(None, None, None)
        self._store.close()
        closing = getattr(self._opened, "aclose", None)
        if closing is not None:
            await closing()
        if self._batch is None or not self._batch.pending:
            return None
        return self._batch.write(), len(self._batch.pending)
