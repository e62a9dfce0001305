"""A world that runs the class in a worker."""

from __future__ import annotations

import datetime
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn, TypeVar

import msgspec

from envscaler_gym.ambient import EPOCH, Ambient
from envscaler_gym.errors import (
    EnvironmentFailure,
    LoadFailure,
    ProtocolViolation,
    ReplyTooLarge,
    StateTooLarge,
    ToolFailure,
    WorkerCrash,
    WorkerOutOfMemory,
)
from envscaler_gym.isolation import encoding
from envscaler_gym.isolation.frames import (
    Advance,
    Advanced,
    Batch,
    Call,
    Clock,
    Compile,
    Compiled,
    Failed,
    GetState,
    Load,
    Loaded,
    Restore,
    Restored,
    Result,
    Results,
    StateIs,
)
from envscaler_gym.isolation.limits import Limits
from envscaler_gym.isolation.workers import Worker
from envscaler_gym.types import JSON, ToolResult
from envscaler_gym.world import WorldSnapshot, makes_sets

__all__ = ["IsolatedWorld", "WorkerProgram", "failure_of", "synchronize"]

SLACK = 1 << 16
"""Bytes that an answer may take beyond the text or state in it; failures are described in less."""

_FAILURES: Mapping[str, type[EnvironmentFailure]] = {
    "load": LoadFailure,
    "tool": ToolFailure,
    "reply": ReplyTooLarge,
    "state": StateTooLarge,
    "memory": WorkerOutOfMemory,
    "crash": WorkerCrash,
}
_MEMORY_FACTOR = 4  # of the memory that a decoded state may take, to the bytes that it is sent in
_BATCH_SECONDS = 0.25  # time after which a worker answers with the results that it has
_KNOWN_STATES = 64  # start states whose encoding is kept, by program
_MICROSECOND = datetime.timedelta(microseconds=1)
_EARLIEST = (datetime.datetime.min - EPOCH) // _MICROSECOND  # noqa: DTZ901 - virtual time is naive UTC
_LATEST = (datetime.datetime.max - EPOCH) // _MICROSECOND  # noqa: DTZ901
_encode = msgspec.msgpack.Encoder().encode
_T = TypeVar("_T")

_COMPILED: msgspec.msgpack.Decoder[Compiled | Failed] = msgspec.msgpack.Decoder(Compiled | Failed)
_LOADED: msgspec.msgpack.Decoder[Loaded | Failed] = msgspec.msgpack.Decoder(Loaded | Failed)
_RESULT: msgspec.msgpack.Decoder[Result | Failed] = msgspec.msgpack.Decoder(Result | Failed)
_RESULTS: msgspec.msgpack.Decoder[Results | Failed] = msgspec.msgpack.Decoder(Results | Failed)
_STATE: msgspec.msgpack.Decoder[StateIs | Failed] = msgspec.msgpack.Decoder(StateIs | Failed)
_ADVANCED: msgspec.msgpack.Decoder[Advanced | Failed] = msgspec.msgpack.Decoder(Advanced | Failed)
_RESTORED: msgspec.msgpack.Decoder[Restored | Failed] = msgspec.msgpack.Decoder(Restored | Failed)


class WorkerProgram:
    """What a worker needs to know of a synthesized class; shared by its worlds.

    Args:
        source: Source of the module; it is not run in this process.
        class_name: Name of the class.
        tools: Names of the methods that are tools.
    """

    def __init__(self, source: str, class_name: str, tools: tuple[str, ...]) -> None:
        self.source, self.class_name, self.tools = source, class_name, tools
        self.makes_sets = makes_sets(source)
        self.time_zones = "zoneinfo" in source
        self._code: bytes | None = None
        # By the identity of the start state, which is kept so that the identity stays its own: its encoding, and the
        # state after loading where that does not depend on the clock.
        self._known: OrderedDict[int, _StartState] = OrderedDict()

    def code(self, limits: Limits) -> bytes:
        """Return the compiled module, made once, in a worker of its own that runs nothing.

        To this process it is bytes: only workers of the same class read it.
        """
        if self._code is None:
            deadline = time.monotonic() + limits.load_seconds
            worker = Worker(limits, time_zones=False, deadline=deadline)
            try:
                request = Compile(self.source, self.class_name)
                self._code = _ask(worker, request, _COMPILED, deadline, limits.state_bytes, "compile").code
            finally:
                worker.kill()
        return self._code

    def start_state(self, state: Mapping[str, Any]) -> _StartState:
        """Return what is known of a start state."""
        key = id(state)
        if key not in self._known:
            self._known[key] = _StartState(state)
            if len(self._known) > _KNOWN_STATES:
                self._known.popitem(last=False)
        return self._known[key]


