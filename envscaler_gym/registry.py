"""Finding bundles and registering them with Gymnasium.

Bundles are looked for in four places, and the first to hold an id wins:

1. the folder ``synthesized_envs`` shipped with the library,
2. the user's own folder, ``~/.envscaler/envs`` (``ENVSCALER_HOME`` moves ``~/.envscaler``),
3. the folders on ``ENVSCALER_PATH``, separated as on ``PATH``,
4. the packages named by entry points of the group ``envscaler_gym.bundles``.

Registration reads one field of each manifest. A bundle that cannot be read is listed by :func:`problems` and takes no
other down.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import gymnasium as gym
import msgspec
from gymnasium.envs.registration import WrapperSpec, parse_env_id

from envscaler_gym.bundle import FILES, MANIFEST, Bundle, load_bundle, unknown_files
from envscaler_gym.errors import UnknownNameError, did_you_mean, shorten
from envscaler_gym.manifest import ID_PATTERN

__all__ = ["ENTRY_POINT_GROUP", "SHIPPED", "Problem", "find", "get_bundle", "home", "ids", "problems", "register_all"]

ENTRY_POINT_GROUP = "envscaler_gym.bundles"
SUITE_ID = "envscaler/Suite-v0"
"""Id of the environment that draws from many."""
SHIPPED = Path(__file__).resolve().parent.parent / "synthesized_envs"
"""Folder of the bundles that come with the library."""

_WRAPPERS = (WrapperSpec("GradedTimeLimit", "envscaler_gym.wrappers.graded_time_limit:GradedTimeLimit", {}),)
_logger = logging.getLogger("envscaler_gym")


class Problem(NamedTuple):
    """A bundle that cannot be used as it lies there.

    Attributes:
        path: Its folder.
        reason: What is wrong, in one line.
    """

    path: Path
    reason: str


class _Identity(msgspec.Struct):
    """The one field of a manifest that registration needs."""

    id: str


_DECODER = msgspec.json.Decoder(_Identity)
_paths: dict[str, Path] = {}
_problems: list[Problem] = []
_bundles: dict[Path, tuple[tuple[tuple[int, int], ...], Bundle]] = {}


def home() -> Path:
    """Return the user's own folder of this library."""
    # Where nobody knows the user's home, expanduser changes nothing and Path.home raises.
    return Path(os.environ.get("ENVSCALER_HOME") or os.path.expanduser("~/.envscaler"))  # noqa: PTH111


def register_all() -> None:
    """Find bundles and register those that are not registered yet. Called when the library is imported."""
    known = set(_problems)
    _problems.clear()
    if SUITE_ID not in gym.registry:
        gym.register(SUITE_ID, "envscaler_gym.suite:SuiteEnv", additional_wrappers=_WRAPPERS)
    for folder in _folders():
        try:
            slugs = sorted(path.name for path in folder.iterdir())
        except OSError:  # a place that does not exist holds no bundles
            continue
        for slug in slugs:
            path = folder / slug
            if os.path.isfile(path / MANIFEST):  # noqa: PTH113 - False, too, for what may not be read
                _register(path)
    for problem in _problems:
        if problem not in known:
            _logger.warning("unusable bundle: %s", problem.reason)


def ids() -> list[str]:
    """List the ids of all bundles found, sorted."""
    return sorted(_paths)


def shipped_ids() -> list[str]:
    """List the ids of the bundles that come with the library, sorted."""
    return sorted(id_ for id_, path in _paths.items() if path.parent == SHIPPED)


def problems() -> list[Problem]:
    """List the bundles that were found and cannot be used, as of the last :func:`register_all`."""
    return list(_problems)


def find(name: str) -> Path:
    """Return the folder of a bundle.

    Args:
        name: Its id, with or without namespace and version, in any case; the name of its folder; or a path.

    Raises:
        UnknownNameError: There is none of that name.
    """
    if name in _paths:
        return _paths[name]
    path = Path(name)
    if path.name != name and os.path.isfile(path / MANIFEST):  # noqa: PTH113 - False for names that no path can have
        return path.resolve()
    wanted = name.casefold()
    matches = {id_: path for id_, path in _paths.items() if wanted in _short_names(id_, path)}
    if len(matches) == 1:
        return matches.popitem()[1]
    if matches:
        raise UnknownNameError(f"{shorten(name)} could be any of {', '.join(sorted(matches))}; give the whole id.")
    known = {short for id_, path in _paths.items() for short in _short_names(id_, path)}
    near = did_you_mean(wanted, sorted(known))
    raise UnknownNameError(
        f"There is no environment {shorten(name)}.{near} Known: {', '.join(ids()) or 'none'}. "
        "A path to a bundle's folder works too."
    )


def get_bundle(name: str) -> Bundle:
    """Return a bundle, read once per process as long as its files do not change.

    Args:
        name: As for :func:`find`.

    Raises:
        UnknownNameError: There is none of that name.
        BundleError: It is malformed.
    """
    path = find(name)
    stamp = tuple(_stamp(path / file) for file in FILES)
    if path not in _bundles or _bundles[path][0] != stamp:
        _bundles[path] = stamp, load_bundle(path)
    return _bundles[path][1]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _folders() -> Iterator[Path]:
    yield SHIPPED
    yield home() / "envs"
    for entry in os.environ.get("ENVSCALER_PATH", "").split(os.pathsep):
        if entry:
            yield Path(entry).resolve()
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        try:
            spec = importlib.util.find_spec(entry_point.module)
        except Exception as error:  # somebody else's package is broken; ours goes on
            _report(Path(entry_point.value), f"entry point {entry_point.name!r} cannot be found: {error}")
            continue
        for location in (spec and spec.submodule_search_locations) or ():
            yield Path(location)


def _register(path: Path) -> None:
    try:
        id_ = _DECODER.decode((path / MANIFEST).read_bytes()).id
    except (OSError, ValueError) as error:
        _report(path, f"{path / MANIFEST}: {' '.join(str(error).split())}")
        return
    if not re.fullmatch(ID_PATTERN, id_):
        _report(path, f"{path / MANIFEST}: id: {shorten(id_)} must be of the form namespace/Name-v0")
        return
    unknown = unknown_files(path)
    if unknown:
        _report(path, f"{path / unknown[0]}: unknown file in a bundle")
    if id_ in _paths:
        if _paths[id_] != path:
            _report(path, f"{path}: {id_!r} is already the id of {_paths[id_]}")
        return
    if id_ in gym.registry:
        _report(path, f"{path}: {id_!r} is already the id of another environment of Gymnasium's registry")
        return
    _paths[id_] = path
    gym.register(
        id_,
        "envscaler_gym.env:ToolEnv",
        kwargs={"environment": id_},
        additional_wrappers=_WRAPPERS,
    )


def _report(path: Path, reason: str) -> None:
    problem = Problem(path, reason)
    if problem not in _problems:
        _problems.append(problem)


def _short_names(id_: str, path: Path) -> set[str]:
    _, name, _ = parse_env_id(id_)
    unversioned = id_.rpartition("-v")[0]
    return {short.casefold() for short in (id_, id_.rpartition("/")[2], unversioned, name, path.name)}
