"""Saving many bundles at once, each in a folder named after it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from envscaler_gym.bundle import Bundle, load_bundle
from envscaler_gym.errors import BundleError

__all__ = ["save_all", "slug"]


def save_all(bundles: Iterable[Bundle], folder: Path) -> list[Path]:
    """Save bundles below a folder. A bundle of the same id is replaced; nothing is written when one cannot be.

    Args:
        bundles: The bundles.
        folder: Folder that is to hold them; made where it is missing.

    Returns:
        The folder of each bundle.

    Raises:
        BundleError: A bundle's folder is taken by something else.
    """
    places: dict[Path, Bundle] = {}
    for bundle in bundles:
        path = folder / slug(bundle.id)
        holder = places[path].id if path in places else _holder(path)
        if holder not in (None, bundle.id) or path in places:
            raise BundleError(
                f"{path}: already holds {holder!r}, so {bundle.id!r} cannot be saved there; "
                "choose another folder, or move the one that is there"
            )
        places[path] = bundle
    for path, bundle in places.items():
        bundle.save(path)
    return list(places)


def slug(bundle_id: str) -> str:
    """Return the folder name for an id: ``"ns/RepairShop-v0"`` gives ``"repair_shop"``."""
    name = bundle_id.rpartition("/")[2].rpartition("-v")[0]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") or "environment"


def _holder(path: Path) -> str | None:
    """Return the id of the bundle that a folder holds; ``None`` where there is no such folder or it is empty."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return None
    return load_bundle(path, verify=False).id
