"""The host's side of the zygote: one for each process of ours, started when it is first needed."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections import deque
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from envscaler_gym.errors import IsolationUnavailable
from envscaler_gym.isolation.frames import Kill, Killed, Spawn, Spawned
from envscaler_gym.isolation.limits import Limits

__all__ = ["SPAWNER", "Spawner", "Zygote", "ZygoteError", "unavailable"]

_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "TZ": "UTC"}
_SECONDS = 30.0  # a fork takes milliseconds; a zygote that takes this long is not coming back
_T = TypeVar("_T")
_encode = msgspec.msgpack.Encoder().encode


class ZygoteError(Exception):
    """The zygote does not answer."""


class Zygote:
    """A running zygote. Used by one thread at a time.

    Raises:
        IsolationUnavailable: It cannot be started.
    """

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(_SECONDS)
        self._decoder = msgspec.msgpack.Decoder(Spawned | Killed)
        # -P -s are -I without -E, which would ignore PYTHONHASHSEED; the environment holds nothing else to ignore.
        flags = ["-P", "-s", "-S", "-B"]
        package, libraries = _BOOTSTRAP.parent.parent, Path(str(msgspec.__file__)).parent.parent
        with theirs:
            arguments = [str(package), str(libraries), str(theirs.fileno()), str(os.getpid())]
            try:
                self._process = subprocess.Popen(  # noqa: S603 - this very interpreter
                    [sys.executable, *flags, str(_BOOTSTRAP), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    env=_ENVIRONMENT,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            except OSError as error:
                self._control.close()
                raise unavailable(f"{sys.executable} cannot be started: {error}") from error

    def ask(self, request: Spawn | Kill, handles: list[int], answer: type[_T]) -> _T:
        """Send a request and read the answer.

        Args:
            request: The request.
            handles: Descriptors that go with it.
            answer: Type of the answer.

        Raises:
            ZygoteError: There is no such answer.
        """
        try:
            socket.send_fds(self._control, [_encode(request)], handles)
            message = self._decoder.decode(self._control.recv(4096))
        except (OSError, msgspec.MsgspecError) as error:
            raise ZygoteError(str(error)) from error
        if not isinstance(message, answer):
            raise ZygoteError(f"answered {message!r}")
        return message

    def end(self) -> str:
        """End it, and its workers with it, and return the last line that it complained with."""
        self._control.close()
        self._process.kill()
        complaint: bytes = self._process.communicate()[1]
        return complaint.decode(errors="replace").strip().rpartition("\n")[2]

    def let_go(self) -> None:
        """Forget it without touching it: in a fork of the process that it belongs to."""
        self._control.close()
        self._process.returncode = 0  # there is nothing to wait for
        if self._process.stderr is not None:
            self._process.stderr.close()


class Forgettable(Protocol):
    """Something that a fork of this process must not touch."""

    def let_go(self) -> None:
        """Forget it."""
        ...


class Spawner:
    """Forks and kills workers, with one zygote that all threads share.

    Attributes:
        proven: Whether a worker was seen to be locked down in this process.
    """

    def __init__(self) -> None:
        self.proven = False
        self._lock = threading.Lock()
        self._zygote: Zygote | None = None
        # Workers that were dropped without being closed, and are still to be killed.
        self._dropped: deque[tuple[Zygote, int]] = deque()
        self._living: weakref.WeakSet[Forgettable] = weakref.WeakSet()

    def add(self, worker: Forgettable) -> None:
        """Have a worker forgotten in forks of this process."""
        self._living.add(worker)

    def fork(self, theirs: socket.socket, limits: Limits, *, time_zones: bool) -> tuple[Zygote, int]:
        """Fork a worker.

        Args:
            theirs: Its end of the socket.
            limits: Its limits.
            time_zones: Whether its code uses ``zoneinfo``.

        Returns:
            Its zygote and its process number.

        Raises:
            IsolationUnavailable: The zygote cannot be started, or ends when it is asked.
        """
        request = Spawn(limits.memory_bytes, limits.cpu_seconds, time_zones)
        with self._lock:
            self._kill_dropped()
            reason = ""
            for _ in range(2):  # a zygote that somebody killed is replaced
                zygote = self._zygote = self._zygote or Zygote()
                try:
                    return zygote, zygote.ask(request, [theirs.fileno()], Spawned).pid
                except ZygoteError as error:
                    reason = self._end() or str(error)
        raise unavailable(f"the process that forks workers ended: {reason}")

    def kill(self, zygote: Zygote, pid: int) -> int | None:
        """Kill a worker and wait for its end.

        Returns:
            Its exit status, or the negative number of the signal that ended it; ``None`` when nobody knows.
        """
        with self._lock:
            self._kill_dropped()
            return self._kill(zygote, pid)

    def kill_later(self, zygote: Zygote, pid: int, connection: socket.socket) -> None:
        """End a worker that was dropped without being closed: now, or with the next request.

        The garbage collector may call this anywhere, also while this thread holds the lock.
        """
        connection.close()
        self._dropped.append((zygote, pid))
        if self._lock.acquire(blocking=False):
            try:
                self._kill_dropped()
            finally:
                self._lock.release()

    def shut_down(self) -> None:
        """End the zygote and all workers, if there are any."""
        with self._lock:
            self._end()

    def let_go(self) -> None:
        """Forget what belongs to the parent: called in forks of this process."""
        if self._zygote is not None:
            self._zygote.let_go()
        for worker in list(self._living):
            worker.let_go()
        self.__init__()  # type: ignore[misc]  # everything anew, also the lock, which another thread may have held

    def _end(self) -> str:
        zygote, self._zygote = self._zygote, None
        return "" if zygote is None else zygote.end()

    def _kill(self, zygote: Zygote, pid: int) -> int | None:
        if self._zygote is not zygote:  # the worker ended with its zygote
            return None
        try:
            return zygote.ask(Kill(pid), [], Killed).status
        except ZygoteError:
            self._end()
            return None

    def _kill_dropped(self) -> None:
        while self._dropped:
            self._kill(*self._dropped.popleft())


def unavailable(reason: str) -> IsolationUnavailable:
    """Return the error that says that workers cannot be locked down here."""
    return IsolationUnavailable(
        "Code that nobody has reviewed runs only in a worker that is locked down, and this machine cannot do that: "
        f"{reason}. Run 'envscaler doctor' to see what is missing (Linux with seccomp on x86-64 or aarch64 is needed; "
        "containers may forbid seccomp). Or read the code and pass trust=True, which runs it in this process with all "
        "of your rights."
    )


SPAWNER = Spawner()
"""The spawner of this process."""

atexit.register(SPAWNER.shut_down)
if sys.platform != "win32":
    os.register_at_fork(after_in_child=SPAWNER.let_go)
