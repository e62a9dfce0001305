"""Manifests: what is known of an environment without running it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from envscaler_gym.data import Data
from envscaler_gym.types import JSON, ToolKind

__all__ = ["ID_PATTERN", "Entity", "Manifest", "Provenance", "QualityRecord", "ToolEntry"]

ID_PATTERN = r"^[A-Za-z0-9_:-]+/[A-Za-z0-9_.:-]+-v\d+$"
"""What a Gymnasium id looks like, with namespace and version."""


class Entity(Data):
    """One kind of record in the state.

    Attributes:
        name: State attribute that holds the records by key.
        record: Name of the record's TypedDict.
        key: Field of the record that repeats its key.
        attributes: Names of the record's fields, comma-separated, where the source gives no better.
        description: What a record stands for.
        references: Entity whose keys a field holds, by field.
    """

    name: str
    record: str | None = None
    key: str | None = None
    attributes: str | None = None
    description: str = ""
    references: Mapping[str, str] = {}


class ToolEntry(Data):
    """One line of the allow-list.

    Attributes:
        name: Name of the method.
        kind: ``"query"`` or ``"state_change"``.
        summary: One sentence, where it is not the docstring's.
        reads: State attributes that the tool reads.
        writes: State attributes that the tool writes.
    """

    name: str
    kind: ToolKind
    summary: str = ""
    reads: Annotated[tuple[str, ...], Field(strict=False)] = ()
    writes: Annotated[tuple[str, ...], Field(strict=False)] = ()


class Provenance(Data):
    """Where a bundle comes from.

    Attributes:
        method: How it was made.
        env_id: Its id in the published data, for imported ones.
    """

    method: Literal["handwritten", "imported", "synthesized"]
    env_id: str | None = None


class QualityRecord(Data):
    """What the gates of :mod:`envscaler_gym.quality` found, as it is shipped with the bundle.

    Attributes:
        bundle: Digest of the bundle that was tried; the record of any other is void.
        passed: Whether every gate passed.
        seed: Seed of the generated calls.
        gates: Whether each gate passed, by name.
        figures: What was measured, by name: numbers of calls and mutants, kill rate, coverage and so on.
    """

    bundle: str
    passed: bool
    seed: int
    gates: Mapping[str, bool]
    figures: Mapping[str, JSON] = {}


class Manifest(Data):
    """What is known of an environment without running it.

    Attributes:
        format: Version of the bundle format.
        id: Gymnasium id.
        class_name: Name of the synthesized class.
        summary: One phrase.
        introduction: One paragraph for the agent.
        rules: What always holds.
        entities: Kinds of records in the state.
        tools: The allow-list.
        provenance: Where the bundle comes from.
        digests: SHA-256 of each other file.
        quality: What the gates found, unless the bundle has changed since.
    """

    format: Literal[1] = 1
    id: str = Field(pattern=ID_PATTERN)
    class_name: str
    summary: str = ""
    introduction: str = ""
    rules: Annotated[tuple[str, ...], Field(strict=False)] = ()
    entities: Annotated[tuple[Entity, ...], Field(strict=False)] = ()
    tools: Annotated[tuple[ToolEntry, ...], Field(strict=False, min_length=1)]
    provenance: Provenance
    digests: Mapping[str, str] = {}
    quality: QualityRecord | None = None
