"""Models that litellm reaches: most providers, and every server that speaks the OpenAI chat protocol."""

from __future__ import annotations

import asyncio
import os
import random
from asyncio import sleep
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from envscaler_gym.errors import ModelTimeout, ModelUnavailable, describe_error
from envscaler_gym.llm.chat import from_chat, to_chat
from envscaler_gym.llm.model import Completion, CompletionRequest, FailureKind
from envscaler_gym.types import JSON

__all__ = ["LiteLLM"]

_LONGEST_BACKOFF = 60.0
_LONGEST_WAIT = 600.0
"""Longest time in seconds that a provider may tell us to wait; a run is resumed rather than to wait for a day."""


class LiteLLM:
    """Whatever model a request names, as litellm names it: ``"openai/gpt-5"``, ``"hosted_vllm/Qwen/Qwen3-8B"``.

    A call that fails for a reason that may pass (the rate is limited, the server fails or cannot be reached, there is
    no answer in time) is tried again, after the time that the provider asks for or one that doubles each time. What
    will not pass (a wrong key, an unknown model) is not. Keys come from the environment, as litellm reads it, or from
    ``api_key``.

    Args:
        api_base: Address of the server, for one of your own.
        api_key: Key for it.
        timeout: Longest time of one try in seconds, from its beginning to the last byte.
        attempts: Most tries of one call.
        backoff: Time before the second try in seconds; each one after that waits twice as long, and up to a half less
            by chance.
        concurrency: Most calls at once, those included that wait for their next try.
        structured: Whether the server holds models to a JSON schema. Without it, litellm's tables say so for each
            model, and models that are not in them are asked for fenced JSON.
        prices: US dollars per million tokens of requests and of answers, for models that litellm has no price of.
        options: More arguments for ``litellm.acompletion``, such as ``{"reasoning_effort": "low"}``. They are no part
            of a request's digest.

    Raises:
        ModuleNotFoundError: litellm is not installed.
    """

    def __init__(
        self,
        *,
        api_base: str | None = None,
        api_key: str | None = None,
        timeout: float = 600.0,
        attempts: int = 6,
        backoff: float = 1.0,
        concurrency: int = 16,
        structured: bool | None = None,
        prices: tuple[float, float] | None = None,
        options: Mapping[str, JSON] | None = None,
    ) -> None:
        self._litellm: Any = _load()
        self._server = {"api_base": api_base, "api_key": api_key}
        self._timeout = timeout
        self._attempts = attempts
        self._backoff = backoff
        self._calls = asyncio.Semaphore(concurrency)
        self._structured = structured
        self._prices = prices
        self._options = dict(options or {})
        self._random = random.Random()  # noqa: S311 - spreads tries in time, and no result depends on it

    async def complete(self, request: CompletionRequest) -> Completion:
        """Answer a request. A filter's refusal, and a request too long for the model, are answers, too.

        Raises:
            ModelTimeout: No try had an answer in time.
            ModelUnavailable: The tries failed otherwise, or the request is not taken.
        """
        failures: Counter[FailureKind] = Counter()
        async with self._calls:
            while True:
                try:
                    completion = await self._ask(request)
                except Exception as error:
                    refused = self._refused(error)
                    if refused is not None:
                        return refused.model_copy(update={"failures": dict(sorted(failures.items()))})
                    failures[self._kind(error)] += 1
                    await sleep(self._wait(request, error, failures))
                else:
                    return completion.model_copy(update={"failures": dict(sorted(failures.items()))})

    async def aclose(self) -> None:
        """Close the connections that litellm keeps, of this object and of all others."""
        await self._litellm.close_litellm_async_clients()
        self._litellm.in_memory_llm_clients_cache.flush_cache()

    async def _ask(self, request: CompletionRequest) -> Completion:
        structured = self._structured
        if structured is None:
            structured = request.response_schema is not None and self._litellm.supports_response_schema(request.model)
        body = to_chat(request, structured=structured)
        if request.tools:
            body["_skip_mcp_handler"] = True  # which is for tools of MCP servers, and needs a package of its own
        # litellm's own time limit is one for each wait for bytes, and a server may send one byte a minute.
        async with asyncio.timeout(self._timeout):
            response = await self._litellm.acompletion(
                **body,
                **self._server,
                **self._options,
                timeout=self._timeout,
                drop_params=True,
                max_retries=0,
                num_retries=0,
            )
        completion = from_chat(response.model_dump())
        return completion.model_copy(update={"cost_usd": self._cost(request.model, response, completion)})

    def _cost(self, model: str, response: Any, completion: Completion) -> float | None:
        if self._prices is not None:
            asked, answered = self._prices
            return (asked * completion.prompt_tokens + answered * completion.completion_tokens) / 1e6
        try:
            return float(self._litellm.completion_cost(completion_response=response, model=model))
        except Exception:  # it raises whatever comes up for a model that is not in its tables
            return None

    def _refused(self, error: Exception) -> Completion | None:
        """Return the answer that an error stands for, if it does."""
        if isinstance(error, self._litellm.ContentPolicyViolationError):
            return Completion(finish_reason="refusal", text=str(error))
        if isinstance(error, self._litellm.ContextWindowExceededError):
            return Completion(finish_reason="length")
        return None

    def _kind(self, error: Exception) -> FailureKind:
        if isinstance(error, TimeoutError | self._litellm.Timeout):
            return "timeout"
        if isinstance(error, self._litellm.RateLimitError):
            return "rate_limited"
        if any(isinstance(cause, self._litellm.APIConnectionError.__base__) for cause in _causes(error)):
            return "connection"  # litellm names some of these InternalServerError; its base is the OpenAI client's own
        if isinstance(error, ValueError) and not hasattr(error, "status_code"):
            return "server_error"  # what came back is no completion
        status = getattr(error, "status_code", None)
        return "server_error" if isinstance(status, int) and status >= 500 else "rejected"

    def _wait(self, request: CompletionRequest, error: Exception, failures: Counter[FailureKind]) -> float:
        """Return how long to wait before the next try, in seconds.

        Raises:
            ModelUnavailable: There is none.
        """
        kind, tried = self._kind(error), failures.total()
        asked = _retry_after(error) or 0.0
        if kind == "rejected" or tried >= self._attempts or asked > _LONGEST_WAIT:
            raise _unavailable(request, error, failures, asked) from error
        backoff = min(self._backoff * 2.0 ** (tried - 1), _LONGEST_BACKOFF)
        return max(asked, backoff * self._random.uniform(0.5, 1.0))


