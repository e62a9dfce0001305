"""Completions on disk: one file that is only ever appended to."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from envscaler_gym.errors import StoreDamaged, describe_error
from envscaler_gym.llm.model import Completion, CompletionRequest
from envscaler_gym.state import canonical_json, digest
from envscaler_gym.types import JSON

__all__ = ["CompletionStore"]

_SHARED = ("messages", "tools")
"""Fields of a request whose items are written once for all requests."""


class CompletionStore:
    """Requests and their completions, in a JSON Lines file.

    There are two kinds of lines. ``{"part": name, "value": …}`` is a message, a tool or a schema, which many requests
    share and which is written once: every turn of a conversation repeats all turns before it. ``{"digest": …,
    "request": …, "completion": …}`` is an answer; its request names its parts, by the digests of their values.

    An answer is on disk before :meth:`put` returns, and a process that is killed leaves at most one line that breaks
    off, which the next one to write removes. The file is made by the first answer that is put into it, so a store that
    is only read may lie where nothing can be written. Threads may share a store; two processes may not write to one.

    Args:
        path: The file. It need not exist.

    Raises:
        StoreDamaged: A line cannot be read, and is not one that broke off at the end.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._parts: dict[str, JSON] = {}
        self._requests: dict[str, Mapping[str, JSON]] = {}
        self._completions: dict[str, Completion] = {}
        self._length = 0
        self._file: int | None = None
        self._lock = threading.Lock()
        if self.path.exists():
            self._read()

    def __len__(self) -> int:
        return len(self._completions)

    def __contains__(self, request_digest: str) -> bool:
        return request_digest in self._completions

    @property
    def digest(self) -> str:
        """SHA-256 over all requests and what was answered, whatever the order; the provider's failures are no part."""
        with self._lock:
            answered = {key: value.model_dump(exclude={"failures"}) for key, value in self._completions.items()}
        return digest(answered)

    def get(self, request_digest: str) -> Completion | None:
        """Return the completion of a request, or ``None``."""
        return self._completions.get(request_digest)

    def exchanges(self) -> Iterator[tuple[CompletionRequest, Completion]]:
        """Iterate over requests and completions, in the order in which they were stored."""
        for key, request in list(self._requests.items()):
            yield self._joined(request), self._completions[key]

    def put(self, request: CompletionRequest, completion: Completion) -> Completion:
        """Store a completion.

        Returns:
            The completion of that request from now on: the one that was stored first.
        """
        key = request.digest
        with self._lock:
            if key not in self._completions:
                lines, parts, split = self._split(request)
                answer = completion.model_dump(mode="json", exclude_defaults=True)
                lines.append({"digest": key, "request": split, "completion": answer})
                self._append(b"".join(canonical_json(line) + b"\n" for line in lines))
                self._parts |= parts
                self._requests[key] = split
                self._completions[key] = completion
            return self._completions[key]

    def close(self) -> None:
        """Close the file. A store that is closed can be read, and opens its file again when it is written to."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _split(self, request: CompletionRequest) -> tuple[list[JSON], dict[str, JSON], dict[str, JSON]]:
        """Return the lines of the parts that are new, these parts by name, and the request in terms of parts."""
        new: dict[str, JSON] = {}

        def part(value: JSON) -> str:
            name = digest(value).removeprefix("sha256:")[:24]
            if name not in self._parts:
                new[name] = value
            return name

        split = request.model_dump(mode="json", exclude_defaults=True)
        for field in _SHARED:
            if field in split:
                split[field] = [part(value) for value in split[field]]
        if "response_schema" in split:
            split["response_schema"] = part(split["response_schema"])
        return [{"part": name, "value": value} for name, value in new.items()], new, split

    def _joined(self, split: Mapping[str, JSON]) -> CompletionRequest:
        whole = dict(split)
        for field in _SHARED:
            if field in whole:
                whole[field] = [self._parts[name] for name in whole[field]]
        if "response_schema" in whole:
            whole["response_schema"] = self._parts[whole["response_schema"]]
        return CompletionRequest.model_validate(whole)

    def _append(self, data: bytes) -> None:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = not self.path.exists()
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o644)
            if new:
                _sync_folder(self.path.parent)
        # A write that failed half-way, or a process that was killed, leaves what broke off behind the last good line.
        os.ftruncate(self._file, self._length)
        os.lseek(self._file, self._length, os.SEEK_SET)
        left = memoryview(data)
        while left:
            left = left[os.write(self._file, left) :]
        os.fsync(self._file)
        self._length += len(data)

    def _read(self) -> None:
        broken: tuple[int, str] | None = None
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    self._take(line)
                except (ValueError, LookupError, TypeError) as error:
                    broken = broken or (number, describe_error(error, 300))
                    continue
                if broken is not None:
                    raise StoreDamaged(
                        f"{self.path}, line {broken[0]}: {broken[1]}; only a last line may break off. "
                        "Put the file back from a copy, or delete that line to ask the model again."
                    )
                self._length += len(line)

    def _take(self, line: bytes) -> None:
        if not line.endswith(b"\n"):
            raise ValueError("the line breaks off")
        value = json.loads(line)
        if "part" in value:
            self._parts[value["part"]] = value["value"]
            return
        request = self._joined(value["request"])
        if request.digest != value["digest"]:
            raise ValueError(f"it holds a request of digest {request.digest} as {value['digest']}")
        completion = Completion.model_validate_json(json.dumps(value["completion"]))
        self._requests[value["digest"]] = value["request"]
        self._completions[value["digest"]] = completion


def _sync_folder(folder: Path) -> None:
    """Put a new file's name on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
