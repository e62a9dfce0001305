"""Rounds of requests and answers through files."""

from __future__ import annotations

import asyncio
import json
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import envscaler_gym.llm
from envscaler_gym.errors import ModelError, WaitingForCompletions
from envscaler_gym.llm.batch import BatchFile, custom_id, read_answers
from envscaler_gym.llm.model import Completion, CompletionRequest, FunctionCall, LanguageModel
from envscaler_gym.llm.recorded import Recorded
from envscaler_gym.llm.scripted import Scripted
from envscaler_gym.llm.store import CompletionStore
from envscaler_gym.llm.together import together

Ask = Callable[..., CompletionRequest]
Lines = list[dict[str, Any]]


def read_lines(path: Path) -> Lines:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def write_lines(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), "utf-8")
    return path


def answered(name: str, text: str, **line: Any) -> dict[str, Any]:
    """A line as the Batch API writes it."""
    message = {"role": "assistant", "content": text}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }
    response = {"status_code": 200, "request_id": "r", "body": body}
    return {"id": "batch_1", "custom_id": name, "response": response, "error": None, **line}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "batch"


@pytest.fixture
def store(tmp_path: Path) -> CompletionStore:
    return CompletionStore(tmp_path / "completions.jsonl")


def note(batch: BatchFile, *requests: CompletionRequest) -> None:
    async def run() -> None:
        for request in requests:
            with pytest.raises(WaitingForCompletions, match=r"tests\) waits .*requests\.jsonl.*resume the run"):
                await batch.complete(request)

    asyncio.run(run())


def test_the_file_is_what_batch_servers_take(folder: Path, ask: Ask) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    request = ask("茶?", response_schema=schema, tools=(tool,), temperature=0.5, max_tokens=9)
    batch = BatchFile(folder)
    note(batch, request)
    (line,) = read_lines(batch.write())
    assert line == {
        "custom_id": custom_id(request),
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "test",
            "messages": [{"role": "user", "content": "茶?"}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}},
            "tools": [tool],
            "temperature": 0.5,
            "max_tokens": 9,
        },
    }
    assert len(line["custom_id"]) == 64


def test_the_file_does_not_depend_on_who_asked_first(tmp_path: Path, ask: Ask) -> None:
    requests = [ask(str(number)) for number in range(20)]
    files = []
    for name, order in (("a", requests), ("b", [*reversed(requests), *requests])):
        batch = BatchFile(tmp_path / name)
        note(batch, *order)
        files.append(batch.write().read_bytes())
    assert files[0] == files[1]
    assert len(files[0].splitlines()) == 20


def test_answers_of_every_form_are_read(folder: Path, store: CompletionStore, tmp_path: Path, ask: Ask) -> None:
    requests = [ask(str(number)) for number in range(5)]
    batch = BatchFile(folder)
    note(batch, *requests)
    batch.write()
    names = [custom_id(request) for request in requests]
    called = answered(names[4], "")
    called["response"]["body"]["choices"][0] = {
        "message": {"content": None, "tool_calls": [{"id": "c", "function": {"name": "find", "arguments": "{}"}}]},
        "finish_reason": "tool_calls",
    }
    lines: list[Any] = [
        answered(names[0], "from an API"),
        {"custom_id": names[1], "text": "from anywhere"},
        "",
        {
            "custom_id": names[2],
            "text": "with more",
            "finish_reason": "length",
            "model": "m",
            "completion_tokens": 3,
            "cost_usd": 0.5,
        },
        answered(names[3], "from vLLM", id="vllm-1"),
        called,
    ]
    result = read_answers(write_lines(tmp_path / "answers.jsonl", lines), folder, store)
    assert (result.stored, result.known, result.missing, result.problems) == (5, 0, 0, ())
    assert [store.get(request.digest) for request in requests] == [
        Completion(text="from an API", model="m-1", prompt_tokens=5, completion_tokens=2),
        Completion(text="from anywhere"),
        Completion(text="with more", finish_reason="length", model="m", completion_tokens=3, cost_usd=0.5),
        Completion(text="from vLLM", model="m-1", prompt_tokens=5, completion_tokens=2),
        Completion(
            tool_calls=(FunctionCall(id="c", name="find", arguments="{}"),),
            finish_reason="tool_calls",
            model="m-1",
            prompt_tokens=5,
            completion_tokens=2,
        ),
    ]
    again = read_answers(tmp_path / "answers.jsonl", folder, store)
    assert (again.stored, again.known, again.missing, again.problems) == (0, 5, 0, ())


