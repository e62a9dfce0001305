"""Runs: folders that hold everything a run was asked for, was answered and has made.

::

    <run>/
      run.json            what it was asked for
      completions.jsonl   every answer of a model
      artefacts/          what the stages made, each file named by the digest of what it holds
      batch/              requests whose answers are awaited, where the run is one of batch files
      report.json         what became of it
      diversity.json      how different its environments are; of several, map.svg shows them
      lock                held by the process that works on it

A run that was killed goes on from its folder, and comes to the same end as one that was not.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from envscaler_gym.bundle import explain_validation
from envscaler_gym.errors import EnvScalerError, UnknownNameError, did_you_mean, shorten
from envscaler_gym.llm.store import CompletionStore
from envscaler_gym.registry import home
from envscaler_gym.synthesis.artefacts import Artefact
from envscaler_gym.synthesis.config import RunConfig
from envscaler_gym.synthesis.outcomes import RunReport

__all__ = [
    "FolderShelf",
    "Run",
    "RunBusy",
    "RunDamaged",
    "create_run",
    "find_run",
    "list_runs",
    "runs_folder",
    "write_durably",
]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class RunBusy(EnvScalerError):
    """Another process works on the run."""


class RunDamaged(EnvScalerError):
    """A file of a run is missing, malformed or changed."""


class FolderShelf:
    """Artefacts as files, named by the digest of what they hold.

    Args:
        folder: Their folder; made with the first artefact.

    Raises:
        RunDamaged: A file is not what its name says.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._by_key: dict[str, Artefact] = {}
        for path in sorted(folder.glob("*.json")):
            artefact = _read_artefact(path)
            self._by_key[artefact.key] = artefact

    @property
    def artefacts(self) -> list[Artefact]:
        """All artefacts, sorted by stage, subject and digest."""
        return sorted(self._by_key.values(), key=lambda made: (made.stage, made.subject, made.digest))

    async def find(self, key: str) -> Artefact | None:
        """Return the artefact that was made from what a key stands for."""
        return self._by_key.get(key)

    async def keep(self, artefact: Artefact) -> None:
        """Write an artefact down; it is on disk when this returns."""
        if artefact.key not in self._by_key:
            path = self.folder / f"{artefact.digest.partition(':')[2]}.json"
            write_durably(path, artefact.model_dump_json(indent=1))
            self._by_key[artefact.key] = artefact


class Run:
    """One run.

    Args:
        folder: Its folder.

    Attributes:
        folder: Its folder.
        config: What it was asked for.

    Raises:
        RunDamaged: Its ``run.json`` cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.config = RunConfig.model_validate_json((folder / "run.json").read_bytes())
        except OSError as error:
            raise RunDamaged(f"{folder / 'run.json'}: cannot be read: {error.strerror or error}") from None
        except ValidationError as error:
            raise RunDamaged(f"{folder / 'run.json'}: {explain_validation(error)}") from None

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def batch_folder(self) -> Path:
        """Folder of the files that are exchanged for answers."""
        return self.folder / "batch"

    def completions(self) -> CompletionStore:
        """Open the store of completions."""
        return CompletionStore(self.folder / "completions.jsonl")

    def shelf(self) -> FolderShelf:
        """Open the artefacts."""
        return FolderShelf(self.folder / "artefacts")

    def report(self) -> RunReport | None:
        """Return what became of the run when a process last left it; ``None`` where none has."""
        try:
            return RunReport.model_validate_json((self.folder / "report.json").read_bytes())
        except OSError:
            return None
        except ValidationError as error:
            raise RunDamaged(f"{self.folder / 'report.json'}: {explain_validation(error)}") from None

    def write_report(self, report: RunReport) -> None:
        """Write down what became of the run."""
        write_durably(self.folder / "report.json", report.model_dump_json(indent=1) + "\n")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from working on the run, as long as the block lasts.

        Raises:
            RunBusy: One is working on it.
        """
        with (self.folder / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise RunBusy(
                    f"run {self.name}: {holder} is working on it ({self.folder}). "
                    "Wait until it ends, or end it; then resume the run."
                ) from None
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
            yield
            file.truncate(0)

    def is_busy(self) -> bool:
        """Return whether a process is working on the run now."""
        try:
            with (self.folder / "lock").open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False


def runs_folder() -> Path:
    """Return the folder where runs are kept by default."""
    return home() / "runs"


def create_run(config: RunConfig, folder: Path, name: str | None = None) -> Run:
    """Make a new run.

    Args:
        config: What it is asked for.
        folder: Folder of the runs.
        name: Its name; the next free number where none is given.

    Raises:
        ValueError: The name is taken, or cannot be one.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise ValueError(f"a run's name is made of letters, digits, '-', '_' and '.', got {shorten(name)}")
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        path = folder / (name or _next_name(folder))
        try:
            path.mkdir()
        except FileExistsError:
            if name is None:  # somebody else was faster
                continue
            raise ValueError(f"{path}: there is a run of that name; resume it, or give another name") from None
        write_durably(path / "run.json", config.model_dump_json(indent=1) + "\n")
        return Run(path)


def find_run(name: str, folder: Path) -> Run:
    """Return a run by its name or its path.

    Raises:
        UnknownNameError: There is none.
        RunDamaged: Its ``run.json`` cannot be read.
    """
    for path in (folder / name, Path(name)):
        if (path / "run.json").is_file():
            return Run(path)
    names = [run.name for run in list_runs(folder)]
    raise UnknownNameError(
        f"There is no run {shorten(name)} in {folder}.{did_you_mean(name, names)} "
        f"Runs: {', '.join(names[-5:]) or 'none'}. A path to a run's folder works too."
    )


def list_runs(folder: Path) -> list[Run]:
    """List the runs of a folder, by name; what cannot be read is left out."""
    runs = []
    for path in sorted(folder.glob("*/run.json")):
        try:
            runs.append(Run(path.parent))
        except RunDamaged:
            continue
    return runs


def write_durably(path: Path, text: str) -> None:
    """Write a file as a whole and put it on disk, its name included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _next_name(folder: Path) -> str:
    numbers = (path.name.removeprefix("run-") for path in folder.glob("run-*"))
    return f"run-{1 + max((int(number) for number in numbers if number.isdecimal()), default=0):04d}"


def _read_artefact(path: Path) -> Artefact:
    try:
        artefact = Artefact.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise RunDamaged(f"{path}: {explain_validation(error)}; delete the file, and it is made again") from None
    if artefact.digest != f"sha256:{path.stem}":
        raise RunDamaged(
            f"{path}: holds an artefact of digest {artefact.digest}; delete the file, and it is made again"
        )
    return artefact
