"""What the kernel takes from a worker. Each of these once bit somebody."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from envscaler_gym import ToolEnv
from envscaler_gym.ambient import Ambient
from envscaler_gym.isolation import IsolatedWorld, doctor, lockdown
from envscaler_gym.isolation.seccomp import ARCHITECTURES, build_filter

ROOT = Path(__file__).parents[2]
SITE = Path(str(msgspec.__file__)).parent.parent
START = {"items": {"start": "here"}}
MakeWorld = Callable[..., IsolatedWorld]
MakeBundle = Callable[..., str]

ALLOW, EPERM, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000


def run_filter(code: bytes, audit: int, number: int, protection: int = 0) -> int:
    """Run a filter as the kernel does, over the ``struct seccomp_data`` of one call."""
    data = struct.pack("<IIQ6Q", number, audit, 0, 0, 0, protection, 0, 0, 0)
    accumulator = at = 0
    while True:
        operation, if_true, if_false, value = struct.unpack_from("<HBBI", code, 8 * at)
        at += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif operation == 0x06:
            return int(value)
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[operation]
            at += if_true if holds else if_false


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_filter_allows_its_list_and_nothing_else(machine: str) -> None:
    architecture = ARCHITECTURES[machine]
    code = build_filter(architecture)
    allowed = {number for number in range(1024) if run_filter(code, architecture.audit, number) == ALLOW}
    assert allowed == set(architecture.calls.values())
    assert len(allowed) == len(architecture.calls)
    others = {run_filter(code, architecture.audit, number) for number in range(1024) if number not in allowed}
    assert others == {EPERM}


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_filter_refuses_executable_memory(machine: str) -> None:
    architecture = ARCHITECTURES[machine]
    code = build_filter(architecture)
    for name in ("mmap", "mprotect"):
        for protection in range(8):
            expected = EPERM if protection & 4 else ALLOW
            assert run_filter(code, architecture.audit, architecture.calls[name], protection) == expected
    assert run_filter(code, architecture.audit, architecture.calls["read"], 7) == ALLOW


def test_the_filter_ends_calls_of_other_conventions() -> None:
    code = build_filter(ARCHITECTURES["x86_64"])
    assert run_filter(code, 0x40000003, 1) == KILL  # 32-bit
    assert run_filter(code, ARCHITECTURES["aarch64"].audit, 64) == KILL
    for number in ARCHITECTURES["x86_64"].calls.values():
        assert run_filter(code, ARCHITECTURES["x86_64"].audit, number | 0x40000000) == EPERM  # x32


@pytest.mark.parametrize(
    ("machine", "header"), [("x86_64", "x86_64-linux-gnu/asm/unistd_64.h"), ("aarch64", "asm-generic/unistd.h")]
)
def test_the_numbers_are_those_of_the_kernels_headers(machine: str, header: str) -> None:
    path = Path("/usr/include") / header
    if not path.exists():
        pytest.skip(f"the kernel's headers are not installed: {path}")
    numbers = {}
    for line in path.read_text().splitlines():
        parts = line.split()
        if len(parts) >= 3 and parts[0] == "#define" and parts[2].isdigit():
            numbers[parts[1].removeprefix("__NR_").removeprefix("__NR3264_")] = int(parts[2])
    architecture = ARCHITECTURES[machine]
    calls = dict(architecture.calls) | {"seccomp": architecture.seccomp}
    assert calls == {name: numbers[name] for name in calls}


def load(world: IsolatedWorld) -> int:
    world.load(START, Ambient("2025-09-01T09:00:00", "seed"))
    return world.worker._pid


def test_a_worker_has_nothing_left(make_world: MakeWorld) -> None:
    pid = load(make_world())
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert status["Threads"] == "1"
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    if os.getuid() == 0:
        assert status["Uid"].split() == status["Gid"].split() == ["65534"] * 4
        assert status["Groups"].strip() == ""
        handles = {entry.name: str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
        assert set(handles) == {"0", "1", "2", "3"}
        assert {handles[name] for name in "012"} == {"/dev/null"}
        assert handles["3"].startswith("socket:")
        environment = set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")) - {b""}
        assert environment == {b"LC_ALL=C.UTF-8", b"PYTHONHASHSEED=0", b"TZ=UTC"}
    limits = {line[:26].strip(): line[26:].split()[:2] for line in Path(f"/proc/{pid}/limits").read_text().splitlines()}
    for name, value in (
        ("core file size", 0),
        ("file size", 0),
        ("locked memory", 0),
        ("open files", 4),
        ("processes", 0),
        ("address space", 512 << 20),
    ):
        assert limits[f"Max {name}"] == [str(value)] * 2


def test_what_a_worker_reaches_for_is_refused(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world()
    load(world)
    target = tmp_path / "touched"
    tmp_path.chmod(0o777)
    problems = dict(json.loads(world.call("touch", {"path": str(target)}).text)["data"])
    assert problems.pop("system") == str(127 << 8)  # the shell could not be started
    assert problems == dict.fromkeys(("open", "fork", "listdir", "kill", "dup", "pipe", "setuid"), errno.EPERM)
    assert not target.exists()
    assert world.call("get", {"key": "start"}).success


def in_a_fork(function: Callable[[], bool]) -> bool:
    """Return what a function returns in a fork of this process, which ends with it."""
    pid = os.fork()
    if pid == 0:
        status = 2
        try:
            status = 0 if function() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_printing_harms_nobody(tmp_path: Path) -> None:
    """A file size limit of 0 and a regular file on standard output would end the process."""

    def print_into_a_file() -> bool:
        _, theirs = socket.socketpair()
        for stream in (1, 2):
            os.dup2(os.open(tmp_path / "output", os.O_CREAT | os.O_WRONLY), stream)
        lockdown.keep_only(theirs.fileno())
        lockdown._limit(1 << 40, 60)
        return os.write(1, b"x" * 100) == os.write(2, b"x" * 100) == 100

    assert in_a_fork(print_into_a_file)


def test_landlock_denies_files_by_itself() -> None:
    if lockdown.landlock_version() == 0:
        pytest.skip("this kernel has no Landlock")

    def read_a_file() -> bool:
        lockdown._prctl(38, 1)
        lockdown._restrict_by_landlock()
        try:
            Path("/etc/hostname").read_text()
        except PermissionError:
            return True
        return False

    assert in_a_fork(read_a_file)


def test_modules_that_are_loaded_late_are_there(make_world: MakeWorld) -> None:
    source = """
