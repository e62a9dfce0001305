"""Attack programs, run as a tool, as a constructor and as a check: nothing of them is noticed outside of the worker.

The programs are in ``attacks/``. Each runs in a toy environment of its own, with short deadlines; around it stand
canaries, which notice what gets out. As root, the whole is run a second time as an unprivileged user.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import Check
from envscaler_gym.env import ToolEnv
from envscaler_gym.isolation.lint import lint
from envscaler_gym.isolation.spawning import SPAWNER
from envscaler_gym.manifest import Manifest, Provenance, ToolEntry
from envscaler_gym.scenario import Scenario, StartState

pytestmark = [pytest.mark.enable_socket, pytest.mark.skipif(sys.platform != "linux", reason="workers need Linux")]

ATTACKS = Path(__file__).with_name("attacks")
FAMILIES = ("time", "memory", "files", "network", "processes", "introspection", "integrity")
PLACES = ("tool", "constructor", "check")
NOBODY = 65534

CALL, CHECK, LOAD = 0.4, 0.4, 1.5  # deadlines, in seconds
GRACE = 0.5  # what control may take to come back after a deadline, in seconds
GROWTH = 64 << 20  # what memory of this process may grow by, in bytes
LIMITS = {"call_seconds": CALL, "check_seconds": CHECK, "load_seconds": LOAD, "memory_bytes": 256 << 20}

ENVIRONMENT = '''
class Shelf:
    def __init__(self, init_config=None):
        self.items = {}
        self.note = ""
        if (init_config or {}).get("attacked"):
            self.note = attack(vars(self))

    def poke(self) -> dict:
        """Run the attack."""
        return attack(vars(self))

    def read_note(self) -> dict:
        """Return what the attack returned when it ran in the constructor."""
        return {"success": True, "note": self.note}

    def take(self, name: str) -> dict:
        """Take an item.

        Args:
            name (str): Name of the item.
        """
        if name not in self.items:
            return {"success": False, "error": "There is no such item."}
        self.items[name]["taken"] = True
        return {"success": True, "message": name + " was taken."}
'''
TAKEN = 'def check_func(final_state):\n    return final_state["items"]["apple"]["taken"]\n'
UNTOUCHED = 'def check_func(final_state):\n    return not initial_state["items"]["apple"]["taken"]\n'


class Attack(NamedTuple):
    """One program of the corpus."""

    id: str
    text: str
    body: str
    comes_back: str
    forges: bool = False


def read(family: str) -> list[Attack]:
    return [Attack(**attack) for attack in tomllib.loads((ATTACKS / f"{family}.toml").read_text())["attack"]]


CORPUS = {attack.id: attack for family in FAMILIES for attack in read(family)}
SECRET = uuid.uuid4().hex
VARIABLE = "ENVSCALER_CANARY"
TOOLBOX = (ATTACKS / "toolbox.py.txt").read_text()


class Canaries:
    """Things outside of the worker that an attack might reach, and what this process is before it runs."""

    def __init__(self) -> None:
        self.mark = "canary" + uuid.uuid4().hex
        self.folder = Path(tempfile.mkdtemp(prefix="canary-", dir="/tmp"))
        self.folder.chmod(0o777)
        self.file = self.folder / "secret"
        self.file.write_text(SECRET)
        self.file.chmod(0o666)
        self.drop = self.folder / "drop"
        self.drop.mkdir()
        self.drop.chmod(0o777)
        (self.drop / "canary_module.py").write_text(f"TOKEN = {SECRET!r}\n")
        self.listeners = [socket.create_server(("127.0.0.1", 0))]
        self.port = self.listeners[0].getsockname()[1]
        for family, kind, address in (
            (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", self.port)),
            (socket.AF_UNIX, socket.SOCK_STREAM, str(self.folder / "socket")),
            (socket.AF_UNIX, socket.SOCK_STREAM, "\0" + self.mark),
        ):
            listener = socket.socket(family, kind)
            listener.bind(address)
            if kind == socket.SOCK_STREAM:
                listener.listen()
            self.listeners.append(listener)
        (self.folder / "socket").chmod(0o777)
        for listener in self.listeners:
            listener.setblocking(False)
        self.before = self._file()

    def header(self, *, checking: bool) -> str:
        values = {
            "SECRET": str(self.file),
            "DROP": str(self.drop),
            "MARK": self.mark,
            "PORT": self.port,
            "SOCKET": str(self.folder / "socket"),
            "HOST": str(os.getpid()),
            "VARIABLE": VARIABLE,
            "CHECKING": checking,
        }
        return "".join(f"{name} = {value!r}\n" for name, value in values.items()) + TOOLBOX

    def _file(self) -> tuple[str, int, int, int]:
        stat = self.file.stat()
        return self.file.read_text(), stat.st_mode, stat.st_nlink, stat.st_mtime_ns

    def noticed(self) -> list[str]:
        """Return what became of the canaries."""
        found = []
        try:
            if self._file() != self.before:
                found.append("the secret file was changed")
        except OSError as error:
            found.append(f"the secret file is gone: {error}")
        if [path.name for path in self.drop.iterdir() if path.name != "__pycache__"] != ["canary_module.py"]:
            found.append(f"files were made: {list(self.drop.iterdir())}")
        found += [
            f"a file was made in {folder}"
            for folder in ("/dev/shm", "/tmp", "/var/tmp", "/", ".")
            if (Path(folder) / self.mark).exists()
        ]
        for listener in self.listeners:
            with contextlib.suppress(BlockingIOError):
                if listener.type == socket.SOCK_STREAM:
                    listener.accept()[0].close()
                else:
                    listener.recv(100)
                found.append(f"{listener} was reached")
        for kind in ("shm", "sem", "msg"):
            with contextlib.suppress(FileNotFoundError):  # a kernel without it
                lines = Path("/proc/sysvipc", kind).read_text().splitlines()
                found += [f"{kind} 4242 was made" for line in lines if line.split()[0] == "4242"]
        return found + [f"process {pid} was started" for pid, line in commands().items() if self.mark in line]

    def close(self) -> None:
        for listener in self.listeners:
            listener.close()
        for path in sorted(self.folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        self.folder.rmdir()


@pytest.fixture
def canaries() -> Iterator[Canaries]:
    canaries = Canaries()
    yield canaries
    canaries.close()


def commands() -> dict[int, str]:
    """Return the command lines of all processes."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has just ended
                found[int(entry.name)] = (entry / "cmdline").read_text(errors="replace")
    return found


