"""Locking the current process down for good: it keeps its memory and one connected socket, and nothing else.

Runs in a fresh child of the zygote, before any generated code. The order matters and is explained where it does.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
from typing import NamedTuple

from envscaler_gym.isolation.seccomp import ARCHITECTURES, build_filter

__all__ = ["CHANNEL", "NOBODY", "LockdownError", "Protection", "keep_only", "landlock_version", "lock_down"]

CHANNEL = 3
"""The descriptor of the socket in a worker."""

NOBODY = 65534
"""User and group that a worker of root becomes."""

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SECCOMP_SET_MODE_FILTER = 1
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446  # the same on both architectures
_LANDLOCK_VERSION_FLAG = 1
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # number of rights to the file system that a version knows

_libc = ctypes.CDLL(None, use_errno=True)


class LockdownError(Exception):
    """The process could not be locked down."""


class Protection(NamedTuple):
    """What protects besides the filter of system calls.

    Attributes:
        landlock: Version of Landlock that restricts the process; 0 where the kernel has none.
        uid: User that it runs as.
    """

    landlock: int
    uid: int


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def keep_only(channel: int) -> None:
    """Close everything but one socket, which becomes :data:`CHANNEL`, and put nothing behind the standard streams.

    A regular file there, together with a file size limit of 0, would end the process at its first ``print``.

    Args:
        channel: Descriptor of the socket.
    """
    if channel != CHANNEL:
        os.dup2(channel, CHANNEL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.closerange(CHANNEL + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def lock_down(parent: int, memory_bytes: int, cpu_seconds: int) -> Protection:
    """Give up every right of this process but those over :data:`CHANNEL`. It must have one thread.

    Args:
        parent: Process whose death ends this one.
        memory_bytes: Address space from now on.
        cpu_seconds: Processor time from now on.

    Raises:
        LockdownError: Something that must hold does not; the process is to end at once.
    """
    machine = os.uname().machine
    if machine not in ARCHITECTURES:
        raise LockdownError(f"no list of system calls for the processor {machine!r}; there are {list(ARCHITECTURES)}")
    _drop_user()
    # After the user has changed, because that clears the signal.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the signal was asked for
        os._exit(1)
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    protection = Protection(_restrict_by_landlock(), os.getuid())
    _limit(memory_bytes, cpu_seconds)
    _filter_system_calls(machine)
    return protection


def _drop_user() -> None:
    if os.getuid() != 0 and os.geteuid() != 0:
        return
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:  # a root without that right, in a container; the filter leaves it nothing to use its own for
        return


def _limit(memory_bytes: int, cpu_seconds: int) -> None:
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_NOFILE: CHANNEL + 1,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    for name, value in (*limits.items(), (resource.RLIMIT_CPU, int(used) + 1 + cpu_seconds)):
        hard = resource.getrlimit(name)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)  # noqa: PLW2901 - the lower of the two
        resource.setrlimit(name, (value, value))


def _restrict_by_landlock() -> int:
    """Deny all files, TCP ports, and signals and abstract sockets of others, as far as the kernel can."""
    version = landlock_version()
    if version == 0:
        return 0
    rights = _FILE_RIGHTS[min(version, max(_FILE_RIGHTS))]
    ruleset = _Ruleset((1 << rights) - 1, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    handle = _libc.syscall(_LANDLOCK_CREATE, ctypes.byref(ruleset), ctypes.c_size_t(size), 0)
    if handle < 0:
        return 0
    restricted = _libc.syscall(_LANDLOCK_RESTRICT, handle, 0) == 0
    os.close(handle)
    return version if restricted else 0


def landlock_version() -> int:
    """Return the version of Landlock that the kernel offers; 0 for none."""
    return max(0, int(_libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION_FLAG)))


def _filter_system_calls(machine: str) -> None:
    architecture = ARCHITECTURES[machine]
    code = build_filter(architecture)
    program = _Program(len(code) // 8, code)
    if _libc.syscall(architecture.seccomp, _SECCOMP_SET_MODE_FILTER, 0, ctypes.byref(program)) != 0:
        raise LockdownError(f"seccomp refused the filter: {os.strerror(ctypes.get_errno())}")
    try:  # a kernel that takes the filter and does not apply it is found out here
        os.dup(0)
    except OSError as error:
        if error.errno == errno.EPERM:
            return
    raise LockdownError("seccomp took the filter but does not apply it")


def _prctl(option: int, value: int) -> None:
    # All five arguments are given: the kernel refuses no_new_privs where the others are not zero.
    if _libc.prctl(option, *(ctypes.c_ulong(argument) for argument in (value, 0, 0, 0))) != 0:
        raise LockdownError(f"prctl({option}, {value}): {os.strerror(ctypes.get_errno())}")