import datetime, decimal, statistics, unicodedata, zoneinfo, random, hashlib, re, json, uuid, calendar, csv, io
import logging, traceback, threading
from collections.abc import Mapping
import collections.abc
from typing import *
class Toy:
    def late(self) -> dict:
        try:
            raise KeyError("x")
        except KeyError:
            trace = len(traceback.format_exc()) > 0
        logging.warning("to nobody")
        out = io.StringIO()
        csv.writer(out).writerow([1, "a"])
        with threading.Lock():
            pass
        return {"success": True, "data": [
            datetime.datetime.strptime("1 Feb 2024", "%d %b %Y").isoformat(),
            "b\\u00fccher.example".encode("idna").decode(), "\\u20ac".encode("cp1252").hex(), "\\N{EURO SIGN}",
            datetime.datetime(2025, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).isoformat(),
            str(decimal.Decimal("1") / 3), statistics.median([1, 2, 9]), unicodedata.name("a"),
            hashlib.sha256(b"x").hexdigest()[:8], trace, out.getvalue(), calendar.month_name[2],
            issubclass(dict, collections.abc.Mapping) and issubclass(dict, Mapping),
        ]}
"""
    worker = make_world(source)
    load(worker)
    text = worker.call("late", {}).text
    namespace: dict[str, object] = {}
    exec(source, namespace)
    assert json.loads(text) == namespace["Toy"]().late()  # type: ignore[operator]  # a class, by its name


# --- the host's end ---------------------------------------------------------------------------------------------------

HOST = """
import sys, os, ctypes
sys.path[:0] = [{root!r}, {site!r}]
{before}
from envscaler_gym import ToolEnv
from envscaler_gym.errors import IsolationUnavailable
try:
    env = ToolEnv({path!r}, limits={{"call_seconds": 600}})
