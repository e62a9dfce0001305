"""The episodes of a server: one for each session, opened when its client first comes, and closed when it goes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import anyio
import anyio.to_thread

from envscaler_gym.errors import EnvScalerError, shorten
from envscaler_gym.integrations.sessions import Reply, ToolSession
from envscaler_gym.types import JSON

__all__ = ["CHOICES", "Episodes", "HeldSession", "Key", "SessionsTaken"]

CHOICES = ("scenario", "difficulty", "environment", "seed")
"""What a client may choose."""

Key = tuple[int, str]
"""Number of the connection (or server of many), and the session's name there."""

_logger = logging.getLogger("envscaler_gym")


class SessionsTaken(EnvScalerError):
    """As many episodes are under way as there may be."""


@dataclass
class HeldSession:
    """A client's session. Its calls run in threads, one after the other.

    Attributes:
        session: The episode.
        wishes: What its client chose.
        used: When it was last asked for anything, on the monotonic clock, in seconds.
    """

    session: ToolSession
    wishes: Mapping[str, str]
    used: float
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def call(self, name: str, arguments: Mapping[str, JSON]) -> tuple[Reply, bool]:
        """Call a tool, and return the reply and whether the episode has ended with it."""
        async with self._lock:
            was_running = self.session.running
            reply = await anyio.to_thread.run_sync(self.session.call, name, arguments)
            ends = was_running and reply.ended
            if ends:  # its worker is not kept for a client that only reads on
                await anyio.to_thread.run_sync(self.session.close)
            self.used = time.monotonic()
        return reply, ends

    async def close(self) -> None:
        """End the episode, if it is under way, and close the environment."""
        async with self._lock:
            await anyio.to_thread.run_sync(_leave, self.session)


class Episodes:
    """The sessions of a server, by key.

    Args:
        make: Makes a session.
        scenario: Id of the scenario that all sessions play; ``None``: one that is drawn, or chosen.
        seed: Seed of the first session's episode; each later one has the next.
        max_sessions: Most episodes under way at once.
        idle_seconds: Seconds without a request after which a session is closed.
    """

    def __init__(
        self,
        make: Callable[[], ToolSession],
        scenario: str | None,
        seed: int,
        max_sessions: int,
        idle_seconds: float,
    ) -> None:
        self._make = make
        self._scenario = scenario
        self._next_seed = seed
        self._max_sessions = max_sessions
        self._idle_seconds = idle_seconds
        self._held: dict[Key, HeldSession] = {}
        self._opening = anyio.Lock()

    async def get(self, key: Key, wishes: Mapping[str, str]) -> HeldSession:
        """Return a session; one that is new is opened as its client wishes.

        Raises:
            SessionsTaken: There are too many.
            EnvScalerError: The episode cannot be started, or the client wishes for what is not offered here.
            ValueError: A wish is unknown or malformed.
        """
        async with self._opening:
            held = self._held.get(key)
            if held is None:
                if sum(other.session.running for other in self._held.values()) >= self._max_sessions:
                    raise SessionsTaken(f"All {self._max_sessions} sessions are taken. Finish one, or try again later.")
                seed, options = self._choose(wishes)
                session = await anyio.to_thread.run_sync(_begin, self._make, seed, options)
                held = self._held[key] = HeldSession(session, dict(wishes), time.monotonic())
                self._next_seed += 1
            elif wishes and wishes != held.wishes:
                raise ValueError(
                    "this session plays what was chosen when it was opened; give another a name of its own"
                )
        held.used = time.monotonic()
        return held

    def _choose(self, wishes: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        """Return seed and options of a new session's ``reset()``."""
        unknown = sorted(set(wishes) - set(CHOICES))
        if unknown:
            raise ValueError(f"nobody can choose {shorten(unknown[0])}; what can be chosen is {', '.join(CHOICES)}")
        options = dict(wishes)
        seed = options.pop("seed", str(self._next_seed))
        if not (seed.isascii() and seed.isdecimal() and len(seed) < 19):
            raise ValueError(f"seed must be a number of at most 18 digits, got {shorten(seed)}")
        if self._scenario is not None:
            if options:
                raise ValueError(f"all play the same scenario here; {', '.join(options)} cannot be chosen")
            options["scenario"] = self._scenario
        return int(seed), options

    async def drop(self, wanted: Callable[[Key, HeldSession], bool]) -> None:
        """Close sessions."""
        for key in [key for key, held in self._held.items() if wanted(key, held)]:
            held = self._held.pop(key, None)
            if held is not None:  # nobody else dropped it meanwhile
                await held.close()

    async def watch(self) -> None:
        """Close sessions that have been idle for too long, until cancelled."""
        while True:
            await anyio.sleep(min(self._idle_seconds / 4, 60.0))
            await self.drop(partial(_unused_since, time.monotonic() - self._idle_seconds))


def _unused_since(moment: float, _: Key, held: HeldSession) -> bool:
    return held.used < moment


def _begin(make: Callable[[], ToolSession], seed: int, options: Mapping[str, str]) -> ToolSession:
    session = make()
    try:
        session.start(seed=seed, options=options)
    except BaseException:
        session.close()
        raise
    return session


def _leave(session: ToolSession) -> None:
    try:
        session.leave()
    except EnvScalerError as error:
        _logger.warning("the episode of a client that went away could not be graded: %s", error)
    finally:
        session.close()
