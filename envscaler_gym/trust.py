"""Which bundles have been reviewed, by digest: only their code may run in this process without being asked for."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import UnreviewedCodeError

__all__ = ["REVIEWED", "is_reviewed", "require_trust"]

REVIEWED = Path(__file__).with_name("reviewed.json")
"""Digests of the bundles that the maintainers have reviewed, with id, reviewer and date."""


@lru_cache(maxsize=1)
def _reviewed_digests() -> frozenset[str]:
    return frozenset(json.loads(REVIEWED.read_bytes()))


def is_reviewed(bundle: Bundle) -> bool:
    """Return whether exactly this bundle has been reviewed; a changed byte makes it another one."""
    return bundle.digest in _reviewed_digests()


def require_trust(bundle: Bundle, trust: bool) -> None:
    """Refuse to run code that nobody has reviewed.

    Raises:
        UnreviewedCodeError: The bundle is not reviewed and ``trust`` is false.
    """
    if not trust and not is_reviewed(bundle):
        raise UnreviewedCodeError(
            f"{bundle.id} ({bundle.path or 'in memory'}) has not been reviewed, and its code would run in this process "
            "with all of your rights. Read it first; then pass trust=True (on the command line: --trust)."
        )
