"""What calls of a model came to, by purpose."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from envscaler_gym.data import Data
from envscaler_gym.errors import ModelUnavailable
from envscaler_gym.llm.model import Completion, CompletionRequest, FailureKind, LanguageModel

__all__ = ["Ledger", "Usage"]


class Usage(Data):
    """What a number of calls came to.

    Attributes:
        calls: Answers given.
        prompt_tokens: Tokens of their requests.
        completion_tokens: Tokens of the answers.
        cost_usd: Price in US dollars of those whose price is known.
        unpriced: Answers whose price is not known.
        failures: What went wrong, by kind: a provider's failures (before an answer, or in its place) and answers that
            were not what was asked.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    failures: Mapping[FailureKind, int] = {}

    @classmethod
    def sum(cls, parts: Iterable[Usage]) -> Usage:
        """Add up; the sum does not depend on the order."""
        parts = list(parts)
        failures: Counter[FailureKind] = Counter()
        for part in parts:
            failures.update(part.failures)
        return cls(
            calls=sum(part.calls for part in parts),
            prompt_tokens=sum(part.prompt_tokens for part in parts),
            completion_tokens=sum(part.completion_tokens for part in parts),
            cost_usd=math.fsum(part.cost_usd for part in parts),
            unpriced=sum(part.unpriced for part in parts),
            failures=dict(sorted(failures.items())),
        )

    @classmethod
    def of(cls, completion: Completion) -> Usage:
        """Return what one answer came to."""
        return cls(
            calls=1,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            cost_usd=completion.cost_usd or 0.0,
            unpriced=int(completion.cost_usd is None),
            failures=completion.failures,
        )


class Ledger:
    """A model that counts what another one's answers come to.

    Each request is counted once, however often it is asked, and what a provider failed at before it answered is part of
    the answer. So a run that was killed and goes on over its recorded completions counts as one that was not, but for
    requests that were never answered.

    Args:
        inner: The model that answers.
    """

    def __init__(self, inner: LanguageModel) -> None:
        self._inner = inner
        self._seen: set[tuple[str, str]] = set()
        self._usage: defaultdict[str, list[Usage]] = defaultdict(list)

    @property
    def by_purpose(self) -> dict[str, Usage]:
        """What each purpose came to, sorted."""
        return {purpose: Usage.sum(parts) for purpose, parts in sorted(self._usage.items())}

    @property
    def total(self) -> Usage:
        """What everything came to."""
        return Usage.sum(part for parts in self._usage.values() for part in parts)

    async def complete(self, request: CompletionRequest) -> Completion:
        """Answer a request, and count it."""
        try:
            completion = await self._inner.complete(request)
        except ModelUnavailable as error:
            self._usage[request.purpose].append(Usage.model_validate({"failures": error.failures}))
            raise
        if self._is_new(request, "answer"):
            self._usage[request.purpose].append(Usage.of(completion))
        return completion

    def note(self, request: CompletionRequest, kind: FailureKind) -> None:
        """Count an answer that was not what was asked; who reads the answer knows that."""
        if self._is_new(request, kind):
            self._usage[request.purpose].append(Usage(failures={kind: 1}))

    def _is_new(self, request: CompletionRequest, what: str) -> bool:
        key = (request.digest, what)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True
