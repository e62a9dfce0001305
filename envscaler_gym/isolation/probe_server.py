"""The worker's side of trying calls: one probe, which outlives many episodes."""

from __future__ import annotations

import marshal
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from envscaler_gym.errors import StateTooLarge
from envscaler_gym.isolation import encoding
from envscaler_gym.isolation.evidence import Evidence
from envscaler_gym.isolation.frames import Compiled
from envscaler_gym.isolation.instrument import compile_instrumented
from envscaler_gym.isolation.probe import Probe, Subject
from envscaler_gym.isolation.probe_frames import (
    Begin,
    Begun,
    CompileCounted,
    CountsAre,
    GetProbed,
    Judge,
    Judged,
    Prepare,
    Prepared,
    ProbedIs,
    ProbeRequest,
    Tried,
    Try,
)

__all__ = ["ProbeServer"]

_MOST = 256 << 10
"""Bytes of evidence after which an answer ends."""


class ProbeServer:
    """Answers what concerns probes.

    Args:
        decode: Decodes states and arguments.
        builtins: Builtins of generated code.
    """

    def __init__(self, decode: Callable[[bytes], Any], builtins: Mapping[str, Any]) -> None:
        self._decode = decode
        self._builtins = builtins
        self._probe: Probe
        self._state_bytes = 0

    def answer(self, request: ProbeRequest) -> msgspec.Struct:
        """Return the answer to a request.

        Raises:
            EnvironmentFailure: It cannot be met.
        """
        if isinstance(request, Try):
            return Tried(self._try(request))
        if isinstance(request, Begin):
            self._probe.load(self._decode(request.start_state), request.clock.ambient())
            return Begun()
        if isinstance(request, Judge):
            return Judged([self._probe.violations(state) for state in self._decode(request.states)])
        if isinstance(request, GetProbed):
            return ProbedIs(self._state())
        if isinstance(request, Prepare):
            return self._prepare(request)
        if isinstance(request, CompileCounted):
            return Compiled(marshal.dumps(compile_instrumented(request.source, request.class_name)))
        return CountsAre(self._probe.counts(), self._probe.caught())

    def _prepare(self, request: Prepare) -> Prepared:
        code = marshal.loads(request.code)  # noqa: S302 - from a worker that compiled it and ran nothing; this is one too
        subject = Subject(
            code, request.class_name, request.tools, request.makes_sets, request.counters, request.invariants
        )
        self._probe = Probe(subject, self._builtins)
        self._state_bytes = request.state_bytes
        return Prepared([(invariant.name, invariant.rule) for invariant in self._probe.invariants])

    def _try(self, request: Try) -> list[Evidence]:
        """Try calls until all are done, the time is up or the answer is long enough, but at least one."""
        end = time.monotonic() + request.seconds
        space = _MOST
        evidence: list[Evidence] = []
        for name, arguments in self._decode(request.calls):
            seen = self._probe.call(name, arguments)
            evidence.append(seen)
            space -= len(seen.text) + len(seen.patch)
            if space < 0 or time.monotonic() > end:
                break
        return evidence

    def _state(self) -> bytes:
        try:
            data = encoding.encode_lossy(self._probe.live_state())[0]
        except encoding.NotDataError as error:
            raise StateTooLarge(f"the state cannot be written as data: {error}") from None
        if len(data) > self._state_bytes:
            raise StateTooLarge(f"the state takes {len(data)} bytes, at most {self._state_bytes} are allowed")
        return data
