"""The filter of system calls: an allow-list, as a program for the kernel's packet filter.

A worker computes and talks over one connected socket. It may read and write what it holds, manage its memory (never
executable memory), wait, ask for the time and for random bytes, and end. All else is refused with ``EPERM``, so that
a stray ``open()`` in a tool is an ordinary Python exception.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping

__all__ = ["ARCHITECTURES", "Architecture", "build_filter"]


class Architecture:
    """What the filter must know of a processor.

    Attributes:
        audit: Its ``AUDIT_ARCH_*`` number.
        calls: Numbers of the allowed system calls, by name.
        seccomp: Number of ``seccomp``.
        x32: Whether numbers with bit 30 set are calls of another convention.
    """

    def __init__(self, audit: int, calls: Mapping[str, int], seccomp: int, *, x32: bool = False) -> None:
        self.audit, self.calls, self.seccomp, self.x32 = audit, calls, seccomp, x32


ARCHITECTURES: Mapping[str, Architecture] = {
    "x86_64": Architecture(
        0xC000003E,
        {
            "read": 0, "write": 1, "close": 3, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12,
            "rt_sigprocmask": 14, "rt_sigreturn": 15, "sched_yield": 24, "mremap": 25, "madvise": 28, "nanosleep": 35,
            "getpid": 39, "exit": 60, "gettimeofday": 96, "sigaltstack": 131, "gettid": 186, "time": 201,
            "futex": 202, "restart_syscall": 219, "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230,
            "exit_group": 231, "getcpu": 309, "getrandom": 318,
        },
        317,
        x32=True,
    ),
    "aarch64": Architecture(
        0xC00000B7,
        {
            "read": 63, "write": 64, "close": 57, "mmap": 222, "mprotect": 226, "munmap": 215, "brk": 214,
            "rt_sigprocmask": 135, "rt_sigreturn": 139, "sched_yield": 124, "mremap": 216, "madvise": 233,
            "nanosleep": 101, "getpid": 172, "exit": 93, "gettimeofday": 169, "sigaltstack": 132, "gettid": 178,
            "futex": 98, "restart_syscall": 128, "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115,
            "exit_group": 94, "getcpu": 168, "getrandom": 278,
        },
        277,
    ),
}  # fmt: skip
"""The processors that workers can be locked down on, by ``os.uname().machine``."""

_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # classic BPF: ld abs, jeq, jge, jset, ret
_NUMBER, _ARCHITECTURE, _PROTECTION = 0, 4, 16 + 2 * 8  # offsets in struct seccomp_data; both ABIs are little-endian
_PROT_EXEC = 4
_X32 = 0x40000000


def build_filter(architecture: Architecture) -> bytes:
    """Return the filter as an array of ``struct sock_filter``.

    A call of another architecture ends the process. ``mmap`` and ``mprotect`` are refused where they ask for
    executable memory.
    """
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture.audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if architecture.x32:
        program += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _REFUSE)]
    for name, number in architecture.calls.items():
        if name in ("mmap", "mprotect"):
            program += [
                (_EQUAL, 0, 4, number),
                (_LOAD, 0, 0, _PROTECTION),
                (_ANY_BIT, 0, 1, _PROT_EXEC),
                (_RETURN, 0, 0, _REFUSE),
                (_RETURN, 0, 0, _ALLOW),
            ]
        else:
            program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    program.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
