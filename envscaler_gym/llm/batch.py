"""Exchange of requests and answers by files, in the form of the OpenAI Batch API.

A batch API, vLLM's batch runner, or anything else that answers a file can then be the model::

    store = CompletionStore("run/completions.jsonl")
    batch = BatchFile("run/batch")
    model = Recorded(store, batch)      # the run asks this one
    ...                                 # it stops with WaitingForCompletions
    batch.write()                       # run/batch/requests.jsonl: to be answered
    ...
    read_answers("answers.jsonl", "run/batch", store)   # and run again
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from pydantic import ValidationError

from envscaler_gym.errors import WaitingForCompletions, shorten
from envscaler_gym.llm.chat import from_chat, to_chat
from envscaler_gym.llm.model import Completion, CompletionRequest
from envscaler_gym.llm.store import CompletionStore
from envscaler_gym.state import to_json
from envscaler_gym.types import JSON

__all__ = ["Answers", "BatchFile", "custom_id", "read_answers"]

REQUESTS = "requests.jsonl"
"""File that is to be answered."""
PENDING = "pending.jsonl"
"""File of the same requests in our own form, for who reads the answers."""


def custom_id(request: CompletionRequest) -> str:
    """Return the name of a request in batch files: the 64 hexadecimal digits of its digest."""
    return request.digest.removeprefix("sha256:")


class BatchFile:
    """A model that notes what it is asked, for a file that is answered later.

    A request raises :class:`~envscaler_gym.errors.WaitingForCompletions` at once, rather than wait for its answer. So
    it holds up nothing that other requests could be waiting for, however few calls may be made at once. A run whose
    branches are joined by :func:`~envscaler_gym.llm.together.together` comes to an end when each of them is finished or
    waits. What depends on answers is asked in the next round, when the run goes through the same steps over the store.

    Args:
        folder: Folder for the files. It is made when they are written.
    """

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)
        self._pending: dict[str, CompletionRequest] = {}

    @property
    def pending(self) -> tuple[CompletionRequest, ...]:
        """The requests that wait for an answer, in an order that does not depend on who asked first."""
        return tuple(request for _, request in sorted(self._pending.items()))

    async def complete(self, request: CompletionRequest) -> Completion:
        """Note a request.

        Raises:
            WaitingForCompletions: Always.
        """
        self._pending.setdefault(custom_id(request), request)
        raise WaitingForCompletions(
            f"a request ({request.purpose or 'no purpose'}) waits for its answer in {self._folder / REQUESTS}. "
            "Have that file answered (by a batch API, or by vLLM's run_batch), read the answers, and resume the run."
        )

    def write(self) -> Path:
        """Write the requests that wait, and return the file that is to be answered.

        It is an input file of the OpenAI Batch API. The files of the round before are replaced: what it asked, and is
        not answered yet, is asked again.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / REQUESTS
        requests = self.pending
        # The second file is what makes answers of the first readable, so it is there first.
        _write_lines(self._folder / PENDING, [request.model_dump(mode="json") for request in requests])
        _write_lines(path, [_line(request) for request in requests])
        return path


def _line(request: CompletionRequest) -> dict[str, JSON]:
    body = to_chat(request)
    return {"custom_id": custom_id(request), "method": "POST", "url": "/v1/chat/completions", "body": body}


def _write_lines(path: Path, values: list[dict[str, JSON]]) -> None:
    """Replace a file, or leave it as it was."""
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        file.writelines(to_json(value) + "\n" for value in values)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@dataclass(frozen=True, slots=True)
class Answers:
    """What became of a file of answers.

    Attributes:
        stored: Answers that are now in the store.
        known: Answers that were there already, the same.
        missing: Requests that still wait; the next round asks them again.
        problems: What could not be used, and why, with its line.
    """

    stored: int
    known: int
    missing: int
    problems: tuple[str, ...]


def read_answers(path: Path | str, folder: Path | str, store: CompletionStore) -> Answers:
    """Put the answers of a file into a store.

    A line is a line of the OpenAI Batch API's output, as vLLM's batch runner writes it, too; or, for answers from
    anywhere else, ``{"custom_id": …, "text": …}``, to which the other fields of a
    :class:`~envscaler_gym.llm.model.Completion` may be added. A line that cannot be used is reported and takes no other
    down, and whatever is left unanswered is asked again.

    Args:
        path: The file of answers.
        folder: Folder in which the requests were written.
        store: Where answers go.

    Raises:
        OSError: A file cannot be read.
    """
    requests = _read_pending(Path(folder) / PENDING)
    stored = known = 0
    problems: list[str] = []
    lines: dict[str, int] = {}
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                name, completion = _read_line(line)
                first = lines.setdefault(name, number)
                new = _keep(name, completion, requests, store)
            except ValueError as error:
                problems.append(f"{path}, line {number}: {error}")
                continue
            if first != number:
                problems.append(f"{path}, line {number}: {name} is answered by line {first} already, and equally")
                continue
            stored, known = stored + new, known + (not new)
    missing = sum(request.digest not in store for request in requests.values())
    return Answers(stored, known, missing, tuple(problems))


def _keep(name: str, completion: Completion, requests: Mapping[str, CompletionRequest], store: CompletionStore) -> bool:
    """Store an answer; return whether it was not there yet."""
    before = store.get(f"sha256:{name}")
    if before is not None:
        if before != completion:
            raise ValueError(f"{name} has been answered before, differently; that answer is kept")
        return False
    if name not in requests:
        raise ValueError(f"{shorten(name)} is none of the {len(requests)} requests that wait for an answer")
    store.put(requests[name], completion)
    return True


def _read_pending(path: Path) -> dict[str, CompletionRequest]:
    requests = map(CompletionRequest.model_validate_json, path.read_bytes().splitlines())
    return {custom_id(request): request for request in requests}


class _Response(msgspec.Struct):
    status_code: int
    body: JSON = None


class _Line(msgspec.Struct):
    """A line of answers, of either kind; fields of other names are read over."""

    custom_id: str
    response: _Response | None = None
    error: JSON = None
    text: str | None = None
    tool_calls: list[JSON] | None = None


_DECODER = msgspec.json.Decoder(_Line)


def _read_line(line: bytes) -> tuple[str, Completion]:
    """Return whose answer a line holds, and the answer.

    Raises:
        ValueError: It holds none; the message says what it holds.
    """
    read = _DECODER.decode(line)
    try:
        if read.response is not None and read.response.status_code == 200 and not read.error:
            return read.custom_id, from_chat(read.response.body)
        if read.response is None and not read.error and (read.text is not None or read.tool_calls):
            fields = msgspec.json.decode(line)
            del fields["custom_id"]
            return read.custom_id, Completion.model_validate_json(msgspec.json.encode(fields))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the answer"
        raise ValueError(f"the answer to {shorten(read.custom_id)} does not fit: {place}: {first['msg']}") from error
    raise ValueError(f"{shorten(read.custom_id)} was not answered: {_failure(read)}")


def _failure(read: _Line) -> str:
    """Return why a line holds no answer, in the words of who was to answer."""
    if read.error:
        return shorten(read.error, 300)
    if read.response is not None:
        return f"status {read.response.status_code}, {shorten(read.response.body, 300)}"
    return "the line has neither a response nor a text"
