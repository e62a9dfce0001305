"""A model that costs no more than it may."""

from __future__ import annotations

import asyncio
import math
from typing import NamedTuple

from envscaler_gym.errors import BudgetExceeded, WaitingForCompletions
from envscaler_gym.llm.model import Completion, CompletionRequest, LanguageModel
from envscaler_gym.llm.store import CompletionStore

__all__ = ["Budget", "Spent"]


class Spent(NamedTuple):
    """What was spent.

    Attributes:
        calls: Requests that were answered.
        usd: Price in US dollars of those whose price is known.
        unpriced: How many have no known price; nothing is known of what they cost.
    """

    calls: int
    usd: float
    unpriced: int


class Budget:
    """A model that stops before a call that could exceed a budget.

    What a call will cost is not known before it: it is taken to cost as much as the dearest of the same purpose so far
    (of any purpose, where there is none yet). Calls that are on their way count in the same way, and the first one of
    all goes alone. So what is spent exceeds the budget by no more than those calls exceed the dearest before them.

    Args:
        inner: The model that is paid.
        usd: Most US dollars to spend; ``None`` for no limit.
        calls: Most requests to have answered; ``None`` for no limit.
        store: Completions of the same run that are paid already, and count.
    """

    def __init__(
        self,
        inner: LanguageModel,
        *,
        usd: float | None = None,
        calls: int | None = None,
        store: CompletionStore | None = None,
    ) -> None:
        self._inner = inner
        self._usd = math.inf if usd is None else usd
        self._max_calls = math.inf if calls is None else calls
        self._costs: list[float] = []
        self._unpriced = 0
        self._dearest: dict[str, float] = {}
        self._reserved: list[float] = []
        self._waiting: set[str] = set()
        self._alone = asyncio.Lock()
        for request, completion in store.exchanges() if store is not None else ():
            self._pay(request, completion)

    @property
    def spent(self) -> Spent:
        """What was spent so far, with what was paid before."""
        return Spent(len(self._costs) + self._unpriced, math.fsum(self._costs), self._unpriced)

    async def complete(self, request: CompletionRequest) -> Completion:
        """Answer a request.

        Raises:
            BudgetExceeded: The call could exceed the budget; it is not made.
            RunStopped: The model behind it has no answer.
        """
        if self._usd < math.inf and not self._costs and not self._unpriced:
            async with self._alone:
                if not self.spent.calls:
                    return await self._call(request)
        return await self._call(request)

    async def _call(self, request: CompletionRequest) -> Completion:
        reserved = self._reserve(request)
        self._reserved.append(reserved)
        try:
            completion = await self._inner.complete(request)
        except WaitingForCompletions:
            self._waiting.add(request.digest)
            raise
        finally:
            self._reserved.remove(reserved)
        self._pay(request, completion)
        return completion

    def _reserve(self, request: CompletionRequest) -> float:
        """Return what the next call is taken to cost, if the budget has room for it."""
        spent = self.spent
        begun = spent.calls + len(self._reserved) + len(self._waiting - {request.digest})
        if begun >= self._max_calls:
            raise BudgetExceeded(
                f"{spent.calls} calls are answered and {begun - spent.calls} are on their way, of {self._max_calls} "
                "that may be made. Nothing is lost: resume the run with more calls."
            )
        cost = self._dearest.get(request.purpose, max(self._dearest.values(), default=0.0))
        reserved = math.fsum(self._reserved)
        if spent.usd + reserved + cost > self._usd or spent.usd >= self._usd:
            raise BudgetExceeded(
                f"${spent.usd:.4f} is spent, up to ${reserved:.4f} is on its way, and another call "
                f"({request.purpose or 'no purpose'}) could cost ${cost:.4f}; the budget is ${self._usd:.4f}. "
                "Nothing is lost: resume the run with a larger budget."
            )
        return cost

    def _pay(self, request: CompletionRequest, completion: Completion) -> None:
        if completion.cost_usd is None:
            self._unpriced += 1
            return
        self._costs.append(completion.cost_usd)
        self._dearest[request.purpose] = max(completion.cost_usd, self._dearest.get(request.purpose, 0.0))
