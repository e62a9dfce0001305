"""The zygote: a small process that has loaded what generated code may import, and forks a worker when asked.

It never runs generated code. It is started by the host and is nobody's fork, so that no worker inherits anything of
the host. It is the parent of its workers, so a worker's number cannot be reused before the zygote has waited for it,
and killing by number is safe. It ends when the host does, and the kernel ends its workers with it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import select
import signal
import socket

import msgspec

from envscaler_gym.isolation import guarded, lockdown, worker
from envscaler_gym.isolation.frames import Kill, Killed, Ready, Spawn, Spawned, Unavailable, frame

__all__ = ["prepare", "serve"]

_MAX_REQUEST = 4096


_decoder = msgspec.msgpack.Decoder(Spawn | Kill)
_encode = msgspec.msgpack.encode


def prepare() -> None:
    """Load everything that workers will need."""
    guarded.preload()
    worker.builtins()
    gc.collect()
    gc.freeze()  # so that a worker's garbage collection does not touch, and copy, the pages that all share


def serve(channel: int, host: int) -> None:
    """Answer the host until it ends.

    Args:
        channel: Descriptor of the socket to the host.
        host: Its process number.
    """
    os.chdir("/")
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    control = socket.socket(fileno=channel)
    watched = [control.fileno()]
    with contextlib.suppress(OSError):  # kernels without pidfd: the socket's end is sign enough
        watched.append(os.pidfd_open(host))
    poll = select.poll()
    for handle in watched:
        poll.register(handle, select.POLLIN)
    if os.getppid() != host:
        return
    while True:
        ready = [handle for handle, _ in poll.poll()]
        if ready != [control.fileno()]:  # the host has ended, even if a fork of it still holds the socket
            return
        message, handles, _, _ = socket.recv_fds(control, _MAX_REQUEST, 1)
        if not message:
            return
        _answer(control, _decoder.decode(message), handles)


def _answer(control: socket.socket, request: Spawn | Kill, handles: list[int]) -> None:
    if isinstance(request, Spawn):
        if request.time_zones:
            _load_time_zones()
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            _become_worker(handles[0], zygote, request)
        os.close(handles[0])
        control.send(_encode(Spawned(pid)))
    else:
        with contextlib.suppress(ProcessLookupError):
            os.kill(request.pid, signal.SIGKILL)
        _, status = os.waitpid(request.pid, 0)
        control.send(_encode(Killed(os.waitstatus_to_exitcode(status))))


def _become_worker(channel: int, zygote: int, request: Spawn) -> None:
    """Never returns."""
    status = 1
    try:
        lockdown.keep_only(channel)
        try:
            protection = lockdown.lock_down(zygote, request.memory_bytes, request.cpu_seconds)
        except Exception as error:  # whatever it is, no generated code runs
            os.write(lockdown.CHANNEL, frame(_encode(Unavailable(f"{type(error).__name__}: {error}"))))
            return
        os.write(lockdown.CHANNEL, frame(_encode(Ready(*protection))))
        worker.serve(lockdown.CHANNEL)
        status = 0
    finally:
        os._exit(status)


_time_zones: list[object] = []


def _load_time_zones() -> None:
    """Keep every time zone in memory, once one is needed."""
    import zoneinfo  # noqa: PLC0415 - rarely needed

    if not _time_zones:
        for name in sorted(zoneinfo.available_timezones()):
            with contextlib.suppress(Exception):  # a damaged file is missing later, as it is missing now
                _time_zones.append(zoneinfo.ZoneInfo(name))