def family_of(pid: int) -> set[int]:
    """Return the descendants of a process, and those that look like its children but have left it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text(errors="replace")
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= more
    lines = commands()
    known = {lines.get(child) for child in found} - {"", None}
    return found | {other for other, line in lines.items() if line in known}


class Holdings(NamedTuple):
    """What this process holds that an attack must not add to."""

    processes: frozenset[int]
    handles: int
    threads: int

    @classmethod
    def now(cls) -> Holdings:
        handles = sum(1 for _ in Path("/proc/self/fd").iterdir())
        return cls(frozenset(family_of(os.getpid())), handles, threading.active_count())

    def beyond(self, before: Holdings) -> list[str]:
        """Name what there is more of than before; less is no fault, since an earlier test's processes may end."""
        more = {
            "processes": self.processes - before.processes,
            "handles": max(0, self.handles - before.handles),
            "threads": max(0, self.threads - before.threads),
        }
        return [f"{name}: {value}" for name, value in more.items() if value]


def memory(name: str) -> int:
    """Return a memory figure of this process, in bytes: ``VmRSS``, or ``VmHWM`` since :func:`forget_peak`."""
    match = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert match
    return int(match[1]) << 10


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def bundle_of(attack: Attack, place: str, canaries: Canaries) -> Bundle:
    """Return an environment with the attack in it, a scenario that springs it, and one that does not."""
    program = "def attack(target):\n" + textwrap.indent(attack.body, "    ") + "\n"
    source = canaries.header(checking=False) + "\n\n" + program + ENVIRONMENT
    springing = canaries.header(checking=True) + "\n\n" + program + "\n\ncheck_func = attack\n"
    names = ("poke", "read_note", "take")
    manifest = Manifest(
        id="attacks/Shelf-v0",
        class_name="Shelf",
        tools=tuple(ToolEntry(name=name, kind="state_change") for name in names),
        provenance=Provenance(method="handwritten"),
    )
    honest = (Check(text="Was the apple taken?", source=TAKEN), Check(text="Was it there?", source=UNTOUCHED))
    checks = (Check(text="Spring it.", source=springing), honest[0]) if place == "check" else honest[:1]
    items = {"apple": {"taken": False}}
    starts = {
        "clean": StartState(id="clean", state={"items": items}),
        "attacked": StartState(id="attacked", state={"items": items, "attacked": place == "constructor"}),
    }
    scenarios = {
        "clean": Scenario(id="clean", start_state="clean", task="Take the apple.", checks=honest),
        "attacked": Scenario(id="attacked", start_state="attacked", task="Take the apple.", checks=checks),
    }
    return Bundle(manifest, source, None, starts, scenarios)


