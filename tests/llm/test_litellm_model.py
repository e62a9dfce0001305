"""litellm's own way over HTTP, against a server that behaves as badly as providers do."""

from __future__ import annotations

import asyncio
import json
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, TypeVar

import pytest

from envscaler_gym.data import Data
from envscaler_gym.errors import BadOutput, ModelRefusal, ModelTimeout, ModelUnavailable
from envscaler_gym.llm.litellm_model import LiteLLM
from envscaler_gym.llm.model import ChatMessage, Completion, CompletionRequest, FunctionCall, LanguageModel
from envscaler_gym.llm.structured import complete_as
from envscaler_gym.llm.usage import Ledger
from tests.llm.server import (
    ChatServer,
    Reply,
    broken_body,
    calls,
    dribbles,
    drops,
    fails,
    hangs,
    rate_limited,
    refuses,
    says,
)

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

T = TypeVar("T")

FIND = {
    "type": "function",
    "function": {"name": "find", "parameters": {"type": "object", "properties": {"name": {"type": "string"}}}},
}


class Tea(Data):
    """What the structured requests ask for."""

    name: str
    grams: int


@pytest.fixture(scope="module", autouse=True)
def litellm() -> Iterator[Any]:
    """Import litellm, with whatever it warns of itself."""
    pytest.importorskip("litellm", reason="litellm is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        LiteLLM()
        import litellm

        yield litellm


def request(text: str = "Which tea?", **fields: Any) -> CompletionRequest:
    messages = (ChatMessage(role="user", content=text),)
    return CompletionRequest.model_validate(
        {"model": "openai/test", "messages": messages, "purpose": "tests", **fields}
    )


def ask(server: ChatServer, use: Callable[[LanguageModel], Awaitable[T]], **options: Any) -> T:
    """Use a model of the server, in an event loop of its own."""

    async def run() -> T:
        model = LiteLLM(**{"api_base": server.address, "api_key": "none", "timeout": 20.0, "backoff": 0.01, **options})
        try:
            return await use(model)
        finally:
            await model.aclose()

    return asyncio.run(run())


def complete(server: ChatServer, asked: CompletionRequest | None = None, **options: Any) -> Completion:
    return ask(server, lambda model: model.complete(asked or request()), **options)


def test_a_plain_answer_with_its_tokens() -> None:
    with ChatServer([says("Sencha, I think.")]) as server:
        completion = complete(server, request(temperature=0.25, max_tokens=30))
    assert completion == Completion(
        text="Sencha, I think.", model="test-2025", prompt_tokens=7, completion_tokens=3, cost_usd=None
    )
    assert server.requests == [
        {
            "model": "test",
            "messages": [{"role": "user", "content": "Which tea?"}],
            "temperature": 0.25,
            "max_tokens": 30,
        }
    ]


def test_tool_calls_go_both_ways() -> None:
    messages = (
        ChatMessage(role="user", content="Find sencha."),
        ChatMessage(role="assistant", tool_calls=(FunctionCall(id="c0", name="find", arguments='{"name": "x"}'),)),
        ChatMessage(role="tool", content="[]", tool_call_id="c0"),
    )
    with ChatServer([calls("find", '{"name": "Sencha"}')]) as server:
        completion = complete(server, request(messages=messages, tools=(FIND,)))
    assert completion.finish_reason == "tool_calls"
    assert completion.tool_calls == (FunctionCall(id="call_1", name="find", arguments='{"name": "Sencha"}'),)
    sent = server.requests[0]
    assert sent["tools"] == [FIND]
    assert sent["messages"][1]["tool_calls"] == [
        {"id": "c0", "type": "function", "function": {"name": "find", "arguments": '{"name": "x"}'}}
    ]
    assert sent["messages"][2] == {"role": "tool", "content": "[]", "tool_call_id": "c0"}


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (rate_limited(), "rate_limited"),
        (fails(500), "server_error"),
        (fails(503), "server_error"),
        (fails(529), "server_error"),
        (broken_body(), "server_error"),
        (Reply(b"<html>busy</html>"), "server_error"),
        (Reply(b'{"id": "x", "object": "chat.completion", "choices": []}'), "server_error"),
        (hangs(), "timeout"),
        (dribbles(), "timeout"),
    ],
)
def test_what_may_pass_is_tried_again_and_counted(trouble: Reply, kind: str) -> None:
    with ChatServer([trouble, trouble, says("Sencha")]) as server:
        completion = complete(server, timeout=1.0)
    assert (completion.text, completion.failures) == ("Sencha", {kind: 2})
    assert len(server.requests) == 3


