"""Answers as data, however models dress them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

import pytest
from pydantic import Field

from envscaler_gym.data import Data
from envscaler_gym.errors import BadOutput, ModelRefusal, ModelUnavailable
from envscaler_gym.llm.model import ChatMessage, Completion, CompletionRequest, FunctionCall
from envscaler_gym.llm.scripted import Answer, Scripted
from envscaler_gym.llm.structured import complete_as, find_json
from envscaler_gym.llm.usage import Ledger

Ask = Callable[..., CompletionRequest]


class Tea(Data):
    """The answer wanted."""

    name: str
    grams: int
    tags: Annotated[tuple[str, ...], Field(strict=False)] = ()


GOOD = '{"name": "Sencha", "grams": 5}'
SENCHA = Tea(name="Sencha", grams=5)


def read(request: CompletionRequest, answers: list[Answer], repairs: int = 2) -> tuple[Tea, Ledger, Scripted]:
    model = Scripted(answers)
    ledger = Ledger(model)
    return asyncio.run(complete_as(ledger, request, Tea, repairs=repairs)), ledger, model


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"  \n{GOOD}\n",
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}\n```\nI hope this helps.",
        f"Here it is: {GOOD}. Enjoy {{it}}!",
        f'<think>Maybe {{"name": "Oolong", "grams": 1}}?</think>\n{GOOD}',
        f'A draft:\n```json\n{{"name": "Oolong", "grams": 1}}\n```\nBetter:\n```json\n{GOOD}\n```',
        f'{GOOD}\nFor comparison, this would be wrong:\n{{"name": "Sencha"}}',
        f"<thinking>Is it {{Sencha}}?</thinking> {GOOD}",
        '{"name": "Sencha",\n "grams": 5,\n "tags": []}',
    ],
)
def test_wherever_the_answer_stands(text: str, ask: Ask) -> None:
    answer, ledger, _ = read(ask(), [text])
    assert answer == SENCHA
    assert ledger.total.failures == {}


def test_strings_may_hold_newlines_and_fences(ask: Ask) -> None:
    answer, _, _ = read(ask(), ['```json\n{"name": "a\n```json\n{\\"x\\": 1}\n```", "grams": 5}\n```'])
    assert answer.name == 'a\n```json\n{"x": 1}\n```'


def test_tuples_are_read_from_lists(ask: Ask) -> None:
    assert read(ask(), ['{"name": "Sencha", "grams": 5, "tags": ["green", "fresh"]}'])[0].tags == ("green", "fresh")


def test_the_schema_is_part_of_the_request(ask: Ask) -> None:
    _, _, model = read(ask(), [GOOD])
    assert model.requests[0].response_schema == Tea.model_json_schema()


@pytest.mark.parametrize(
    ("bad", "kind", "quoted"),
    [
        ("", "malformed", "there is no object in ''"),
        ("none", "malformed", "there is no object in 'none'"),
        ('{"name": "Sencha", "grams": 5', "malformed", "Expecting ',' delimiter"),
        ('{"name": "Sencha", "grams": NaN}', "malformed", "NaN is no JSON"),
        ("{" * 100_000, "malformed", "Expecting property name"),
        ('{"name": "Sencha", "inner": {"name": "Sencha", "grams": 5}, oops}', "malformed", "oops"),
        ('{"name": "Sencha", "grams": 5.5}', "wrong_schema", "- grams: Input should be a valid integer"),
        ('{"name": "Sencha", "grams": 5, "colour": 1}', "wrong_schema", "- colour: Extra inputs are not permitted"),
        ('{"name": "\\ud83d", "grams": 5}', "wrong_schema", "unexpected end of hex escape"),
        (Completion(text=GOOD, finish_reason="length", completion_tokens=9), "truncated", "cut off after 9 tokens"),
        (
            Completion(tool_calls=(FunctionCall(id="1", name="find", arguments="{}"),), finish_reason="tool_calls"),
            "malformed",
            "it called 'find' instead of answering",
        ),
    ],
)
def test_a_bad_answer_is_shown_with_what_is_wrong(bad: Answer, kind: str, quoted: str, ask: Ask) -> None:
    answer, ledger, model = read(ask(), [bad, GOOD])
    assert answer == SENCHA
    assert ledger.total.failures == {kind: 1}
    first, second = model.requests
    shown, problem = second.messages[-2:]
    assert second.messages[:-2] == first.messages
    assert shown.role == "assistant"
    assert shown.content
    assert problem.role == "user"
    assert quoted in problem.content


def test_an_answer_that_was_cut_off_gets_twice_the_room(ask: Ask) -> None:
    cut = Completion(text="{", finish_reason="length")
    _, _, model = read(ask(max_tokens=50), [cut, cut, GOOD])
    assert [request.max_tokens for request in model.requests] == [50, 100, 200]


def test_many_problems_are_shown_in_part(ask: Ask) -> None:
    bad = ", ".join(f'"extra_{number}": 1' for number in range(30))
    _, _, model = read(ask(), [f'{{"name": "Sencha", "grams": 5, {bad}}}', GOOD])
    assert "and 18 more" in model.requests[1].messages[-1].content
    assert len(model.requests[1].messages[-1].content) < 2000


@pytest.mark.parametrize("repairs", [0, 1, 3])
def test_repairs_are_bounded(repairs: int, ask: Ask) -> None:
    model = Scripted(lambda _: '{"name": 5}')
    message = (
        rf"test \(tests\) gave no usable Tea after {repairs} repairs; the last answer was wrong_schema: it does not fit"
    )
    with pytest.raises(BadOutput, match=message):
        asyncio.run(complete_as(model, ask(), Tea, repairs=repairs))
    assert len(model.requests) == repairs + 1


def test_a_negative_number_of_repairs(ask: Ask) -> None:
    with pytest.raises(ValueError, match="at least 0; found -1"):
        asyncio.run(complete_as(Scripted([GOOD]), ask(), Tea, repairs=-1))


def test_a_refusal_is_told_apart_and_not_repaired(ask: Ask) -> None:
    model = Scripted([Completion(text="I would rather not.", finish_reason="refusal")])
    ledger = Ledger(model)
    with pytest.raises(ModelRefusal, match=r"declined: 'I would rather not\.'"):
        asyncio.run(complete_as(ledger, ask(), Tea))
    assert ledger.by_purpose["tests"].failures == {"refusal": 1}


def test_a_context_that_is_full_is_not_repaired(ask: Ask) -> None:
    model = Scripted([Completion(finish_reason="length")])
    with pytest.raises(BadOutput, match=r"after 0 repairs; .*fills the model's context"):
        asyncio.run(complete_as(model, ask(), Tea))


def test_a_provider_that_fails_is_no_bad_answer(ask: Ask) -> None:
    error = ModelUnavailable("down")
    error.failures = {"timeout": 3}
    ledger = Ledger(Scripted([error, GOOD]))
    with pytest.raises(ModelUnavailable):
        asyncio.run(complete_as(ledger, ask(), Tea))
    assert ledger.total.failures == {"timeout": 3}
    assert ledger.total.calls == 0


def test_the_parts_of_a_broken_object_are_no_answers() -> None:
    assert find_json('{"a": {"b": 1}, oops') == []
    assert find_json('{"a":\n{"b": 1}}') == [{"a": {"b": 1}}]
    assert find_json('[{"a": 1}] and\n{"b": {"c": 2}}') == [{"b": {"c": 2}}, {"a": 1}]


def test_a_conversation_goes_on_from_its_messages(ask: Ask) -> None:
    messages = (ChatMessage(role="system", content="You sell tea."), ChatMessage(role="user", content="Which?"))
    _, _, model = read(ask(messages=messages), ["?", "?", GOOD])
    roles = [[message.role for message in request.messages] for request in model.requests]
    start = ["system", "user"]
    assert roles == [start, [*start, "assistant", "user"], [*start, *["assistant", "user"] * 2]]
