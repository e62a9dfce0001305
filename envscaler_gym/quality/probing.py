"""Probers: an environment's class and invariants, wherever they may run, and what is seen of each call."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import msgspec

from envscaler_gym.ambient import Ambient, ambient_builtins
from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import (
    EnvironmentFailure,
    ProtocolViolation,
    WorkerCrash,
    WorkerTimeout,
    describe_error,
)
from envscaler_gym.isolation import encoding
from envscaler_gym.isolation.evidence import MAX_TEXT, Evidence
from envscaler_gym.isolation.frames import Clock, Compiled, Failed
from envscaler_gym.isolation.instrument import Caught, Instrumented, compile_instrumented, instrument
from envscaler_gym.isolation.levels import level_of
from envscaler_gym.isolation.limits import Limits
from envscaler_gym.isolation.probe import Probe, Subject
from envscaler_gym.isolation.probe_frames import (
    Begin,
    Begun,
    CompileCounted,
    CountsAre,
    GetCounts,
    GetProbed,
    Judge,
    Judged,
    Prepare,
    Prepared,
    ProbedIs,
    Tried,
    Try,
)
from envscaler_gym.isolation.workers import Worker
from envscaler_gym.isolation.world import SLACK, failure_of
from envscaler_gym.state import copy_state
from envscaler_gym.tools import parse_module
from envscaler_gym.types import JSON
from envscaler_gym.world import makes_sets

__all__ = ["Call", "Counts", "Evidence", "Prober", "counted", "make_prober"]

Call = tuple[str, dict[str, JSON]]
"""Name of a tool and validated arguments."""

Violations = dict[str, list[str]]

_LIMITS = replace(Limits(), cpu_seconds=3600)  # a prober's worker lives through thousands of episodes
_ANSWER = 8 << 20  # bytes; a single call's evidence stays below
_MEMORY = 4  # times the bytes that a state is sent in
_SHARE = 0.5  # seconds of trying after which a worker answers with what it has
_STATES = 16  # states that are judged with one message
_encode = msgspec.msgpack.Encoder().encode
_T = TypeVar("_T")
_TRIED: msgspec.msgpack.Decoder[Tried | Failed] = msgspec.msgpack.Decoder(Tried | Failed)
_BEGUN: msgspec.msgpack.Decoder[Begun | Failed] = msgspec.msgpack.Decoder(Begun | Failed)
_JUDGED: msgspec.msgpack.Decoder[Judged | Failed] = msgspec.msgpack.Decoder(Judged | Failed)
_PROBED: msgspec.msgpack.Decoder[ProbedIs | Failed] = msgspec.msgpack.Decoder(ProbedIs | Failed)
_COUNTS: msgspec.msgpack.Decoder[CountsAre | Failed] = msgspec.msgpack.Decoder(CountsAre | Failed)
_PREPARED: msgspec.msgpack.Decoder[Prepared | Failed] = msgspec.msgpack.Decoder(Prepared | Failed)
_COMPILED: msgspec.msgpack.Decoder[Compiled | Failed] = msgspec.msgpack.Decoder(Compiled | Failed)
_Code = TypeVar("_Code", CodeType, bytes)


class Counts(NamedTuple):
    """What has been counted since the prober was made.

    Attributes:
        counts: The counters of :func:`counted`.
        caught: The exceptions that the class swallowed, by line.
    """

    counts: list[int]
    caught: list[Caught]


class Prober(Protocol):
    """Runs one environment's class and invariants. Episodes follow one another in the same process.

    Attributes:
        invariants: Name and rule of each invariant; none where the bundle has no invariants.
    """

    invariants: tuple[tuple[str, str], ...]

    def load(self, start_state: Mapping[str, Any], clock: str, seed: int | str) -> None:
        """Begin an episode.

        Args:
            start_state: What it starts from; copied.
            clock: Time at the start, ISO 8601.
            seed: Seed of ids and randomness.

        Raises:
            EnvironmentFailure: The class cannot be built.
        """
        ...

    def probe(self, calls: Sequence[Call]) -> list[Evidence]:
        """Run tools with validated arguments, one after the other, and return what was seen of each.

        A call that kills its worker, or does not come back, ends the episode: its evidence is the last.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Return a copy of the episode's state."""
        ...

    def violations(self, states: Sequence[Mapping[str, Any]]) -> list[Violations]:
        """Return for each state what breaks each invariant, by name; invariants that hold are left out.

        The text of an invariant that raised begins with ``"raised "``.

        Raises:
            EnvironmentFailure: The invariants did not answer.
        """
        ...

    def counts(self) -> Counts:
        """Return what has been counted."""
        ...

    def close(self) -> None:
        """Give up what the prober holds. Closing twice is allowed."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


def make_prober(bundle: Bundle, *, trust: bool = False) -> Prober:
    """Return a prober of a bundle: in this process for reviewed code, otherwise in a worker.

    Args:
        bundle: The bundle.
        trust: Treat it as reviewed.

    Raises:
        LoadFailure: The class or the invariants cannot be executed.
        IsolationUnavailable: It is to run in a worker, and this machine cannot lock one down.
    """
    if level_of(bundle, trust=trust) == "process":
        return _ProcessProber(bundle)
    return _WorkerProber(bundle)


@lru_cache(maxsize=16)
def counted(source: str) -> Instrumented:
    """Return what the counters of a module count. The module is parsed, not run."""
    return instrument(parse_module(source))


class _ProcessProber:
    """A prober of reviewed code."""

    def __init__(self, bundle: Bundle) -> None:
        code = _compiled(bundle.source, bundle.manifest.class_name)
        self._probe = Probe(_subject(bundle, code), ambient_builtins())
        self.invariants = tuple((rule.name, rule.rule) for rule in self._probe.invariants)

    def load(self, start_state: Mapping[str, Any], clock: str, seed: int | str) -> None:
        self._probe.load(start_state, Ambient(clock, str(seed)))

    def probe(self, calls: Sequence[Call]) -> list[Evidence]:
        return [self._probe.call(name, copy_state(arguments)) for name, arguments in calls]

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = copy_state(self._probe.live_state())
        return state

    def violations(self, states: Sequence[Mapping[str, Any]]) -> list[Violations]:
        return [_lists(self._probe.violations(state)) for state in states]

    def counts(self) -> Counts:
        return Counts(list(self._probe.counts()), self._probe.caught())

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _WorkerProber:
    """A prober of code that nobody has reviewed."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._code = _compiled_in_worker(bundle.source, bundle.manifest.class_name)
        self._worker: Worker | None = None
        self._start: Begin
        self._calls: list[Call] = []
        self._prepare()

    def load(self, start_state: Mapping[str, Any], clock: str, seed: int | str) -> None:
        self._start = Begin(encoding.encode(dict(start_state)), Clock.of(Ambient(clock, str(seed))))
        self._calls = []
        self._begin()

    def probe(self, calls: Sequence[Call]) -> list[Evidence]:
        try:
            evidence = self._try(calls)
        except (WorkerTimeout, WorkerCrash, ProtocolViolation):
            evidence = self._one_by_one(calls)
        self._calls += calls[: len(evidence)]
        return evidence

    def state(self) -> dict[str, Any]:
        answer = self._ask(GetProbed(), _PROBED, _LIMITS.load_seconds, _LIMITS.state_bytes, "the state")
        try:
            state = encoding.decode(answer.state, _MEMORY * _LIMITS.state_bytes)
        except (encoding.TooLargeError, encoding.DecodingError) as error:
            raise ProtocolViolation(f"the worker answered the state with something else: {error}") from None
        if type(state) is not dict:
            raise ProtocolViolation(f"the worker answered the state with a {type(state).__name__}")
        return state

    def violations(self, states: Sequence[Mapping[str, Any]]) -> list[Violations]:
        found: list[Violations] = []
        for first in range(0, len(states), _STATES):
            some = [dict(state) for state in states[first : first + _STATES]]
            answer = self._ask(Judge(encoding.encode(some)), _JUDGED, _LIMITS.load_seconds, _ANSWER, "the violations")
            if len(answer.violations) != len(some):
                raise ProtocolViolation(f"the worker judged {len(some)} states with {len(answer.violations)} answers")
            found += map(_lists, answer.violations)
        return found

    def counts(self) -> Counts:
        answer = self._ask(GetCounts(), _COUNTS, _LIMITS.load_seconds, _ANSWER, "the counters")
        if len(answer.counts) != counted(self._bundle.source).counters:
            raise ProtocolViolation(f"the worker sent {len(answer.counts)} counters, which are not those of the source")
        return Counts(answer.counts, answer.caught)

    def close(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _prepare(self) -> None:
        """Start a worker and have it execute the modules."""
        self.close()
        source = self._bundle.source + (self._bundle.invariants_source or "")
        deadline = time.monotonic() + _LIMITS.load_seconds
        self._worker = Worker(_LIMITS, time_zones="zoneinfo" in source, deadline=deadline)
        subject = _subject(self._bundle, self._code)
        request = Prepare(*subject, state_bytes=_LIMITS.state_bytes)
        answer = self._ask(request, _PREPARED, _LIMITS.load_seconds, _ANSWER, "prepare")
        self.invariants = tuple(answer.invariants)

    def _begin(self) -> None:
        if self._worker is None or not self._worker.alive:
            self._prepare()
        self._ask(self._start, _BEGUN, _LIMITS.load_seconds, 0, "load")

    def _try(self, calls: Sequence[Call]) -> list[Evidence]:
        evidence: list[Evidence] = []
        while len(evidence) < len(calls):
            rest = calls[len(evidence) :]
            what = f"{len(rest)} calls"
            request = Try(encoding.encode_calls(rest), _SHARE)
            answer = self._ask(request, _TRIED, _SHARE + _LIMITS.call_seconds, _ANSWER, what)
            if not 0 < len(answer.evidence) <= len(rest):
                raise ProtocolViolation(f"the worker answered {what} with evidence of {len(answer.evidence)}")
            evidence += answer.evidence
        return evidence

    def _one_by_one(self, calls: Sequence[Call]) -> list[Evidence]:
        """Play the episode again in another worker, and find the call that ended the last one, if one does."""
        evidence: list[Evidence] = []
        try:
            self._prepare()
            self._begin()
            if self._calls:
                self._try(self._calls)
            for call in calls:
                evidence += self._try([call])
        except EnvironmentFailure as failure:
            evidence.append(Evidence(raised=describe_error(failure, MAX_TEXT), lost=True))
        return evidence

    def _ask(
        self,
        request: msgspec.Struct,
        decoder: msgspec.msgpack.Decoder[_T | Failed],
        seconds: float,
        limit: int,
        what: str,
    ) -> _T:
        if self._worker is None:
            raise WorkerCrash(f"the worker has ended; load() starts another, and can then be asked for {what}")
        deadline = time.monotonic() + seconds
        self._worker.send(_encode(request), deadline, what)
        received = self._worker.receive(decoder, deadline, limit + SLACK, what)
        if isinstance(received, Failed):
            raise failure_of(received)
        return received


def _lists(violations: Mapping[str, tuple[str, ...]]) -> Violations:
    return {name: list(lines) for name, lines in violations.items()}


def _subject(bundle: Bundle, code: _Code) -> Subject[_Code]:
    return Subject(
        code=code,
        class_name=bundle.manifest.class_name,
        tools=tuple(bundle.tools),
        makes_sets=makes_sets(bundle.source),
        counters=counted(bundle.source).counters,
        invariants=bundle.invariants_source,
    )


@lru_cache(maxsize=16)
def _compiled(source: str, class_name: str) -> CodeType:
    return compile_instrumented(source, class_name)


@lru_cache(maxsize=16)
def _compiled_in_worker(source: str, class_name: str) -> bytes:
    """Return a module compiled with counters by a worker of its own, which runs nothing."""
    deadline = time.monotonic() + _LIMITS.load_seconds
    worker = Worker(_LIMITS, time_zones=False, deadline=deadline)
    try:
        worker.send(_encode(CompileCounted(source, class_name)), deadline, "compile")
        answer = worker.receive(_COMPILED, deadline, _ANSWER, "compile")
    finally:
        worker.kill()
    if isinstance(answer, Failed):
        raise failure_of(answer)
    return answer.code
