"""Runs as single files: what was asked for and every answer, from which everything else follows.

A packed run is carried out again without a model, and comes to the same bundles, byte for byte. Equal runs are packed
to equal bytes.
"""

from __future__ import annotations

import io
import lzma
import tarfile
from pathlib import Path

from pydantic import ValidationError

from envscaler_gym.bundle import explain_validation
from envscaler_gym.synthesis.config import RunConfig
from envscaler_gym.synthesis.runs import Run, RunDamaged, create_run

__all__ = ["pack_run", "unpack_run"]

_CONFIG, _COMPLETIONS = "run.json", "completions.jsonl"
_LARGEST = 1 << 30
"""Most bytes that are unpacked."""


def pack_run(run: Run, path: Path) -> None:
    """Write a run to a file, a tar archive compressed by LZMA.

    The folder for its bundles is left out, as it means something on this machine alone.

    Args:
        run: The run.
        path: The file; replaced where it is there.
    """
    config = run.config.model_copy(update={"out": None}).model_dump_json(indent=1) + "\n"
    completions = run.folder / _COMPLETIONS
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in ((_CONFIG, config.encode()), (_COMPLETIONS, completions.read_bytes())):
            member = tarfile.TarInfo(name)  # of no owner and no time
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    path.write_bytes(lzma.compress(archive.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def unpack_run(path: Path, folder: Path, name: str | None = None, out: Path | None = None) -> Run:
    """Make a run of a packed one; it is then carried out like any other that was left unfinished.

    Args:
        path: The file.
        folder: Folder of the runs.
        name: The run's name; the next free number where none is given.
        out: Folder for its bundles; ``None`` for the user's own.

    Raises:
        RunDamaged: The file cannot be read, or is no packed run.
        ValueError: The name is taken, or cannot be one.
    """
    contents = _contents(path)
    try:
        config = RunConfig.model_validate_json(contents[_CONFIG])
    except ValidationError as error:
        raise RunDamaged(f"{path}: {_CONFIG}: {explain_validation(error)}") from None
    config = config.model_copy(update={"out": None if out is None else str(out.resolve())})
    run = create_run(config, folder, name)
    (run.folder / _COMPLETIONS).write_bytes(contents[_COMPLETIONS])
    return run


def _contents(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:xz") as tar:
            for member in tar:
                file = tar.extractfile(member) if member.name in (_CONFIG, _COMPLETIONS) else None
                if file is None or member.size > _LARGEST:
                    raise RunDamaged(f"{path}: holds {member.name!r}, which no packed run does, or too much of it")
                found[member.name] = file.read()
    except OSError as error:
        raise RunDamaged(f"{path}: cannot be read: {error.strerror or error}") from None
    except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
        raise RunDamaged(f"{path}: is no packed run: {error}") from None
    if set(found) != {_CONFIG, _COMPLETIONS}:
        raise RunDamaged(f"{path}: is no packed run: it holds {sorted(found)}, not {_CONFIG} and {_COMPLETIONS}")
    return found