class Outcome(NamedTuple):
    """What the host saw of an attack.

    Attributes:
        text: Everything that came back.
        late: By how many seconds control came back after the deadline.
        grown: By how many bytes this process grew at its largest.
        fooled: Whether the honest check, which was false, counted as passed.
    """

    text: str
    late: float
    grown: int
    fooled: bool


def spring(env: ToolEnv, place: str) -> Outcome:
    """Run the attacked scenario to its end."""
    forget_peak()
    size = memory("VmRSS")
    said: list[Any] = []
    late = -1.0
    start = time.monotonic()
    said.append(env.reset(seed=1, options={"scenario": "attacked"}))
    late = max(late, time.monotonic() - start - LOAD)
    score = None
    steps: tuple[tuple[Any, float], ...] = (
        ({"name": {"tool": "poke", "constructor": "read_note", "check": "read_note"}[place], "arguments": {}}, CALL),
        ({"content": "Done."}, CHECK if place == "check" else LOAD + CHECK),
    )
    for action, deadline in steps:
        start = time.monotonic()
        result = env.step(action)
        late = max(late, time.monotonic() - start - deadline)
        said.append(result)
        if result[2] or result[3]:
            score = result[4].get("score")
            assert score is not None or result[1] == 0.0
            break
    grown = memory("VmHWM") - size
    fooled = score is not None and score["checks"][-1]["passed"]
    texts = [json.dumps(part, ensure_ascii=False, default=repr) for part in said[1:]]
    return Outcome("\n".join([repr(said[0]), *texts]), late, grown, fooled)


def assert_clean_episode(env: ToolEnv) -> None:
    env.reset(seed=1, options={"scenario": "clean"})
    text, *_, info = env.step({"name": "take", "arguments": {"name": "apple"}})
    assert (text, info["outcome"]) == ('{"success":true,"message":"apple was taken."}', "success")
    _, reward, terminated, _, info = env.step({"content": "Done."})
    assert (reward, terminated, [check["error"] for check in info["score"]["checks"]]) == (1.0, True, [None, None])


def make(bundle: Bundle, folder: Path) -> ToolEnv:
    bundle.save(folder)
    return ToolEnv(str(folder), isolation="worker", on_error="truncate", limits=LIMITS)


@pytest.fixture(scope="session")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Find out by mild means whether there is a wall at all, before anything is thrown at it.

    It also starts a zygote afresh, so that there is a secret in the environment that it might have inherited.
    """
    SPAWNER.shut_down()
    os.environ[VARIABLE] = SECRET
    canaries = Canaries()
    mild = Attack(
        "mild",
        "one fork, one signal to itself that does nothing, one allocation of 1 GiB",
        "os = real('os')\n"
        "return tried(lambda: os.fork() or os._exit(0), lambda: os.kill(os.getpid(), 0), lambda: bytearray(1 << 30))\n",
        "",
    )
    try:
        env = make(bundle_of(mild, "tool", canaries), tmp_path_factory.mktemp("mild"))
        env.reset(options={"scenario": "attacked"})
        text = env.step({"name": "poke", "arguments": {}})[0]
        assert_clean_episode(env)
        env.close()
        assert text == '"EPERM EPERM MemoryError"', f"there is no wall; no attack was run: {text}"
    finally:
        canaries.close()
    yield
    del os.environ[VARIABLE]


def run(attack: Attack, place: str, canaries: Canaries, folder: Path) -> Outcome:
    env = make(bundle_of(attack, place, canaries), folder)
    try:
        outcome = spring(env, place)
        if outcome.late > GRACE:  # the machine may have been busy: once more
            outcome = outcome._replace(late=spring(env, place).late)
        assert_clean_episode(env)
    finally:
        env.close()
    return outcome


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", CORPUS)
def test_nothing_gets_out(name: str, place: str, wall: None, canaries: Canaries, tmp_path: Path) -> None:
    attack = CORPUS[name]
    before = Holdings.now()
    outcome = run(attack, place, canaries, tmp_path / "shelf")
    assert canaries.noticed() == []
    assert SECRET not in outcome.text
    assert outcome.late < GRACE
    assert outcome.grown < GROWTH
    assert not outcome.fooled or (attack.forges and place == "check")
    assert Holdings.now().beyond(before) == []
    assert re.search(attack.comes_back, outcome.text), outcome.text[:2000]


# Runs a command as nobody. An interpreter that lies in root's own folder is made visible in its place, for the command.
AS_NOBODY = """
set -e
hidden=$1 shown=$2 kept=$3; shift 3
if [ -n "$hidden" ]; then
    mkdir -p "$kept"
    mount --bind "$shown" "$kept"
    mount -t tmpfs -o mode=755 none "$hidden"
    mkdir -p "$shown"
    mount --bind "$kept" "$shown"
