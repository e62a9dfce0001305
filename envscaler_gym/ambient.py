"""What stands behind ``datetime``, ``time``, ``uuid``, ``random`` and ``secrets`` in generated code.

Synthesized classes read the clock and make identifiers through the standard library. They are loaded with an import
function that hands them stand-ins for those modules. The stand-ins read the :class:`Ambient` of the episode that
is running in the current thread, so that a seed fixes everything and nothing process-wide is touched.
"""

from __future__ import annotations

import base64
import builtins
import calendar
import datetime as _datetime
import random as _random
import secrets
import threading
import time as _time
import types
import uuid as _uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["EPOCH", "Ambient", "AmbientState", "activate", "ambient_builtins"]

EPOCH = _datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose: the virtual local time is UTC
_SECOND = 1_000_000

AmbientState = tuple[int, Any]


class Ambient:
    """The clock and the random source of one episode.

    The clock is virtual: it stands still while nothing happens, moves one second per tool call, and one microsecond
    per reading, so that readings are strictly increasing. Local time is UTC.

    Args:
        clock: Time at the start of the episode, ISO 8601; UTC where it has no offset.
        seed: Seed of the random source (ids included).
    """

    __slots__ = ("_rng", "microseconds", "seed")

    def __init__(self, clock: str, seed: str) -> None:
        start = _datetime.datetime.fromisoformat(clock)
        if start.tzinfo is not None:
            start = start.astimezone(_datetime.UTC).replace(tzinfo=None)
        self.microseconds = (start - EPOCH) // _datetime.timedelta(microseconds=1)
        self.seed = seed
        self._rng: _random.Random | None = None

    @property
    def rng(self) -> _random.Random:
        """The random source, built when it is first used."""
        if self._rng is None:
            self._rng = _random.Random(self.seed)  # noqa: S311 - to be repeatable is its purpose
        return self._rng

    def begin_call(self) -> None:
        """Advance the clock by the duration of a tool call, and become what generated code in this thread reads."""
        self.microseconds += _SECOND
        _active.ambient = self

    def read(self) -> int:
        """Return the time in microseconds since the epoch."""
        self.microseconds += 1
        return self.microseconds

    def now(self) -> _datetime.datetime:
        """Return the time as a naive UTC datetime, without advancing the clock."""
        return EPOCH + _datetime.timedelta(microseconds=self.microseconds)

    def snapshot(self) -> AmbientState:
        """Return the clock and the state of the random source."""
        return self.microseconds, None if self._rng is None else self._rng.getstate()

    def restore(self, state: AmbientState) -> None:
        """Go back to a state that :meth:`snapshot` returned."""
        self.microseconds, rng_state = state
        if rng_state is None:
            self._rng = None
        else:
            self.rng.setstate(rng_state)


class _Active(threading.local):
    """The ambient of the episode that is running in this thread."""

    def __init__(self) -> None:
        # What generated code sees while it is only being loaded.
        self.ambient = Ambient("2025-01-01T00:00:00", "load")


_active = _Active()


def activate(ambient: Ambient) -> None:
    """Make ``ambient`` the one that generated code in this thread reads."""
    _active.ambient = ambient


def _read() -> int:
    return _active.ambient.read()


def _rng() -> _random.Random:
    return _active.ambient.rng


# --- datetime ---------------------------------------------------------------------------------------------------------


class _DateMeta(type):
    """The dates and date types that other code made count as the stand-ins' own."""

    def __instancecheck__(cls, instance: object) -> bool:
        return issubclass(type(instance), cls)

    def __subclasscheck__(cls, subclass: type) -> bool:
        real: type = {"date": _datetime.date, "datetime": _datetime.datetime}.get(cls.__qualname__, cls)
        return type.__subclasscheck__(real, subclass)