def _load() -> Any:
    # litellm would fetch its table of prices while it is imported.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        import litellm  # noqa: PLC0415 - it takes seconds
    except ImportError as error:
        raise ModuleNotFoundError('Language models need litellm: pip install "envscaler-gym[synthesis]"') from error
    litellm.suppress_debug_info = True
    return litellm


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Iterate over an exception and those that it came from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _retry_after(error: Exception) -> float | None:
    """Return the seconds that a provider asks us to wait."""
    headers = getattr(error, "litellm_response_headers", None)
    value = headers.get("retry-after") if headers else None
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _unavailable(
    request: CompletionRequest, error: Exception, failures: Counter[FailureKind], asked: float
) -> ModelUnavailable:
    """Return the exception for a call that is given up."""
    told = describe_error(error, 300) if str(error) else "no answer in time"
    counts = ", ".join(f"{kind} {count}x" for kind, count in sorted(failures.items()))
    if failures["rejected"]:
        advice = "The request is not taken; check the model's name, its key and its options."
    elif asked > _LONGEST_WAIT:
        advice = f"The provider asks to wait for {asked:.0f} s. Resume the run after that."
    else:
        advice = "Resume the run when the provider is well again, or give it more time and more attempts."
    kind = (
        ModelTimeout if isinstance(error, TimeoutError) or failures["timeout"] == failures.total() else ModelUnavailable
    )
    made = kind(f"{request.model} gave no answer ({counts}): {told}. {advice}")
    made.failures = dict(sorted(failures.items()))
    return made
