"""What this machine can do to lock a worker down, found out by trying."""

from __future__ import annotations

import json
import os
import platform
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from envscaler_gym.ambient import Ambient
from envscaler_gym.errors import EnvScalerError
from envscaler_gym.isolation.frames import Ready, Spawn, Spawned
from envscaler_gym.isolation.limits import Limits
from envscaler_gym.isolation.seccomp import ARCHITECTURES
from envscaler_gym.isolation.spawning import Zygote, ZygoteError
from envscaler_gym.isolation.workers import Worker
from envscaler_gym.isolation.world import IsolatedWorld, WorkerProgram

__all__ = ["Finding", "doctor"]

_STARTS = 9
_CANARY = '''
class Canary:
    """Reaches for what a worker must not have, past the builtins that it is given."""

    def reach(self, path: str) -> dict:
        classes = ().__class__.__base__.__subclasses__()
        system = next(c for c in classes if c.__name__ == "_wrap_close").__init__.__globals__
        attempts = {
            "write a file": lambda: system["open"](path, 0o101),
            "list a folder": lambda: system["listdir"]("/"),
            "start a process": lambda: system["fork"](),
            "signal a process": lambda: system["kill"](system["getppid"](), 0),
            "open a socket": lambda: system["sys"].modules["_socket"].socket(2, 1),
        }
        done = []
        for name, attempt in attempts.items():
            try:
                attempt()
            except Exception:
                continue
            done.append(name)
        return {"success": not done, "data": done}
'''


class Finding(NamedTuple):
    """One thing that was tried.

    Attributes:
        name: What it is.
        ok: Whether it works.
        required: Whether unreviewed code cannot run without it.
        detail: What was found, or what to do.
    """

    name: str
    ok: bool
    required: bool
    detail: str


def doctor() -> list[Finding]:
    """Try everything that workers need, and return what was found. Workers work if all that is required is ok."""
    machine = os.uname().machine if hasattr(os, "uname") else platform.machine()
    findings = [
        Finding("system", sys.platform.startswith("linux"), True, platform.platform()),
        Finding("python", True, True, f"{platform.python_implementation()} {platform.python_version()}"),
        Finding("processor", machine in ARCHITECTURES, True, f"{machine}; workers run on {', '.join(ARCHITECTURES)}"),
        _pidfd(),
    ]
    try:
        findings += _workers()
    except (EnvScalerError, OSError) as error:
        findings.append(Finding("worker", False, True, str(error)))
    return findings


def _pidfd() -> Finding:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError) as error:
        detail = f"{error}; a fork of this process that outlives it keeps its workers waiting"
        return Finding("pidfd", False, False, detail)
    return Finding("pidfd", True, False, "the end of this process is seen at once")


def _workers() -> list[Finding]:
    begin = time.perf_counter()
    ready = _start_worker()
    first = time.perf_counter() - begin
    times = []
    for _ in range(_STARTS):
        begin = time.perf_counter()
        _start_worker()
        times.append(time.perf_counter() - begin)
    dropped = os.getuid() != 0 or ready.uid != 0
    return [
        Finding("seccomp", True, True, "the filter of system calls is applied"),
        Finding("landlock", ready.landlock > 0, False, f"version {ready.landlock}" if ready.landlock else "not there"),
        Finding("user", dropped, False, f"workers run as user {ready.uid}, this process as {os.getuid()}"),
        Finding(
            "start", True, False, f"first worker {first * 1e3:.0f} ms, later {statistics.median(times) * 1e3:.1f} ms"
        ),
        _death_signal(),
        _canary(),
    ]


def _start_worker() -> Ready:
    limits = Limits()
    worker = Worker(limits, time_zones=False, deadline=time.monotonic() + limits.load_seconds)
    worker.kill()
    return worker.protection


def _death_signal() -> Finding:
    """End a zygote of our own, and see whether its worker ends with it."""
    ours, theirs = socket.socketpair()
    zygote, limits = Zygote(), Limits()
    with ours:
        try:
            with theirs:
                request = Spawn(limits.memory_bytes, limits.cpu_seconds, time_zones=False)
                pid = zygote.ask(request, [theirs.fileno()], Spawned).pid
            ours.settimeout(limits.load_seconds)
            ours.recv(1)  # it is locked down
        except (ZygoteError, OSError) as error:
            return Finding("death signal", False, True, str(error))
        finally:
            zygote.end()
        end = time.monotonic() + 2
        while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
            time.sleep(0.01)
        ended = not Path(f"/proc/{pid}").exists()
    return Finding("death signal", ended, True, "workers end with this process" if ended else f"process {pid} lives on")


def _canary() -> Finding:
    """Run hostile code in a worker, and see that nothing comes of it."""
    world = IsolatedWorld(WorkerProgram(_CANARY, "Canary", ("reach",)), Limits())
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        target = Path(folder) / "canary"
        try:
            world.load({}, Ambient("2025-01-01", "canary"))
            result = world.call("reach", {"path": str(target)})
        finally:
            world.close()
        done = json.loads(result.text)["data"] + (["write a file after all"] if target.exists() else [])
    return Finding("hostile code", not done, True, f"it could {', '.join(done)}" if done else "it could do nothing")
