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


class LocalEngine:
    """Works in this process. See :class:`~envscaler_gym.synthesis.engines.engine.Engine`.

    Args:
        folder: Folder of the run.
        settings: What the run is asked for.
        access: How the model is reached.
    """

    def __init__(self, folder: Path, settings: Settings, access: Access) -> None:
        self._settings = settings
        self._switchboard = Switchboard(folder, access)

    def workshop(self) -> Workshop:
        """Return a workshop."""
        board = self._switchboard
        return Workshop(board, self._settings, board, board.announce)

    def start(self, jobs: Sequence[Job]) -> list[Awaitable[Produced]]:
        """Begin all pipelines."""
        return [asyncio.ensure_future(produce(self.workshop(), job)) for job in jobs]

    async def take_events(self) -> list[Event]:
        """Return what has happened since this was last asked."""
        return self._switchboard.take_events()

    async def close(self) -> tuple[Path, int] | None:
        """Close everything."""
        return await self._switchboard.close()
