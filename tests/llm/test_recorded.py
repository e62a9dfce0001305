"""What was asked before is not asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from envscaler_gym.errors import MissingCompletion, ModelUnavailable
from envscaler_gym.llm.model import Completion, CompletionRequest
from envscaler_gym.llm.recorded import Recorded
from envscaler_gym.llm.scripted import Scripted
from envscaler_gym.llm.store import CompletionStore

Ask = Callable[..., CompletionRequest]


class Gated:
    """A model whose answers come when the gate is opened."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate = asyncio.Event()

    async def complete(self, request: CompletionRequest) -> Completion:
        self.asked += 1
        await self.gate.wait()
        return Completion(text=request.messages[-1].content)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "completions.jsonl"


def test_an_answer_is_on_disk_before_it_is_used(path: Path, ask: Ask) -> None:
    async def run() -> None:
        inner = Scripted(["one"])
        model = Recorded(CompletionStore(path), inner)
        assert (await model.complete(ask())).text == "one"
        assert CompletionStore(path).get(ask().digest) is not None
        assert (await model.complete(ask(purpose="other"))).text == "one"
        assert len(inner.requests) == 1
        assert (await Recorded(CompletionStore(path)).complete(ask())).text == "one"

    asyncio.run(run())


def test_a_replay_names_what_is_missing(path: Path, ask: Ask) -> None:
    model = Recorded(CompletionStore(path))
    with pytest.raises(MissingCompletion) as error:
        asyncio.run(model.complete(ask("Which oolong?", purpose="tasks")))
    message = str(error.value)
    assert ask("Which oolong?").digest in message
    for part in ("completions.jsonl", "tasks", "Which oolong?", "Run it with a model"):
        assert part in message


def test_equal_requests_at_once_are_one_call(path: Path, ask: Ask) -> None:
    async def run() -> None:
        inner = Gated()
        model = Recorded(CompletionStore(path), inner)
        waiting = [asyncio.create_task(model.complete(ask(purpose=str(number)))) for number in range(5)]
        waiting += [asyncio.create_task(model.complete(ask("another")))]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        inner.gate.set()
        assert [answer.text for answer in await asyncio.gather(*waiting)] == ["Which tea?"] * 5 + ["another"]
        assert inner.asked == 2

    asyncio.run(run())


def test_a_call_that_is_paid_for_is_kept_though_nobody_waits(path: Path, ask: Ask) -> None:
    async def run() -> None:
        inner = Gated()
        async with Recorded(CompletionStore(path), inner) as model:
            waiting = asyncio.create_task(model.complete(ask()))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            asyncio.get_running_loop().call_later(0.01, inner.gate.set)
        assert CompletionStore(path).get(ask().digest) == Completion(text="Which tea?")

    asyncio.run(run())


def test_a_failure_is_not_recorded_and_reaches_all_that_wait(path: Path, ask: Ask) -> None:
    async def run() -> None:
        inner = Scripted([ModelUnavailable("down"), "up"])
        store = CompletionStore(path)
        model = Recorded(store, inner)
        both = await asyncio.gather(model.complete(ask()), model.complete(ask()), return_exceptions=True)
        assert [str(error) for error in both] == ["down", "down"]
        assert len(store) == 0
        assert (await model.complete(ask())).text == "up"

    asyncio.run(run())


def test_a_script_that_ends(ask: Ask) -> None:
    model = Scripted([])
    with pytest.raises(MissingCompletion, match=r"no more than 0 answers; 'tests' asks for one more: 'Which tea\?'"):
        asyncio.run(model.complete(ask()))


def test_a_script_says_all_kinds_of_things(ask: Ask) -> None:
    completion = Completion(text="whole", finish_reason="length")

    async def run() -> list[Completion]:
        model = Scripted(["text", {"a": [1]}, completion, Completion(text="as a model")])
        return [await model.complete(ask()) for _ in range(3)]

    text, data, whole = asyncio.run(run())
    assert (text.text, data.text, whole) == ("text", '{"a":[1]}', completion)
    echo = Scripted(lambda request: request.messages[-1].content.upper())
    assert asyncio.run(echo.complete(ask())).text == "WHICH TEA?"
