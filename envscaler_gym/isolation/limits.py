"""What a worker may take, in time, memory and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from envscaler_gym.errors import did_you_mean, shorten

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one worker.

    Attributes:
        call_seconds: Deadline of a tool call.
        load_seconds: Deadline of a worker's start together with the construction of the instance.
        check_seconds: Deadline of each check.
        cpu_seconds: Processor time that a worker may use in its life.
        memory_bytes: Address space of a worker.
        reply_bytes: Longest text that a tool may return, in UTF-8.
        state_bytes: Longest encoded state. Decoded it may take four times as much in this process.
    """

    call_seconds: float = 2.0
    load_seconds: float = 10.0
    check_seconds: float = 2.0
    cpu_seconds: int = 60
    memory_bytes: int = 512 << 20
    reply_bytes: int = 1 << 20
    state_bytes: int = 8 << 20

    @classmethod
    def of(cls, values: Mapping[str, Any] | None) -> Limits:
        """Return the default limits with some of them changed.

        Raises:
            ValueError: A name is unknown, or a value is not a positive number (an int where bytes or ``cpu_seconds``
                are meant).
        """
        known = {field.name: str(field.type) for field in fields(cls)}
        if not isinstance(values, Mapping | None):
            raise ValueError(  # noqa: TRY004 - as for any argument of an environment that is not allowed
                f"limits must be a dict of {', '.join(known)}, or None; got {shorten(values)}"
            )
        for name, value in (values or {}).items():
            if name not in known:
                raise ValueError(
                    f"Unknown limit {shorten(name)}.{did_you_mean(name, known)} The limits are: {', '.join(known)}."
                )
            allowed = (int,) if known[name] == "int" else (int, float)
            if type(value) not in allowed or not 0 < value < float("inf"):
                kind = "a positive int" if known[name] == "int" else "a positive number of seconds"
                raise ValueError(f"limit {name!r} must be {kind}, got {shorten(value)}")
        return cls(**(values or {}))