def test_a_dropped_connection_is_tried_again() -> None:
    with ChatServer([drops(), says("Sencha")]) as server:
        completion = complete(server, timeout=5.0)
    assert completion.text == "Sencha"
    assert completion.failures == {"connection": 1}


def test_an_address_where_nobody_answers() -> None:
    with ChatServer([says("")]) as server:
        pass
    with pytest.raises(
        ModelUnavailable, match=r"openai/test gave no answer \(connection 2x\).*Resume the run"
    ) as error:
        complete(server, attempts=2)
    assert error.value.failures == {"connection": 2}


@pytest.mark.parametrize(
    ("trouble", "kind", "message"),
    [
        (fails(401, "wrong key"), "rejected", "wrong key.*check the model's name, its key"),
        (fails(404, "no such model"), "rejected", "no such model"),
        (fails(400, "odd option"), "rejected", "odd option"),
    ],
)
def test_what_will_not_pass_is_not_tried_again(trouble: Reply, kind: str, message: str) -> None:
    with ChatServer([trouble]) as server, pytest.raises(ModelUnavailable, match=message) as error:
        complete(server)
    assert error.value.failures == {kind: 1}
    assert len(server.requests) == 1


def test_tries_are_bounded() -> None:
    with (
        ChatServer([fails(500, "on fire")]) as server,
        pytest.raises(ModelUnavailable, match=r"server_error 3x.*on fire"),
    ):
        complete(server, attempts=3)
    assert len(server.requests) == 3