except IsolationUnavailable as error:
    print("unavailable:", error)
    raise SystemExit
env.reset(seed=0)
print(env.step({{"name": "put", "arguments": {{"key": "a", "value": "b"}}}})[0], flush=True)
print(env.episode.world.worker._pid, env.episode.world.worker.protection, flush=True)
{after}
env.close()
"""


def host(path: str, before: str = "", after: str = "", user: int | None = None) -> subprocess.Popen[str]:
    script = HOST.format(root=str(ROOT), site=str(SITE), path=path, before=before, after=after)
    python = sys.executable if user is None else python_for(user)
    return subprocess.Popen(
        [python, "-W", "error", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        cwd="/",
        env={"PATH": os.environ["PATH"], "SECRET": "1", "ENVSCALER_HOME": "/nonexistent"},
    )


def python_for(user: int) -> str:
    """Return an interpreter of this version that another user can run, and that finds this checkout."""
    probe = f"import sys, ctypes; sys.path[:0] = [{str(ROOT)!r}, {str(SITE)!r}]; import envscaler_gym"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        try:
            result = subprocess.run(
                [candidate, "-c", probe], user=user, group=user, cwd="/", capture_output=True, check=False
            )
        except OSError:
            continue
        if result.returncode == 0:
            return candidate
    return pytest.skip(f"no {version} that user {user} can run can read {ROOT} and {SITE}")


def deadline_passes(pids: list[int], seconds: float) -> list[int]:
    """Wait until the processes are gone, and return those that are not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pids = [pid for pid in pids if Path(f"/proc/{pid}").exists() and "Z" not in state_of(pid)]
        if not pids:
            break
        time.sleep(0.02)
    return pids


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.mark.parametrize("user", [None, 65534], ids=["same user", "unprivileged"])
def test_the_death_of_the_host_ends_a_spinning_worker(
    make_bundle: MakeBundle, tmp_path: Path, user: int | None
) -> None:
    """Also while a fork of the host lives on with copies of its sockets."""
    if user is not None and os.getuid() != 0:
        pytest.skip("only root can become another user")
    for folder in (tmp_path, *(above for above in tmp_path.parents if "pytest" in str(above))):
        folder.chmod(0o755)
    # Past Python's own fork, which would have the copies closed.
    fork = (
        "if ctypes.PyDLL(None).fork() == 0:\n    import time\n    os.close(1); os.close(2); time.sleep(20); os._exit(0)"
    )
    spin = f"{fork}\nenv.step({{'name': 'spin', 'arguments': {{}}}})"
    with host(make_bundle(), after=spin, user=user) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.strip() == '{"success":true,"message":"put a"}', process.stderr.read() if process.stderr else ""
        worker = int(process.stdout.readline().split()[0])
        zygote = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
        while state_of(worker) != "R":
            time.sleep(0.01)
        process.kill()
        process.wait()
        assert deadline_passes([worker, zygote], 1.0) == []