class _StartState:
    def __init__(self, state: Mapping[str, Any]) -> None:
        self.state = state
        self.data = _data(dict(state))
        self.loaded: Mapping[str, Any] | None = None


class IsolatedWorld:
    """A world that runs the class in a worker, a fresh one for each load. See :class:`~envscaler_gym.world.World`.

    Besides the failures named there, each method may raise WorkerTimeout, WorkerCrash and ProtocolViolation; the worker
    is dead then, and the next load starts another.

    Args:
        program: The class.
        limits: Limits of its workers.
    """

    def __init__(self, program: WorkerProgram, limits: Limits) -> None:
        self._program = program
        self._limits = limits
        self._worker: Worker | None = None
        self._ambient: Ambient

    @property
    def worker(self) -> Worker:
        """The worker of the running episode.

        Raises:
            WorkerCrash: There is none.
        """
        if self._worker is None or not self._worker.alive:
            raise WorkerCrash(f"the worker of {self._program.class_name} has ended; load() starts another")
        return self._worker

    def load(self, start_state: Mapping[str, Any], ambient: Ambient) -> Mapping[str, Any]:
        """Start a worker, build a new instance in it, and return its state."""
        self.close()
        self._ambient = ambient
        limits, program = self._limits, self._program
        start = program.start_state(start_state)
        request = Load(
            code=program.code(limits),
            class_name=program.class_name,
            tools=program.tools,
            makes_sets=program.makes_sets,
            start_state=start.data,
            clock=Clock.of(ambient),
            want_state=start.loaded is None,
            reply_bytes=limits.reply_bytes,
            state_bytes=limits.state_bytes,
        )
        deadline = time.monotonic() + limits.load_seconds
        self._worker = Worker(limits, time_zones=program.time_zones, deadline=deadline)
        loaded = self._ask(request, _LOADED, deadline, limits.state_bytes, "load")
        self._synchronize(loaded.clock)
        if loaded.state is None:
            if start.loaded is None:
                self._violation("load without a state that was asked for")
            return start.loaded
        state = self._decode(loaded.state)
        if loaded.clock == request.clock:
            start.loaded = state
        return state

    def call(self, name: str, arguments: dict[str, JSON]) -> ToolResult:
        """Run a tool in the worker."""
        return self.submit(name, arguments)()

    def submit(self, name: str, arguments: dict[str, JSON]) -> Callable[[], ToolResult]:
        """Send a call, and return the function that reads its result, and raises what went wrong in either."""
        deadline = time.monotonic() + self._limits.call_seconds
        try:
            self.worker.send(_encode(Call(name, _data(arguments))), deadline, name)
        except EnvironmentFailure as error:
            return partial(_raise, error)
        return partial(self._result, name, deadline)

    def _result(self, name: str, deadline: float) -> ToolResult:
        answer = self.worker.receive(_RESULT, deadline, self._limits.reply_bytes + SLACK, name)
        if isinstance(answer, Failed):
            raise failure_of(answer)
        return answer.result

    def call_many(self, calls: Sequence[tuple[str, dict[str, JSON]]]) -> list[ToolResult]:
        """Run tools in the worker, with one message each way for as many of them as time and space allow."""
        results: list[ToolResult] = []
        share = min(_BATCH_SECONDS, self._limits.call_seconds)
        while len(results) < len(calls):
            rest = calls[len(results) :]
            what = f"{len(rest)} calls"
            request = Batch(_data(rest, encoding.encode_calls), share)
            # The worker begins no call after its share of time, and the last one has the deadline of a call.
            deadline = time.monotonic() + share + self._limits.call_seconds
            answer = self._ask(request, _RESULTS, deadline, 2 * self._limits.reply_bytes + 16 * len(rest), what)
            if len(answer.results) > len(rest) or not (answer.results or answer.failure):
                self._violation(f"{what} with {len(answer.results)} results")
            results += answer.results
            if answer.failure is not None:
                raise failure_of(answer.failure)
        return results

    def advance(self, microseconds: int) -> None:
        """Let time pass on the worker's clock."""
        self._ask(Advance(microseconds), _ADVANCED, time.monotonic() + self._limits.call_seconds, 0, "advance")

    def state(self) -> dict[str, Any]:
        """Return the state, and move the episode's clock to the worker's."""
        return self._state(exact=False)

    def snapshot(self) -> WorldSnapshot:
        """Return state and clock as data.

        Raises:
            StateTooLarge: The state holds something that is not data.
        """
        return WorldSnapshot(self._state(exact=True), self._ambient.snapshot())

    def restore(self, snapshot: WorldSnapshot) -> None:
        """Go back to a snapshot, in the running worker."""
        self._ambient.restore(snapshot.ambient)
        request = Restore(_data(snapshot.state), Clock.of(self._ambient))
        self._ask(request, _RESTORED, time.monotonic() + self._limits.load_seconds, 0, "restore")

    def close(self) -> None:
        """Kill the worker. Closing twice is allowed."""
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def _state(self, *, exact: bool) -> dict[str, Any]:
        limits = self._limits
        answer = self._ask(
            GetState(exact), _STATE, time.monotonic() + limits.load_seconds, limits.state_bytes, "the state"
        )
        self._synchronize(answer.clock)
        return self._decode(answer.state, shared=exact)

    def _ask(
        self,
        request: msgspec.Struct,
        decoder: msgspec.msgpack.Decoder[_T | Failed],
        deadline: float,
        limit: int,
        what: str,
    ) -> _T:
        return _ask(self.worker, request, decoder, deadline, limit, what)

    def _decode(self, data: bytes, *, shared: bool = False) -> dict[str, Any]:
        try:
            state = encoding.decode(data, _MEMORY_FACTOR * self._limits.state_bytes, shared=shared)
        except encoding.TooLargeError as error:
            self.close()
            raise StateTooLarge(f"the state of {self._program.class_name} {error}") from None
        except encoding.DecodingError as error:
            self._violation(f"the state with something else: {error}")
        if type(state) is not dict:
            self._violation(f"the state with a {type(state).__name__}")
        return state

    def _synchronize(self, clock: Clock) -> None:
        try:
            synchronize(self._ambient, clock)
        except ValueError as error:
            self._violation(f"with an impossible clock: {error}")

    def _violation(self, problem: str) -> NoReturn:
        self.close()
        raise ProtocolViolation(f"the worker of {self._program.class_name} answered {problem}, and was killed")


