"""Pipelines as tasks of one event loop; what computes goes to threads, and generated code to workers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path

from envscaler_gym.synthesis.events import Event
from envscaler_gym.synthesis.pipeline import Job, Produced, produce
from envscaler_gym.synthesis.settings import Settings
from envscaler_gym.synthesis.switchboard import Access, Switchboard
from envscaler_gym.synthesis.workshop import Workshop

__all__ = ["LocalEngine"]


_AT_ONCE = 8
"""Pipelines that work at a time: enough to keep a model busy, and few enough that a budget finishes some."""


class LocalEngine:
    """Works in this process. See :class:`~envscaler_gym.synthesis.engines.engine.Engine`.

    Args:
        folder: Folder of the run.
        settings: What the run is asked for.
        access: How the model is reached.
    """

    def __init__(self, folder: Path, settings: Settings, access: Access) -> None:
        self._settings = settings
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._pipelines: list[asyncio.Task[Produced]] = []
        self._switchboard = Switchboard(folder, access)

    def workshop(self) -> Workshop:
        """Return a workshop."""
        board = self._switchboard
        return Workshop(board, self._settings, board, board.announce)

    def start(self, jobs: Sequence[Job]) -> list[Awaitable[Produced]]:
        """Begin all pipelines."""
        self._pipelines = [asyncio.create_task(self._produce(job)) for job in jobs]
        return list(self._pipelines)

    async def _produce(self, job: Job) -> Produced:
        async with self._places:
            return await produce(self.workshop(), job)

    async def take_events(self) -> list[Event]:
        """Return what has happened since this was last asked."""
        return self._switchboard.take_events()

    async def close(self) -> tuple[Path, int] | None:
        """Close everything; pipelines that are not done, as after an interrupt, ask for nothing more."""
        for pipeline in self._pipelines:
            pipeline.cancel()
        await asyncio.gather(*self._pipelines, return_exceptions=True)
        return await self._switchboard.close()