def test_an_unprivileged_user_has_workers_too(make_bundle: MakeBundle, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    for folder in (tmp_path, *(above for above in tmp_path.parents if "pytest" in str(above))):
        folder.chmod(0o755)
    touch = {"name": "touch", "arguments": {"path": str(tmp_path / "x")}}
    after = (
        f"print(env.step({touch!r})[0])\n"
        "print('not ours to trace:', os.stat(f'/proc/{env.episode.world.worker._pid}/mem').st_uid == 0)\n"
        "print(env.step({'content': ''})[1])"
    )
    out, error = host(make_bundle(), after=after, user=65534).communicate(timeout=60)
    lines = out.splitlines()
    assert lines[0] == '{"success":true,"message":"put a"}', error
    assert "uid=65534" in lines[1]
    assert '["open",1],["fork",1]' in lines[2]
    assert lines[3:] == ["not ours to trace: True", "1.0"]
    assert error == ""


FORBID = """
import struct
class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))
libc = ctypes.CDLL(None, use_errno=True)
numbers = {numbers!r}
code = struct.pack("<HBBI", 0x20, 0, 0, 0)
for number in numbers:
    code += struct.pack("<HBBI", 0x15, 0, 1, number) + struct.pack("<HBBI", 0x06, 0, 0, 0x00050000 | 22)
code += struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000)
zero = ctypes.c_ulong(0)
assert libc.prctl(38, ctypes.c_ulong(1), zero, zero, zero) == 0
assert libc.prctl(22, ctypes.c_ulong(2), ctypes.byref(Program(len(code) // 8, code)), zero, zero) == 0
"""


@pytest.mark.parametrize("call", ["seccomp", "prctl"])
def test_without_seccomp_construction_raises(make_bundle: MakeBundle, call: str) -> None:
    machine = os.uname().machine
    number = {"seccomp": ARCHITECTURES[machine].seccomp, "prctl": {"x86_64": 157, "aarch64": 167}[machine]}[call]
    process = host(make_bundle(), before=FORBID.format(numbers=[number]))
    out, error = process.communicate(timeout=60)
    assert out.startswith("unavailable: Code that nobody has reviewed runs only in a worker that is locked down"), error
    assert f"{call}" in out
    assert "Invalid argument" in out
    assert "envscaler doctor" in out
    assert "trust=True" in out


def test_a_filter_that_is_not_applied_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A seccomp that says yes and does nothing, as under some emulators."""
    monkeypatch.setattr(lockdown, "build_filter", lambda _: struct.pack("<HBBI", 0x06, 0, 0, ALLOW))

    def lock_down() -> bool:
        lockdown._prctl(38, 1)
        try:
            lockdown._filter_system_calls(os.uname().machine)
        except lockdown.LockdownError as error:
            return "does not apply it" in str(error)
        return False

    assert in_a_fork(lock_down)


def test_the_kernel_ends_a_worker_whose_zygote_dies(make_world: MakeWorld) -> None:
    """The signal is cleared by a change of user, so it must be asked for afterwards."""
    world = make_world(call_seconds=60)
    pid = load(world)
    world.submit("spin", {})
    zygote = world.worker._zygote._process.pid
    os.kill(zygote, signal.SIGKILL)
    assert deadline_passes([pid], 1.0) == []


def test_a_worker_whose_code_ignores_its_limits_is_stopped_by_them(make_bundle: MakeBundle) -> None:
    env = ToolEnv(make_bundle(), limits={"cpu_seconds": 1, "call_seconds": 30}, on_error="truncate")
    env.reset(seed=0)
    info = env.step({"name": "spin", "arguments": {}})[4]
    env.close()
    assert info["failure"]["type"] == "WorkerCrash"
    assert "SIGKILL" in info["failure"]["message"] or "SIGXCPU" in info["failure"]["message"]


def test_the_doctor_finds_this_machine_well() -> None:
    findings = {finding.name: finding for finding in doctor()}
    assert all(finding.ok for finding in findings.values() if finding.required), findings
    assert findings["hostile code"].detail == "it could do nothing"
    assert {"seccomp", "death signal", "landlock", "pidfd", "user", "start"} <= set(findings)


def test_the_doctor_notices_what_is_missing(make_bundle: MakeBundle) -> None:
    before = FORBID.format(numbers=[ARCHITECTURES[os.uname().machine].seccomp])
    before += "\nfrom envscaler_gym.isolation import doctor\nfor finding in doctor(): print(finding)\nraise SystemExit"
    out, error = host(make_bundle(), before=before).communicate(timeout=60)
    assert "Finding(name='worker', ok=False, required=True" in out, error
    assert "seccomp refused the filter: Invalid argument" in out
