"""What host, workers and zygote say to each other: frames of a length and a msgpack message, and the messages.

A host sends one request and reads its answer before it sends the next. Messages are decoded to the types below and to
nothing else; states and arguments inside them are opaque bytes (:mod:`~envscaler_gym.isolation.encoding`).
"""

from __future__ import annotations

import struct
from typing import Annotated, Literal

import msgspec

from envscaler_gym.ambient import Ambient
from envscaler_gym.types import ToolResult

__all__ = [
    "HEADER",
    "OUT_OF_MEMORY",
    "Advance",
    "Advanced",
    "Batch",
    "Call",
    "Clock",
    "Compile",
    "Compiled",
    "Failed",
    "FailureKind",
    "GetState",
    "Grade",
    "GradeAll",
    "Kill",
    "Killed",
    "Load",
    "Loaded",
    "Ready",
    "Request",
    "Restore",
    "Restored",
    "Result",
    "Results",
    "Spawn",
    "Spawned",
    "StateIs",
    "Unavailable",
    "Verdict",
    "Verdicts",
    "frame",
]

HEADER = struct.Struct(">I")
"""Length of the message that follows, in bytes."""

OUT_OF_MEMORY = 77
"""Exit status of a worker that had no memory left even to say so."""


def frame(message: bytes) -> bytes:
    """Return a message as it is sent."""
    return HEADER.pack(len(message)) + message


class _Message(msgspec.Struct, frozen=True, array_like=True, tag=True, forbid_unknown_fields=True):
    """Written as ``[type, field, ...]``."""


