"""The host's side of a worker: requests go out, answers come back in time, or the worker is killed."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import sys
import time
import weakref
from typing import NoReturn, TypeVar

import msgspec

from envscaler_gym.errors import EnvironmentFailure, ProtocolViolation, WorkerCrash, WorkerOutOfMemory, WorkerTimeout
from envscaler_gym.isolation.frames import HEADER, OUT_OF_MEMORY, Ready, Unavailable, frame
from envscaler_gym.isolation.limits import Limits
from envscaler_gym.isolation.spawning import SPAWNER, unavailable

__all__ = ["Worker", "require_workers"]

_RECEIVE = 1 << 16
_T = TypeVar("_T")
_READY: msgspec.msgpack.Decoder[Ready | Unavailable] = msgspec.msgpack.Decoder(Ready | Unavailable)


class Worker:
    """One worker: a socket to a process that is locked down.

    Args:
        limits: Its limits.
        time_zones: Whether its code uses ``zoneinfo``.
        deadline: Time (of ``time.monotonic``) by which it must be ready.

    Attributes:
        protection: What it is protected by.

    Raises:
        IsolationUnavailable: It cannot be locked down.
        WorkerTimeout: It was not ready in time.
    """

    def __init__(self, limits: Limits, *, time_zones: bool, deadline: float) -> None:
        if not sys.platform.startswith("linux"):
            raise unavailable(f"the system is {sys.platform!r}, and only Linux can lock a worker down")
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with theirs:
                self._zygote, self._pid = SPAWNER.fork(theirs, limits, time_zones=time_zones)
        except BaseException:
            self._socket.close()
            raise
        self._alive = True
        self._rest = b""
        self._arrivals = select.poll()
        self._arrivals.register(self._socket, select.POLLIN)
        self._finalizer = weakref.finalize(self, SPAWNER.kill_later, self._zygote, self._pid, self._socket)
        self._finalizer.atexit = False  # the zygote's end ends it
        SPAWNER.add(self)
        ready = self.receive(_READY, deadline, 4096, "start")
        if isinstance(ready, Unavailable):
            self.kill()
            raise unavailable(ready.reason)
        self.protection = ready

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._alive

    def send(self, message: bytes, deadline: float, what: str) -> None:
        """Send a request.

        Args:
            message: The encoded request.
            deadline: Time (of ``time.monotonic``) by which it must have been taken.
            what: What the request asks for, for messages.

        Raises:
            WorkerTimeout: It was not.
            WorkerCrash: The worker has ended.
            ProtocolViolation: It has said something that it was not asked for.
        """
        if self._arrivals.poll(0):
            self._receive_part(deadline, what)  # raises where the worker has ended
            self.kill()
            raise ProtocolViolation(f"the worker spoke before it was asked for {what} and was killed")
        try:
            self._socket.settimeout(max(deadline - time.monotonic(), 1e-6))
            self._socket.sendall(frame(message))
        except TimeoutError:
            self._time_out(what)
        except OSError:
            self._crash(what)
        except BaseException:  # interrupted in the middle of a frame: what follows could not be understood
            self.kill()
            raise

    def receive(
        self,
        decoder: msgspec.msgpack.Decoder[_T],
        deadline: float,
        limit: int,
        what: str,
        *,
        last: bool = True,
    ) -> _T:
        """Read one answer.

        Args:
            decoder: Decoder of the answers that are allowed.
            deadline: Time (of ``time.monotonic``) by which it must be there.
            limit: Longest answer in bytes.
            what: What was asked for, for messages.
            last: Whether nothing may follow until the next request.

        Raises:
            WorkerTimeout: It was not there in time.
            WorkerCrash: The worker has ended.
            ProtocolViolation: It is not an answer, or more than one.
        """
        try:
            return decoder.decode(self._read(deadline, limit, what, last=last))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, MemoryError) as error:
            self.kill()
            raise ProtocolViolation(f"the worker answered {what} with nonsense and was killed: {error}") from None
        except BaseException:
            self.kill()
            raise

    def _read(self, deadline: float, limit: int, what: str, *, last: bool) -> bytes:
        """Return the next message, and keep what came after it in ``_rest``."""
        parts = [self._rest] if self._rest else []
        received, expected = len(self._rest), HEADER.size
        known = False
        while True:
            if received >= expected and not known:
                parts = [b"".join(parts)]
                length = HEADER.unpack_from(parts[0])[0]
                if length > limit:
                    raise ProtocolViolation(
                        f"the worker announced {length} bytes to answer {what}, at most {limit} are allowed, and was "
                        "killed"
                    )
                known, expected = True, HEADER.size + length
            if received >= expected and known:
                break
            part = self._receive_part(deadline, what)
            parts.append(part)
            received += len(part)
        data = b"".join(parts)
        self._rest = data[expected:]
        if last and self._rest:
            raise ProtocolViolation(f"the worker sent more than one answer to {what} and was killed")
        return data[HEADER.size : expected]

    def _receive_part(self, deadline: float, what: str) -> bytes:
        try:
            self._socket.settimeout(max(deadline - time.monotonic(), 1e-6))
            part = self._socket.recv(_RECEIVE)
        except TimeoutError:
            self._time_out(what)
        except OSError:  # the worker ended with something unread
            part = b""
        if not part:
            self._crash(what)
        return part

    def _time_out(self, what: str) -> NoReturn:
        self.kill()
        raise WorkerTimeout(f"the worker did not answer {what} within its deadline and was killed")

    def _crash(self, what: str) -> NoReturn:
        status = self.kill()
        if status == OUT_OF_MEMORY:
            raise WorkerOutOfMemory(f"the worker reached its memory limit at {what}")
        raise WorkerCrash(f"the worker died at {what}: {_explain(status)}")

    def kill(self) -> int | None:
        """Kill it, if it lives. Killing twice is allowed.

        Returns:
            Its exit status, as :meth:`Spawner.kill`.
        """
        if not self._alive:
            return None
        self.let_go()
        return SPAWNER.kill(self._zygote, self._pid)

    def let_go(self) -> None:
        """Forget the process without touching it."""
        self._alive = False
        self._finalizer.detach()
        self._socket.close()


def require_workers() -> None:
    """Make sure that this machine can lock a worker down, by doing it once per process.

    Raises:
        IsolationUnavailable: It cannot.
    """
    if not SPAWNER.proven:
        limits = Limits()
        try:
            Worker(limits, time_zones=False, deadline=time.monotonic() + limits.load_seconds).kill()
        except EnvironmentFailure as failure:  # it has seen no generated code yet
            raise unavailable(str(failure)) from failure
        SPAWNER.proven = True


def _explain(status: int | None) -> str:
    if status is None:
        return "with the process that forked it"
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-status).name}"
    return f"killed by signal {-status}"
