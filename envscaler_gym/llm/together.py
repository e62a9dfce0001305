"""Doing many things at once, each to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from envscaler_gym.errors import RunStopped

__all__ = ["together"]

T = TypeVar("T")


async def together(awaitables: Iterable[Awaitable[T]]) -> list[T]:
    """Await all of them, whatever becomes of each, and return their results in order.

    ``asyncio.TaskGroup`` cancels everything once one of them fails, and ``asyncio.gather`` leaves the others behind.
    Here a branch that has to stop (its budget is spent, its answers come with the next batch file) leaves the others to
    go as far as they can: calls that are paid for are not cut off, and a batch file gets every request there is.

    Raises:
        Exception: The first one in order of the awaitables that is no ``RunStopped``; if there is none, the first
            ``RunStopped``.
    """
    done = await asyncio.gather(*awaitables, return_exceptions=True)
    failed = [result for result in done if isinstance(result, BaseException)]
    for error in sorted(failed, key=lambda error: isinstance(error, RunStopped)):
        raise error
    return [result for result in done if not isinstance(result, BaseException)]