class Clock(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Clock and random source of an episode.

    Attributes:
        seed: Seed of the random source.
        microseconds: The time since the epoch.
        rng: State of the random source; ``None`` before its first use.
    """

    seed: str
    microseconds: int
    rng: tuple[int, Annotated[tuple[int, ...], msgspec.Meta(max_length=625)], float | None] | None

    @classmethod
    def of(cls, ambient: Ambient) -> Clock:
        """Return the clock of an ambient."""
        return cls(ambient.seed, *ambient.snapshot())

    def ambient(self) -> Ambient:
        """Return an ambient that goes on from here."""
        ambient = Ambient("1970-01-01", self.seed)
        ambient.restore((self.microseconds, self.rng))
        return ambient


# --- requests ---------------------------------------------------------------------------------------------------------


class Compile(_Message, frozen=True):
    """Compile a module, without running it.

    Attributes:
        source: Its source.
        class_name: Name of the class in it.
    """

    source: str
    class_name: str


class Load(_Message, frozen=True):
    """Build an instance.

    Attributes:
        code: The compiled module.
        class_name: Name of the class.
        tools: Names of the methods that are tools.
        makes_sets: Whether its results may hold sets.
        start_state: The encoded start state.
        clock: The episode's clock.
        want_state: Whether to answer with the state even if the instance did not read the clock.
        reply_bytes: Longest text of a result.
        state_bytes: Longest encoded state.
    """

    code: bytes
    class_name: str
    tools: tuple[str, ...]
    makes_sets: bool
    start_state: bytes
    clock: Clock
    want_state: bool
    reply_bytes: int
    state_bytes: int


class Restore(_Message, frozen=True):
    """Replace the state of the instance.

    Attributes:
        state: The encoded state.
        clock: The clock.
    """

    state: bytes
    clock: Clock


class Call(_Message, frozen=True):
    """Call a tool.

    Attributes:
        name: Name of the tool.
        arguments: The encoded arguments.
    """

    name: str
    arguments: bytes


class Batch(_Message, frozen=True):
    """Call tools one after the other.

    Attributes:
        calls: Encoded list of names and arguments.
        seconds: Time after which no further call is begun.
    """

    calls: bytes
    seconds: float


class Advance(_Message, frozen=True):
    """Let time pass on the clock.

    Attributes:
        microseconds: How much.
    """

    microseconds: int


class GetState(_Message, frozen=True):
    """Return the state.

    Attributes:
        exact: Fail where it holds something that is not data, instead of replacing it.
    """

    exact: bool


class Grade(_Message, frozen=True):
    """Run checks; each is answered by a frame of its own, so that each has its own deadline.

    Attributes:
        sources: Sources of the checks.
        initial_state: The encoded state at the start.
        final_state: The encoded state at the end.
        clock: The clock that each check starts from.
    """

    sources: tuple[str, ...]
    initial_state: bytes
    final_state: bytes
    clock: Clock


class GradeAll(_Message, frozen=True):
    """Run checks over several final states; each state is answered by a frame of its own.

    Attributes:
        sources: Sources of the checks.
        initial_state: The encoded state at the start.
        final_states: The encoded states at the end.
        clock: The clock that each check starts from.
    """

    sources: tuple[str, ...]
    initial_state: bytes
    final_states: tuple[bytes, ...]
    clock: Clock


Request = Compile | Load | Restore | Call | Batch | Advance | GetState | Grade | GradeAll


# --- answers ----------------------------------------------------------------------------------------------------------


class Ready(_Message, frozen=True):
    """The worker is locked down.

    Attributes:
        landlock: Version of Landlock that restricts it; 0 where the kernel has none.
        uid: User that it runs as.
    """

    landlock: int
    uid: int


class Unavailable(_Message, frozen=True):
    """The worker could not be locked down and has ended.

    Attributes:
        reason: What failed.
    """

    reason: str


FailureKind = Literal["load", "tool", "reply", "state", "memory", "crash"]


class Failed(_Message, frozen=True):
    """The request could not be met.

    Attributes:
        kind: Which failure of the environment it is.
        message: What happened.
    """

    kind: FailureKind
    message: str


class Compiled(_Message, frozen=True):
    """The module is compiled.

    Attributes:
        code: Its code in Python's own form. The host does not look into it and hands it to workers only.
    """

    code: bytes


class Loaded(_Message, frozen=True):
    """The instance is built.

    Attributes:
        clock: The clock afterwards.
        state: Its encoded state; ``None`` when it was not asked for and the clock was not read.
    """

    clock: Clock
    state: bytes | None


class Result(_Message, frozen=True):
    """What a call came to."""

    result: ToolResult


class Results(_Message, frozen=True):
    """What the calls of a batch came to.

    Attributes:
        results: Of the first calls, where time or space did not suffice for all.
        failure: Why the call after these failed; ``None`` when none did.
    """

    results: list[ToolResult]
    failure: Failed | None


class Restored(_Message, frozen=True):
    """The state was replaced."""


class Advanced(_Message, frozen=True):
    """The clock was moved."""


class StateIs(_Message, frozen=True):
    """The encoded state, and the clock."""

    clock: Clock
    state: bytes


class Verdict(_Message, frozen=True):
    """What a check said; see :class:`~envscaler_gym.verdicts.Verdict`."""

    passed: bool
    error: str | None


class Verdicts(_Message, frozen=True):
    """What all checks said of one final state."""

    verdicts: list[Verdict]


# --- between the host and the zygote ----------------------------------------------------------------------------------


class Spawn(_Message, frozen=True):
    """Fork a worker; its end of the socket comes with the message.

    Attributes:
        memory_bytes: Address space.
        cpu_seconds: Processor time.
        time_zones: Whether the generated code uses ``zoneinfo``, whose files cannot be read later.
    """

    memory_bytes: int
    cpu_seconds: int
    time_zones: bool


class Kill(_Message, frozen=True):
    """Kill a worker, if it lives, and wait for its end.

    Attributes:
        pid: Its process number, as :class:`Spawned` gave it.
    """

    pid: int


class Spawned(_Message, frozen=True):
    """A worker was forked."""

    pid: int


class Killed(_Message, frozen=True):
    """A worker has ended.

    Attributes:
        status: Its exit status, or the negative number of the signal that ended it.
    """

    status: int