fi
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
"""


def hidden(path: Path) -> Path | None:
    """Return the outermost folder above a path that not everybody may enter."""
    return next((folder for folder in reversed(path.parents) if not folder.stat().st_mode & 0o001), None)


def as_nobody(folder: Path, command: list[str]) -> list[str]:
    """Return the command that runs a command as nobody, or skip the test where that cannot be had."""
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else; for everybody else the whole module runs unprivileged")
    base = Path(sys.base_prefix).resolve()
    cover = hidden(base)
    for path in (Path(sys.prefix), Path(__file__)):
        if path != base and hidden(path):
            pytest.skip(f"only root can read {path}")
    start = ["sh", "-c", AS_NOBODY, "sh", str(cover or ""), str(base), str(folder / "kept")]
    if cover:
        start = ["unshare", "--mount", "--propagation", "private", *start]
    trial = subprocess.run([*start, "true"], capture_output=True, text=True, check=False)
    if trial.returncode != 0:
        pytest.skip(f"only root can read {base}, and it cannot be shown to others here: {trial.stderr.strip()}")
    return [*start, *command]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_gets_out_of_an_unprivileged_user(family: str) -> None:
    attacks = read(family)
    only = " or ".join(f"{attack.id}-" for attack in attacks)
    options = ["-q", "-p", "no:cacheprovider", "--no-header", "-k", f"test_nothing_gets_out and ({only})"]
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        home = Path(folder, "home")
        home.mkdir()
        os.chown(home, NOBODY, NOBODY)
        Path(folder).chmod(0o755)
        command = [sys.executable, "-m", "pytest", *options, "--basetemp", str(home / "tmp"), __file__]
        result = subprocess.run(
            as_nobody(Path(folder), command),
            cwd=Path(__file__).parents[2],
            env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=380,
        )
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
    passed = re.search(r"(\d+) passed", result.stdout)
    assert passed
    assert int(passed[1]) == len(PLACES) * len(attacks)


def test_the_corpus_is_large_enough() -> None:
    sizes = {family: len(read(family)) for family in FAMILIES}
    assert min(sizes.values()) >= 6
    assert sum(sizes.values()) == len(CORPUS) >= 75


@pytest.mark.parametrize("name", CORPUS)
def test_the_lint_reads_every_attack_and_sees_its_way_out(name: str, canaries: Canaries) -> None:
    rules = {finding.rule for finding in lint(bundle_of(CORPUS[name], "tool", canaries).source)}
    assert "dunder" in rules
    assert "syntax" not in rules


def test_canaries_notice(canaries: Canaries) -> None:
    assert canaries.noticed() == []
    canaries.file.chmod(0o600)
    (canaries.drop / "made").touch()
    marked = Path("/dev/shm", canaries.mark)
    marked.touch()
    with socket.create_connection(("127.0.0.1", canaries.port)):
        pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(b"x", ("127.0.0.1", canaries.port))
    for address in (str(canaries.folder / "socket"), "\0" + canaries.mark):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(address)
    for listener in canaries.listeners:
        assert select.select([listener], [], [], 30)[0]
    command = [sys.executable, "-c", "print(flush=True); input()", canaries.mark]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout
        assert process.stdout.readline() == b"\n"  # before it runs, its command line cannot be read
        found = canaries.noticed()
        assert process.pid in family_of(os.getpid())
    finally:
        process.communicate(b"\n")
        marked.unlink()
    assert len(found) == 8, found