class VirtualDate(_datetime.date, metaclass=_DateMeta):
    """``datetime.date`` on the virtual clock."""

    @classmethod
    def today(cls) -> VirtualDate:
        now = EPOCH + _datetime.timedelta(microseconds=_read())
        return cls(now.year, now.month, now.day)

    @classmethod
    def fromtimestamp(cls, timestamp: float, /) -> VirtualDate:
        then = EPOCH + _datetime.timedelta(seconds=timestamp)
        return cls(then.year, then.month, then.day)

    def __repr__(self) -> str:
        return "datetime." + super().__repr__()


class VirtualDatetime(_datetime.datetime, metaclass=_DateMeta):
    """``datetime.datetime`` on the virtual clock, with UTC as the local time zone."""

    @classmethod
    def now(cls, tz: _datetime.tzinfo | None = None) -> VirtualDatetime:
        moment = _VIRTUAL_EPOCH + _datetime.timedelta(0, 0, _read())
        return moment if tz is None else moment.replace(tzinfo=_datetime.UTC).astimezone(tz)

    @classmethod
    def today(cls) -> VirtualDatetime:
        return cls.now()

    @classmethod
    def utcnow(cls) -> VirtualDatetime:
        return cls.now()

    @classmethod
    def fromtimestamp(cls, timestamp: float, tz: _datetime.tzinfo | None = None) -> VirtualDatetime:
        moment = _VIRTUAL_EPOCH + _datetime.timedelta(seconds=timestamp)
        return moment if tz is None else moment.replace(tzinfo=_datetime.UTC).astimezone(tz)

    @classmethod
    def utcfromtimestamp(cls, timestamp: float, /) -> VirtualDatetime:
        return cls.fromtimestamp(timestamp)

    def timestamp(self) -> float:
        aware = self if self.tzinfo is not None else self.replace(tzinfo=_datetime.UTC)
        return _datetime.datetime.timestamp(aware)

    def astimezone(self, tz: _datetime.tzinfo | None = None) -> VirtualDatetime:
        aware = self if self.tzinfo is not None else self.replace(tzinfo=_datetime.UTC)
        return _datetime.datetime.astimezone(aware, tz or _datetime.UTC)

    def __repr__(self) -> str:
        return "datetime." + super().__repr__()


# Adding to an instance of the stand-in gives one, so that no reading of the clock takes the long way round.
_VIRTUAL_EPOCH = VirtualDatetime(1970, 1, 1)

VirtualDate.__name__ = VirtualDate.__qualname__ = "date"
VirtualDatetime.__name__ = VirtualDatetime.__qualname__ = "datetime"
date, datetime = VirtualDate, VirtualDatetime  # where pickle looks for them


# --- time -------------------------------------------------------------------------------------------------------------


