"""The base class of everything that is read from files."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Data"]


class Data(BaseModel):
    """Frozen data: unknown fields are errors, and nothing is converted silently."""

    # Validators are built when they are first used, which keeps the import fast.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
