"""The worker: runs generated code in a process that is locked down, and answers one request after the other.

It uses the same classes as code that runs in the host's process, so that both give the same texts.
"""

from __future__ import annotations

import marshal
import os
import time
from functools import lru_cache
from typing import Any

import msgspec

from envscaler_gym.ambient import Ambient, VirtualDate, VirtualDatetime
from envscaler_gym.errors import EnvironmentFailure, LoadFailure, ReplyTooLarge, StateTooLarge, describe_error
from envscaler_gym.isolation import encoding
from envscaler_gym.isolation.frames import (
    HEADER,
    OUT_OF_MEMORY,
    Advance,
    Advanced,
    Batch,
    Call,
    Clock,
    Compile,
    Compiled,
    Failed,
    FailureKind,
    GetState,
    Grade,
    GradeAll,
    Load,
    Loaded,
    Request,
    Restore,
    Restored,
    Result,
    Results,
    StateIs,
    Verdict,
    Verdicts,
    frame,
)
from envscaler_gym.isolation.guarded import guarded_builtins
from envscaler_gym.isolation.probe_frames import ProbeRequest
from envscaler_gym.isolation.probe_server import ProbeServer
from envscaler_gym.state import to_json
from envscaler_gym.types import ToolResult
from envscaler_gym.verdicts import run_check
from envscaler_gym.world import InProcessWorld, Program, WorldSnapshot, compile_class

__all__ = ["builtins", "serve"]

_DATES = encoding.DateTypes(VirtualDate, VirtualDatetime)
_decoder = msgspec.msgpack.Decoder(Request | ProbeRequest)
_encoder = msgspec.msgpack.Encoder()


@lru_cache(maxsize=1)
def builtins() -> dict[str, Any]:
    """Return the builtins of generated code, made once in the zygote."""
    return guarded_builtins()


def serve(channel: int) -> None:
    """Answer requests until the host closes the socket."""
    worker = _Worker(channel)
    while True:
        message = _read_frame(channel)
        if message is None:
            return
        try:
            worker.answer(_decoder.decode(message))
        except MemoryError:
            os._exit(OUT_OF_MEMORY)