def test_what_cannot_be_used_is_told_with_its_line(
    folder: Path, store: CompletionStore, tmp_path: Path, ask: Ask
) -> None:
    requests = [ask(str(number)) for number in range(9)]
    batch = BatchFile(folder)
    note(batch, *requests)
    batch.write()
    names = [custom_id(request) for request in requests]
    failed = answered(names[1], "")
    failed["response"] = {"status_code": 429, "body": {"error": {"message": "slow down"}}}
    empty = answered(names[2], "")
    empty["response"]["body"]["choices"] = []
    lines: list[Any] = [
        answered(names[0], "good"),
        failed,
        empty,
        {"custom_id": names[3], "response": None, "error": {"code": "batch_expired", "message": "too late"}},
        "{not json",
        {"text": "for whom?"},
        answered("f" * 64, "unasked"),
        answered(names[0], "good"),
        answered(names[0], "different"),
        {"custom_id": names[4], "text": 5},
        {"custom_id": names[5]},
        {"custom_id": names[6], "text": "x", "colour": "red"},
        {"custom_id": names[7], "text": "good too"},
        '["no object"]',
        f'{{"custom_id": "{names[8]}", "text": "torn',
    ]
    result = read_answers(write_lines(tmp_path / "answers.jsonl", lines), folder, store)
    assert (result.stored, result.known, result.missing) == (2, 0, 7)
    expected = {
        2: "was not answered: status 429, .*slow down",
        3: "does not fit: choices: List should have at least 1 item",
        4: "was not answered: .*batch_expired.*too late",
        5: "JSON is malformed",
        6: "missing required field `custom_id`",
        7: "'f+' is none of the 9 requests that wait",
        8: "is answered by line 1 already",
        9: "has been answered before, differently; that answer is kept",
        10: r"Expected `str \| null`, got `int`",
        11: "neither a response nor a text",
        12: "does not fit: colour: Extra inputs are not permitted",
        14: "Expected `object`, got `array`",
        15: "JSON is malformed",
    }
    assert len(result.problems) == len(expected)
    for problem, (line, reason) in zip(result.problems, expected.items(), strict=True):
        assert problem.startswith(f"{tmp_path / 'answers.jsonl'}, line {line}: ")
        with pytest.raises(ValueError, match=reason):
            raise ValueError(problem)
    assert store.get(requests[0].digest) == Completion(text="good", model="m-1", prompt_tokens=5, completion_tokens=2)


async def work(model: LanguageModel, ask: Ask, items: int) -> list[str]:
    """Two questions for each item, the second of which depends on the first's answer; then one about all of them."""
    few_at_once = asyncio.Semaphore(2)

    async def item(number: int) -> str:
        async with few_at_once:
            first = await model.complete(ask(f"first {number}"))
            return (await model.complete(ask(f"second {number} after {first.text}"))).text

    texts = await together(item(number) for number in range(items))
    return [*texts, (await model.complete(ask(" ".join(texts)))).text]


def test_a_run_in_rounds_comes_to_what_a_run_at_once_comes_to(
    folder: Path, store: CompletionStore, tmp_path: Path, ask: Ask
) -> None:
    oracle = Scripted(lambda request: str(len(request.messages[-1].content)))
    at_once = asyncio.run(work(oracle, ask, 300))
    asked = []
    for _ in range(9):
        batch = BatchFile(folder)
        try:
            result = asyncio.run(work(Recorded(store, batch), ask, 300))
            break
        except WaitingForCompletions:
            lines = read_lines(batch.write())
        asked.append(len(lines))
        # Somebody answers the file, but not every line of it.
        share = [line for number, line in enumerate(lines) if number % 3 or len(lines) < 10]
        answers = [answered(line["custom_id"], str(len(line["body"]["messages"][-1]["content"]))) for line in share]
        told = read_answers(write_lines(tmp_path / "answers.jsonl", answers), folder, store)
        assert (told.stored, told.missing, told.problems) == (len(share), len(lines) - len(share), ())
    assert result == at_once
    assert asked[:2] == [300, 300]  # a third of the first questions again, and the second ones of the rest
    assert len(store) == 601


def test_a_file_that_is_interrupted_leaves_the_one_before(
    folder: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = BatchFile(folder)
    note(batch, ask("1"))
    before = batch.write().read_bytes()
    note(batch, ask("2"))

    for room in range(2):  # for that many of the two files
        left = iter(range(room))

        def fail(_: int, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise OSError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", fail)
            with pytest.raises(OSError, match="full"):
                batch.write()
        assert (folder / "requests.jsonl").read_bytes() == before
    assert len(batch.write().read_bytes().splitlines()) == 2


def test_errors_travel_between_processes() -> None:
    import pickle

    from envscaler_gym import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ModelError)]
    assert len(kinds) == 10
    for kind in kinds:
        error = kind("what happened")
        if isinstance(error, errors.ModelUnavailable):
            error.failures = {"timeout": 1}
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), vars(copy)) == (kind, "what happened", vars(error))


def test_models_are_light_to_import(run_python: Callable[..., str]) -> None:
    modules = [module.name for module in pkgutil.iter_modules(envscaler_gym.llm.__path__, "envscaler_gym.llm.")]
    assert "envscaler_gym.llm.litellm_model" in modules
    code = "".join(f"import {name}\n" for name in modules)
    assert run_python(code + "import sys; print('litellm' in sys.modules, 'httpx' in sys.modules)") == "False False\n"
