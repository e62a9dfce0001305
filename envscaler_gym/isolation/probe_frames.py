"""What host and worker say to each other where calls are tried instead of played; see :mod:`.frames`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from envscaler_gym.isolation.evidence import Evidence, Line, Lines
from envscaler_gym.isolation.frames import Clock
from envscaler_gym.isolation.instrument import Caught

__all__ = [
    "Begin",
    "Begun",
    "CompileCounted",
    "CountsAre",
    "GetCounts",
    "GetProbed",
    "Judge",
    "Judged",
    "Prepare",
    "Prepared",
    "ProbeRequest",
    "ProbedIs",
    "Tried",
    "Try",
]


class _Message(msgspec.Struct, frozen=True, array_like=True, tag=True, forbid_unknown_fields=True):
    """Written as ``[type, field, ...]``."""


class CompileCounted(_Message, frozen=True):
    """Compile a module with counters in it, without running it; answered by ``Compiled``.

    Attributes:
        source: Its source.
        class_name: Name of the class in it.
    """

    source: str
    class_name: str


class Prepare(_Message, frozen=True):
    """Execute a module and its invariants; for the fields see :class:`~envscaler_gym.isolation.probe.Subject`.

    Attributes:
        code: The compiled module.
        state_bytes: Longest encoded state.
    """

    code: bytes
    class_name: str
    tools: tuple[str, ...]
    makes_sets: bool
    counters: int
    invariants: str | None
    state_bytes: int


class Prepared(_Message, frozen=True):
    """The modules have run.

    Attributes:
        invariants: Name and rule of each invariant.
    """

    invariants: Annotated[list[tuple[Line, Line]], msgspec.Meta(max_length=1000)]


class Begin(_Message, frozen=True):
    """Build an instance, in the process that has had others.

    Attributes:
        start_state: The encoded start state.
        clock: The episode's clock.
    """

    start_state: bytes
    clock: Clock


class Begun(_Message, frozen=True):
    """The instance is built."""


class Try(_Message, frozen=True):
    """Call tools one after the other.

    Attributes:
        calls: Encoded list of names and arguments.
        seconds: Time after which no further call is begun.
    """

    calls: bytes
    seconds: float


class Tried(_Message, frozen=True):
    """What was seen of the first calls, where time or space did not suffice for all."""

    evidence: list[Evidence]


class Judge(_Message, frozen=True):
    """Hold states against the invariants.

    Attributes:
        states: Encoded list of states.
    """

    states: bytes


class Judged(_Message, frozen=True):
    """What breaks the invariants, by name, for each state."""

    violations: list[Annotated[Mapping[Line, Lines], msgspec.Meta(max_length=1000)]]


class GetProbed(_Message, frozen=True):
    """Return the state."""


class ProbedIs(_Message, frozen=True):
    """The encoded state."""

    state: bytes


class GetCounts(_Message, frozen=True):
    """Return the counters."""


class CountsAre(_Message, frozen=True):
    """The counters, and the exceptions that the module swallowed."""

    counts: list[Annotated[int, msgspec.Meta(ge=0)]]
    caught: Annotated[list[Caught], msgspec.Meta(max_length=1000)]


ProbeRequest = CompileCounted | Prepare | Begin | Try | Judge | GetProbed | GetCounts
