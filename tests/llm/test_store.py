"""Completions survive whatever happens to the process that writes them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from envscaler_gym.errors import StoreDamaged
from envscaler_gym.llm.model import ChatMessage, Completion, CompletionRequest, FunctionCall
from envscaler_gym.llm.store import CompletionStore

Ask = Callable[..., CompletionRequest]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "completions.jsonl"


def everything(ask: Ask) -> tuple[CompletionRequest, Completion]:
    request = ask(
        "Grün 茶 \u2028",
        response_schema={"type": "object", "properties": {"b": {}, "a": {}}},
        tools=({"type": "function", "function": {"name": "find"}},),
        temperature=0.5,
        max_tokens=7,
        attempt=2,
    )
    completion = Completion(
        text='{"name": "Sencha\\n"}',
        tool_calls=(FunctionCall(id="c", name="find", arguments="{}"),),
        finish_reason="tool_calls",
        model="m",
        prompt_tokens=3,
        completion_tokens=4,
        cost_usd=0.1 + 0.2,
        failures={"timeout": 2},
    )
    return request, completion


def test_what_is_put_in_comes_out(path: Path, ask: Ask) -> None:
    request, completion = everything(ask)
    CompletionStore(path).put(request, completion)
    store = CompletionStore(path)
    assert store.get(request.digest) == completion
    assert list(store.exchanges()) == [(request, completion)]
    assert len(store) == 1
    assert request.digest in store
    assert ask().digest not in store
    assert store.get(ask().digest) is None


def test_purpose_is_kept_and_tells_nothing_apart(path: Path, ask: Ask) -> None:
    assert ask(purpose="a").digest == ask(purpose="b").digest
    assert ask(attempt=1).digest != ask(attempt=2).digest
    CompletionStore(path).put(ask(purpose="a"), Completion(text="x"))
    assert next(CompletionStore(path).exchanges())[0].purpose == "a"


def test_the_digest_follows_a_changed_copy(ask: Ask) -> None:
    request = ask()
    before = request.digest
    assert request.model_copy(update={"attempt": 5}).digest == ask(attempt=5).digest != before


def test_the_first_answer_stays(path: Path, ask: Ask) -> None:
    store = CompletionStore(path)
    assert store.put(ask(), Completion(text="first")).text == "first"
    assert store.put(ask(), Completion(text="second")).text == "first"
    assert CompletionStore(path).get(ask().digest) == Completion(text="first")


def test_a_store_that_is_only_read_makes_no_file(path: Path, ask: Ask) -> None:
    assert CompletionStore(path).get(ask().digest) is None
    assert not path.parent.exists()


def test_a_store_can_be_written_to_after_it_was_closed(path: Path, ask: Ask) -> None:
    store = CompletionStore(path)
    for number in range(3):
        store.put(ask(str(number)), Completion(text=str(number)))
        store.close()
    assert [completion.text for _, completion in CompletionStore(path).exchanges()] == ["0", "1", "2"]


def test_a_file_cut_anywhere_loses_only_what_was_not_written(path: Path, ask: Ask) -> None:
    store = CompletionStore(path)
    ends = []
    for number in range(3):
        store.put(ask(f"Tea {number}?", response_schema={"type": "object"}), Completion(text=f"tea {number}"))
        ends.append(path.stat().st_size)
    whole = path.read_bytes()
    near = {end + step for end in ends for step in (-1, 0, 1)} - {len(whole) + 1}
    for cut in sorted({*range(0, len(whole), 17), *near}):
        path.write_bytes(whole[:cut])
        survivor = CompletionStore(path)
        assert len(survivor) == sum(end <= cut for end in ends)
        survivor.put(ask("another"), Completion(text="more"))
        again = CompletionStore(path)
        assert len(again) == len(survivor)
        assert again.get(ask("another").digest) == Completion(text="more")
        survivor.close()


def test_a_long_line_that_broke_off_is_gone_after_a_short_one(path: Path, ask: Ask) -> None:
    CompletionStore(path).put(ask("1"), Completion(text="1"))
    with path.open("ab") as file:
        file.write(b'{"part": "' + b"x" * 5000)
    CompletionStore(path).put(ask("2"), Completion(text="2"))
    assert b"xxx" not in path.read_bytes()
    assert len(CompletionStore(path)) == 2


def test_a_damaged_line_is_named(path: Path, ask: Ask) -> None:
    store = CompletionStore(path)
    for number in range(2):
        store.put(ask(str(number)), Completion(text=str(number)))
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 4
    for broken, reason in ((b"{]\n", "JSONDecodeError"), (lines[1].replace(b'"test"', b'"toast"'), "holds a request")):
        path.write_bytes(b"".join([lines[0], broken, *lines[2:]]))
        with pytest.raises(StoreDamaged, match=rf"completions.jsonl, line 2: .*{reason}.*Put the file back"):
            CompletionStore(path)
    path.write_bytes(b"".join(lines[1:]))  # a message that an answer names is gone
    with pytest.raises(StoreDamaged, match="line 1: "):
        CompletionStore(path)


def test_what_requests_share_is_written_once(path: Path, ask: Ask) -> None:
    """A conversation of n turns takes room for n turns, though its requests hold n * n / 2."""
    store = CompletionStore(path)
    tools = tuple({"type": "function", "function": {"name": f"tool_{i}", "description": "d" * 200}} for i in range(10))
    messages: tuple[ChatMessage, ...] = (ChatMessage(role="system", content="s" * 5000),)
    for turn in range(40):
        messages += (ChatMessage(role="user", content=f"{turn} " + "u" * 300),)
        store.put(ask(messages=messages, tools=tools), Completion(text=f"{turn} " + "a" * 300))
        messages += (ChatMessage(role="assistant", content=f"{turn} " + "a" * 300),)
    assert path.stat().st_size < 150_000
    assert [len(request.messages) for request, _ in CompletionStore(path).exchanges()] == list(range(2, 82, 2))


def test_threads_may_share_a_store(path: Path, ask: Ask) -> None:
    store = CompletionStore(path)

    def write(thread: int) -> None:
        for number in range(20):
            store.put(ask(f"{thread}.{number}"), Completion(text=f"{thread}.{number}"))

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {completion.text for _, completion in CompletionStore(path).exchanges()} == {
        f"{thread}.{number}" for thread in range(4) for number in range(20)
    }


def test_the_digest_depends_on_answers_alone(tmp_path: Path, ask: Ask) -> None:
    stores = [CompletionStore(tmp_path / name) for name in "abc"]
    answers = [(ask(str(number)), Completion(text=str(number))) for number in range(3)]
    for request, completion in answers:
        stores[0].put(request, completion)
    for request, completion in reversed(answers):
        stores[1].put(request, completion.model_copy(update={"failures": {"timeout": 1}}))
    assert stores[0].digest == stores[1].digest == CompletionStore(tmp_path / "b").digest != stores[2].digest
    stores[2].put(*answers[0])
    assert stores[2].digest != stores[0].digest


WRITER = """
import sys
from envscaler_gym.llm.model import ChatMessage, Completion, CompletionRequest
from envscaler_gym.llm.store import CompletionStore

store = CompletionStore(sys.argv[1])
for number in range(len(store), 10**6):
    request = CompletionRequest(model="m", messages=(ChatMessage(role="user", content=f"{number}"),))
    store.put(request, Completion(text=f"{number} " + "x" * 5000))
    print(number, flush=True)
"""


def test_a_killed_writer_has_lost_nothing_that_it_told_of(path: Path) -> None:
    told = -1
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _, line in zip(range(15), writer.stdout, strict=False):
                told = int(line)
            os.kill(writer.pid, signal.SIGKILL)
            told = max([told, *(int(line) for line in writer.stdout if line.endswith("\n"))])
        texts = [completion.text.split()[0] for _, completion in CompletionStore(path).exchanges()]
        assert texts == [str(number) for number in range(len(texts))]
        assert len(texts) > told
    assert told >= 44
    assert all(json.loads(line) for line in path.read_text().splitlines()[:-1])