def _ask(
    worker: Worker,
    request: msgspec.Struct,
    decoder: msgspec.msgpack.Decoder[_T | Failed],
    deadline: float,
    limit: int,
    what: str,
) -> _T:
    worker.send(_encode(request), deadline, what)
    answer = worker.receive(decoder, deadline, limit + SLACK, what)
    if isinstance(answer, Failed):
        raise failure_of(answer)
    return answer


def _data(value: Any, encode: Callable[[Any], bytes] = encoding.encode) -> bytes:
    try:
        return encode(value)
    except encoding.NotDataError as error:
        raise StateTooLarge(f"cannot be sent to a worker: {error}") from None


def _raise(error: EnvironmentFailure) -> NoReturn:
    raise error


def failure_of(failed: Failed) -> EnvironmentFailure:
    """Return the exception that a worker's failure is raised as."""
    return _FAILURES[failed.kind](failed.message)


def synchronize(ambient: Ambient, clock: Clock) -> None:
    """Put an ambient to what a worker says.

    Raises:
        ValueError: It is not something that a clock and a random source can be.
    """
    if clock.seed != ambient.seed or not _EARLIEST <= clock.microseconds <= _LATEST:
        raise ValueError(f"{clock.microseconds} microseconds since 1970")
    if clock.rng is not None:
        try:
            random.Random(0).setstate(clock.rng)  # noqa: S311 - a trial
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(str(error)) from None
    ambient.restore((clock.microseconds, clock.rng))