def test_a_server_that_never_answers_is_told_as_such() -> None:
    with ChatServer([hangs()]) as server, pytest.raises(ModelTimeout, match="timeout 2x"):
        complete(server, attempts=2, timeout=0.3)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The times that a model waits, which pass at once."""
    from envscaler_gym.llm import litellm_model

    taken: list[float] = []

    async def sleep(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr(litellm_model, "sleep", sleep)
    return taken


def test_retry_after_is_honoured(waits: list[float]) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    with ChatServer([rate_limited(17), rate_limited("2.5"), rate_limited(later), says("Sencha")]) as server:
        assert complete(server).failures == {"rate_limited": 3}
    assert waits[:2] == [17, 2.5]
    assert 60 < waits[2] <= 100


def test_waits_double_and_differ(waits: list[float]) -> None:
    with ChatServer([fails(500)]) as server, pytest.raises(ModelUnavailable):
        complete(server, backoff=1.0, attempts=9)
    assert len(waits) == 8
    for number, wait in enumerate(waits):
        full = min(2.0**number, 60)
        assert full / 2 <= wait <= full
    assert len({wait / min(2.0**number, 60) for number, wait in enumerate(waits)}) == 8


def test_a_wait_of_a_day_ends_the_run_instead(waits: list[float]) -> None:
    with (
        ChatServer([rate_limited(86400)]) as server,
        pytest.raises(ModelUnavailable, match=r"wait for 86400 s\. Resume"),
    ):
        complete(server)
    assert waits == []


def test_refusals_and_filters_are_answers() -> None:
    with ChatServer([refuses("I'd rather not."), says("", "content_filter")]) as server:
        first, second = complete(server), complete(server)
    assert (first.finish_reason, first.text) == ("refusal", "I'd rather not.")
    assert second.finish_reason == "refusal"


def test_a_request_that_is_too_long_is_an_answer_that_cannot_be_repaired() -> None:
    too_long = fails(400, "This model's maximum context length is 8192 tokens.", code="context_length_exceeded")
    with ChatServer([too_long]) as server, pytest.raises(BadOutput, match="fills the model's context"):
        ask(server, lambda model: complete_as(model, request(), Tea))
    assert len(server.requests) == 1


GOOD = '{"name": "Sencha", "grams": 100}'


@pytest.mark.parametrize(
    ("bad", "kind", "quoted"),
    [
        (says("{'name': Sencha}"), "malformed", "Expecting property name"),
        (says("I would take Sencha."), "malformed", "no JSON object"),
        (says('{"name": "Sencha"}'), "wrong_schema", "grams: Field required"),
        (
            says('{"name": "Sencha", "grams": "many"}'),
            "wrong_schema",
            "grams: Input should be a valid integer (found 'many')",
        ),
        (says('{"name": "Sencha", "gra', "length"), "truncated", "cut off after 3 tokens"),
        (calls("find"), "malformed", "it called 'find' instead of answering"),
    ],
)
def test_bad_output_is_shown_what_is_wrong_with_it(bad: Reply, kind: str, quoted: str) -> None:
    with ChatServer([bad, says(f"Sorry!\n```json\n{GOOD}\n```")]) as server:
        ledger: Ledger

        async def use(model: LanguageModel) -> Tea:
            nonlocal ledger
            ledger = Ledger(model)
            return await complete_as(ledger, request(), Tea)

        assert ask(server, use) == Tea(name="Sencha", grams=100)
    assert quoted in server.requests[1]["messages"][-1]["content"]
    assert ledger.total.failures == {kind: 1}
    assert ledger.total.calls == 2


@pytest.mark.parametrize("bad", [says("no"), says('{"name": 1}'), says("{", "length"), calls("find")])
def test_repairs_are_bounded(bad: Reply) -> None:
    with ChatServer([bad]) as server, pytest.raises(BadOutput, match="no usable Tea after 2 repairs"):
        ask(server, lambda model: complete_as(model, request(), Tea))
    assert len(server.requests) == 3


def test_a_refusal_is_not_repaired() -> None:
    with ChatServer([refuses("I'd rather not.")]) as server, pytest.raises(ModelRefusal, match="I'd rather not"):
        ask(server, lambda model: complete_as(model, request(), Tea))
    assert len(server.requests) == 1


def test_models_without_schemas_are_asked_for_fenced_json() -> None:
    with ChatServer([says(GOOD)]) as server:
        ask(server, lambda model: complete_as(model, request(), Tea))
        ask(server, lambda model: complete_as(model, request(), Tea), structured=True)
    fenced, structured = server.requests
    assert "response_format" not in fenced
    assert "```json" in fenced["messages"][-1]["content"]
    assert json.dumps(Tea.model_json_schema()) in fenced["messages"][-1]["content"]
    assert structured["messages"] == [{"role": "user", "content": "Which tea?"}]
    assert structured["response_format"]["json_schema"]["schema"] == Tea.model_json_schema()


def test_litellm_knows_which_models_take_schemas() -> None:
    with ChatServer([says(GOOD)]) as server:
        ask(server, lambda model: complete_as(model, request(model="openai/gpt-4o-mini"), Tea))
    assert "response_format" in server.requests[0]


def test_prices() -> None:
    with ChatServer([says("one two three")]) as server:
        known = complete(server, request(model="openai/gpt-4o-mini"))
        given = complete(server, prices=(10.0, 100.0))
    assert known.cost_usd is not None
    assert 0 < known.cost_usd < 1e-4
    assert given.cost_usd == pytest.approx((7 * 10 + 3 * 100) / 1e6)


def test_no_more_calls_at_once_than_allowed() -> None:
    three, lock = threading.Barrier(3), threading.Lock()
    here, most = 0, 0

    def reply(body: dict[str, Any]) -> Reply:
        nonlocal here, most
        with lock:
            here += 1
            most = max(most, here)
        three.wait(20)  # less than three at once would break this
        threading.Event().wait(0.02)
        with lock:
            here -= 1
        return says("Sencha")

    async def use(model: LanguageModel) -> list[Completion]:
        return await asyncio.gather(*(model.complete(request(str(number))) for number in range(12)))

    with ChatServer(reply) as server:
        assert len(ask(server, use, concurrency=3)) == 12
    assert most == 3


def test_options_reach_the_server() -> None:
    with ChatServer([says("Sencha")]) as server:
        complete(server, options={"top_p": 0.5, "extra_body": {"guided": True}})
    assert server.requests[0]["top_p"] == 0.5
    assert server.requests[0]["guided"] is True
