"""Which bundles have been reviewed, by digest: only their code runs in this process without being asked for.

There are two lists of the same form, an object with the digest of a bundle as key: the one that comes with the library,
and the user's own, ``trust.json`` in the user's folder.
"""

from __future__ import annotations

import datetime
import json
from functools import lru_cache
from pathlib import Path

from envscaler_gym.bundle import Bundle, write_file
from envscaler_gym.errors import BundleError
from envscaler_gym.registry import home
from envscaler_gym.types import JSON

__all__ = ["REVIEWED", "is_reviewed", "own_list", "record_review"]

REVIEWED = Path(__file__).with_name("reviewed.json")
"""Digests of the bundles that the maintainers have reviewed, with id, reviewer and date."""


def own_list() -> Path:
    """Return the path of the user's own list, which may not exist."""
    return home() / "trust.json"


def is_reviewed(bundle: Bundle) -> bool:
    """Return whether exactly this bundle has been reviewed; a changed byte makes it another one.

    Raises:
        BundleError: The user's own list is malformed.
    """
    return any(bundle.digest in _digests(path, _stamp(path)) for path in (REVIEWED, own_list()))


def record_review(bundle: Bundle, reviewer: str, path: Path) -> None:
    """Write down that exactly this bundle has been reviewed today; older entries of its id are dropped.

    Args:
        bundle: The bundle.
        reviewer: Who has reviewed it.
        path: The list, :data:`REVIEWED` or :func:`own_list`; made where it is missing.

    Raises:
        BundleError: The list is malformed.
    """
    entries = {digest: entry for digest, entry in _read(path).items() if not _is_of(entry, bundle.id)}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    entries[bundle.digest] = {"id": bundle.id, "reviewer": reviewer, "date": today}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(entries, indent=2, ensure_ascii=False) + "\n")


def _is_of(entry: JSON, bundle_id: str) -> bool:
    return isinstance(entry, dict) and entry.get("id") == bundle_id


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=8)
def _digests(path: Path, stamp: tuple[int, int] | None) -> frozenset[str]:
    """Return the digests in a list as it was at ``stamp``; there are none in a list that does not exist."""
    return frozenset() if stamp is None else frozenset(_read(path))


def _read(path: Path) -> dict[str, JSON]:
    """Return the entries of a list by digest; there are none in a list that does not exist.

    Raises:
        BundleError: It is malformed.
    """
    try:
        entries = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: cannot be read as a list of reviewed bundles: {error}") from None
    if not isinstance(entries, dict):
        raise BundleError(f"{path}: must be an object with digests as keys, got a {type(entries).__name__}")
    return entries