class _Worker:
    """What one worker holds."""

    def __init__(self, channel: int) -> None:
        self.channel = channel
        self.ambient = Ambient("1970-01-01", "")
        self.world: InProcessWorld
        self.state_bytes = self.reply_bytes = 0
        self.probes = ProbeServer(self.decode, builtins())

    def send(self, message: msgspec.Struct) -> None:
        data = memoryview(frame(_encoder.encode(message)))
        while data:
            data = data[os.write(self.channel, data) :]

    def answer(self, request: Request | ProbeRequest) -> None:
        try:
            if isinstance(request, Grade):
                self.grade(request)
            elif isinstance(request, GradeAll):
                self.grade_all(request)
            elif isinstance(request, ProbeRequest):
                self.send(self.probes.answer(request))
            else:
                self.send(self.do(request))
        except MemoryError:
            raise
        except EnvironmentFailure as failure:
            self.send(_failed(failure))
        except BaseException as error:  # whatever generated code may raise ends here
            self.send(Failed("crash", describe_error(error)))

    def do(self, request: Compile | Load | Restore | Call | Batch | Advance | GetState) -> msgspec.Struct:
        if isinstance(request, Call):
            return Result(self.world.call(request.name, self.decode(request.arguments)))
        if isinstance(request, Batch):
            return self.run_batch(request)
        if isinstance(request, Advance):
            self.world.advance(request.microseconds)
            return Advanced()
        if isinstance(request, GetState):
            state = self.encode_state(exact=request.exact)
            return StateIs(Clock.of(self.ambient), state)
        if isinstance(request, Load):
            return self.load(request)
        if isinstance(request, Compile):
            return Compiled(marshal.dumps(compile_class(request.source, request.class_name)))
        ambient = request.clock.microseconds, request.clock.rng
        self.world.restore(WorldSnapshot(self.decode(request.state), ambient))
        return Restored()

    def load(self, request: Load) -> Loaded:
        code = marshal.loads(request.code)  # noqa: S302 - from a worker that compiled it and ran nothing; this is one too
        program = Program(code, request.class_name, request.tools, request.makes_sets, builtins())
        self.world = InProcessWorld(program, request.reply_bytes)
        self.reply_bytes, self.state_bytes = request.reply_bytes, request.state_bytes
        self.ambient = request.clock.ambient()
        self.world.load(self.decode(request.start_state), self.ambient)
        clock = Clock.of(self.ambient)
        wanted = request.want_state or clock != request.clock
        return Loaded(clock, self.encode_state(exact=False) if wanted else None)

    def run_batch(self, request: Batch) -> Results:
        """Run calls until all are done, the time is up or the answer is long enough, but at least one."""
        end = time.monotonic() + request.seconds
        space = self.reply_bytes
        results: list[ToolResult] = []
        for name, arguments in self.decode(request.calls):
            try:
                result = self.world.call(name, arguments)
            except EnvironmentFailure as failure:
                return Results(results, _failed(failure))
            results.append(result)
            space -= len(result.text) if result.text.isascii() else len(result.text.encode())
            if space < 0 or time.monotonic() > end:
                break
        return Results(results, None)

    def grade(self, request: Grade) -> None:
        ambient = request.clock.ambient()
        for source in request.sources:
            self.send(self.verdict(source, request.initial_state, request.final_state, ambient))

    def grade_all(self, request: GradeAll) -> None:
        ambient = request.clock.ambient()
        for final in request.final_states:
            # As in this process: one pair of copies serves all checks, unless one of them has written to it.
            shared = self.decode(request.initial_state), self.decode(final)
            before = to_json(shared)
            verdicts = [self.judge(source, *shared, ambient) for source in request.sources]
            if to_json(shared) != before:
                verdicts = [self.verdict(source, request.initial_state, final, ambient) for source in request.sources]
            self.send(Verdicts(verdicts))

    def verdict(self, source: str, initial: bytes, final: bytes, ambient: Ambient) -> Verdict:
        return self.judge(source, self.decode(initial), self.decode(final), ambient)

    def judge(self, source: str, initial: Any, final: Any, ambient: Ambient) -> Verdict:
        start = ambient.snapshot()
        verdict = run_check(source, initial, final, ambient, start, builtins())
        ambient.restore(start)
        return Verdict(verdict.passed, verdict.error and verdict.error.encode("utf-8", "backslashreplace").decode())

    def decode(self, data: bytes) -> Any:
        return encoding.decode_trusted(data, _DATES)

    def encode_state(self, *, exact: bool) -> bytes:
        state = self.world.live_state()
        try:
            data = encoding.encode(state) if exact else encoding.encode_lossy(state)[0]
        except encoding.NotDataError as error:
            raise StateTooLarge(f"the state cannot be written as data: {error}") from None
        if len(data) > self.state_bytes:
            raise StateTooLarge(f"the state takes {len(data)} bytes, at most {self.state_bytes} are allowed")
        return data


def _failed(failure: EnvironmentFailure) -> Failed:
    kind: FailureKind = "tool"
    if isinstance(failure.__cause__, MemoryError):
        kind = "memory"
    elif isinstance(failure, LoadFailure):
        kind = "load"
    elif isinstance(failure, ReplyTooLarge):
        kind = "reply"
    elif isinstance(failure, StateTooLarge):
        kind = "state"
    return Failed(kind, str(failure))


def _read_frame(channel: int) -> bytes | None:
    header = _read(channel, HEADER.size)
    return None if header is None else _read(channel, HEADER.unpack(header)[0])


def _read(channel: int, count: int) -> bytes | None:
    parts: list[bytes] = []
    while count:
        part = os.read(channel, count)
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
