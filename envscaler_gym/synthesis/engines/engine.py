"""What an engine is, and how one is chosen."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Literal, Protocol, get_args

from envscaler_gym.synthesis.events import Event
from envscaler_gym.synthesis.pipeline import Job, Produced
from envscaler_gym.synthesis.settings import Settings
from envscaler_gym.synthesis.switchboard import Access
from envscaler_gym.synthesis.workshop import Workshop

__all__ = ["ENGINES", "Engine", "EngineName", "open_engine"]

EngineName = Literal["local", "ray"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)


class Engine(Protocol):
    """Where the pipelines work."""

    def workshop(self) -> Workshop:
        """Return a workshop in this process, with the engine's model and shelf."""
        ...

    def start(self, jobs: Sequence[Job]) -> list[Awaitable[Produced]]:
        """Begin all pipelines, and return what comes out of each, in order."""
        ...

    async def take_events(self) -> list[Event]:
        """Return what has happened since this was last asked."""
        ...

    async def close(self) -> tuple[Path, int] | None:
        """Close everything; returns the file of requests that are to be answered, and their number."""
        ...


def open_engine(
    name: EngineName, folder: Path, settings: Settings, access: Access, address: str | None = None
) -> Engine:
    """Open an engine.

    Args:
        name: Which one.
        folder: Folder of the run.
        settings: What the run is asked for.
        access: How the model is reached.
        address: Address of the Ray cluster; ``None`` for one of this machine's own.

    Raises:
        ModuleNotFoundError: Ray is asked for, and not installed.
    """
    if name == "ray":
        from envscaler_gym.synthesis.engines.ray import RayEngine  # noqa: PLC0415 - an extra, and slow to import

        return RayEngine(folder, settings, access, address)
    from envscaler_gym.synthesis.engines.local import LocalEngine  # noqa: PLC0415 - only the chosen one

    return LocalEngine(folder, settings, access)
