"""A model that asks another one only what it was never asked before."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from envscaler_gym.errors import MissingCompletion, shorten
from envscaler_gym.llm.model import Completion, CompletionRequest, LanguageModel
from envscaler_gym.llm.store import CompletionStore

__all__ = ["Recorded"]


class Recorded:
    """A model that answers from a store, and puts there what the model behind it answers.

    A completion is on disk before it is returned. Equal requests that are made at once are one call. A call that has
    begun goes on when who asked for it is cancelled, because it is paid for; leaving ``async with`` waits for such
    calls, and so every one of them ends up in the store.

    Args:
        store: The completions.
        inner: Model that answers the rest; without one, this is a replay.
    """

    def __init__(self, store: CompletionStore, inner: LanguageModel | None = None) -> None:
        self._store = store
        self._inner = inner
        self._calls: dict[str, asyncio.Task[Completion]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.drain()

    async def drain(self) -> None:
        """Wait for calls that are on their way, whoever asked for them."""
        if self._calls:
            await asyncio.wait(self._calls.values())

    async def complete(self, request: CompletionRequest) -> Completion:
        """Answer a request.

        Raises:
            MissingCompletion: It is not in the store, and there is no model behind it.
            RunStopped: The model behind it has no answer.
        """
        key = request.digest
        known = self._store.get(key)
        if known is not None:
            return known
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = asyncio.create_task(self._ask(request))
            call.add_done_callback(lambda done: self._end(key, done))
        return await asyncio.shield(call)

    async def _ask(self, request: CompletionRequest) -> Completion:
        if self._inner is None:
            raise MissingCompletion(
                f"{self._store.path} holds no answer to request {request.digest} ({request.purpose or 'no purpose'}: "
                f"{shorten(request.messages[-1].content)}). A replay asks no model: the program or its settings differ "
                "from those that were recorded. Run it with a model to record what is missing."
            )
        completion = await self._inner.complete(request)
        return await asyncio.to_thread(self._store.put, request, completion)

    def _end(self, key: str, call: asyncio.Task[Completion]) -> None:
        del self._calls[key]
        if not call.cancelled():
            call.exception()  # seen, even where nobody waits for it any more