def _sleep(seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    _active.ambient.microseconds += int(seconds * _SECOND)


def _gmtime(seconds: float | None = None) -> _time.struct_time:
    return _time.gmtime(_read() / _SECOND if seconds is None else seconds)


def _strftime(form: str, moment: Any = None) -> str:
    return _time.strftime(form, _gmtime() if moment is None else moment)


def _ctime(seconds: float | None = None) -> str:
    return _time.asctime(_gmtime(seconds))


def _asctime(moment: Any = None) -> str:
    return _time.asctime(_gmtime() if moment is None else moment)


def _clock_gettime(clock: int) -> float:  # noqa: ARG001 - there is one clock
    return _read() / _SECOND


def _clock_gettime_ns(clock: int) -> int:  # noqa: ARG001 - there is one clock
    return _read() * 1000


# --- uuid, random, secrets --------------------------------------------------------------------------------------------


def _uuid4() -> _uuid.UUID:
    return _uuid.UUID(int=_rng().getrandbits(128), version=4)


def _uuid1(node: int | None = None, clock_seq: int | None = None) -> _uuid.UUID:
    ticks = _read() * 10 + 0x01B21DD213814000  # 100 ns steps since 1582-10-15
    sequence = _rng().getrandbits(14) if clock_seq is None else clock_seq
    node = _rng().getrandbits(48) | (1 << 40) if node is None else node
    fields = (ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF, sequence >> 8, sequence & 0xFF, node)
    return _uuid.UUID(fields=fields, version=1)


def _getnode() -> int:
    return 0x02_00_00_00_00_01


class VirtualRandom(_random.Random):
    """``random.Random`` that takes its seed from the episode when it is given none."""

    def __reduce__(self) -> tuple[Any, ...]:
        return VirtualRandom, (0,), self.getstate()  # with a seed, since a copy is to draw nothing from the episode

    def seed(self, a: Any = None, version: int = 2) -> None:
        super().seed(_rng().getrandbits(128) if a is None else a, version)


_RANDOM_FUNCTIONS = tuple(
    name for name in _random.__all__ if callable(getattr(_random.Random, name, None)) and name[0].islower()
)


def _random_function(name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(_rng(), name)(*args, **kwargs)

    call.__name__ = call.__qualname__ = name
    return call


def _token_bytes(nbytes: int | None = None) -> bytes:
    return _rng().randbytes(32 if nbytes is None else nbytes)


def _token_hex(nbytes: int | None = None) -> str:
    return _token_bytes(nbytes).hex()


def _token_urlsafe(nbytes: int | None = None) -> str:
    return base64.urlsafe_b64encode(_token_bytes(nbytes)).rstrip(b"=").decode()


def _choice(sequence: Sequence[Any]) -> Any:
    return _rng().choice(sequence)


def _randbelow(exclusive_upper_bound: int) -> int:
    return _rng().randrange(exclusive_upper_bound)


# --- the modules and the import function ------------------------------------------------------------------------------


def _stand_in(real: types.ModuleType, replacements: Mapping[str, Any]) -> types.ModuleType:
    module = types.ModuleType(real.__name__, real.__doc__)
    public = {name: value for name, value in vars(real).items() if not name.startswith("_")}
    module.__dict__.update(public | dict(replacements))
    return module


def _stand_ins() -> dict[str, types.ModuleType]:
    clock = {
        name: lambda: _read() / _SECOND for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time")
    }
    clock_ns = {f"{name}_ns": lambda: _read() * 1000 for name in clock}
    return {
        "datetime": _stand_in(_datetime, {"datetime": VirtualDatetime, "date": VirtualDate}),
        "time": _stand_in(
            _time,
            clock
            | clock_ns
            | {
                "sleep": _sleep,
                "gmtime": _gmtime,
                "localtime": _gmtime,
                "mktime": lambda moment: float(calendar.timegm(moment)),
                "strftime": _strftime,
                "ctime": _ctime,
                "asctime": _asctime,
                "clock_gettime": _clock_gettime,
                "clock_gettime_ns": _clock_gettime_ns,
                "timezone": 0,
                "altzone": 0,
                "daylight": 0,
                "tzname": ("UTC", "UTC"),
            },
        ),
        "uuid": _stand_in(_uuid, {"uuid4": _uuid4, "uuid1": _uuid1, "getnode": _getnode}),
        "random": _stand_in(
            _random,
            {name: _random_function(name) for name in _RANDOM_FUNCTIONS}
            | {"Random": VirtualRandom, "SystemRandom": VirtualRandom},
        ),
        "secrets": _stand_in(
            secrets,
            {
                "token_bytes": _token_bytes,
                "token_hex": _token_hex,
                "token_urlsafe": _token_urlsafe,
                "choice": _choice,
                "randbelow": _randbelow,
                "randbits": lambda k: _rng().getrandbits(k),
                "SystemRandom": VirtualRandom,
            },
        ),
    }


def ambient_builtins() -> dict[str, Any]:
    """Return builtins whose ``__import__`` hands out the stand-ins, for the globals of generated code."""
    stand_ins = _stand_ins()

    def import_module(
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the signature of __import__
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        if level == 0 and name in stand_ins:
            return stand_ins[name]
        return builtins.__import__(name, globals, locals, fromlist or (), level)

    return vars(builtins) | {"__import__": import_module}
