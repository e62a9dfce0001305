"""What stages make, and where it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Generic, NamedTuple, Protocol, TypeVar

from pydantic import Field

from envscaler_gym.data import Data
from envscaler_gym.llm.usage import Usage
from envscaler_gym.state import digest
from envscaler_gym.synthesis.stages import Stage
from envscaler_gym.types import JSON

__all__ = ["Artefact", "Made", "MemoryShelf", "Shelf"]

D_co = TypeVar("D_co", bound=Data, covariant=True)


class Artefact(Data):
    """What a stage made, and from what.

    Attributes:
        stage: The stage.
        subject: What it is about: the slug of an environment, or ``"run"``.
        part: Which part of the stage's work it is, where there are several.
        key: SHA-256 over all that it depends on: the stage, the settings, the prompts and the parents.
        content: The result.
        parents: Digests of the artefacts that it was made from.
        models: Names of the models that were asked.
        prompts: Digests of the prompts that were used, by name.
        exchanges: What each answer came to, by the digest of the request with the answer. Works may share them.
        usage: What all of them came to, with what was wrong with answers.
    """

    stage: Stage
    subject: str
    part: str
    key: str
    content: Mapping[str, JSON]
    parents: Annotated[tuple[str, ...], Field(strict=False)] = ()
    models: Annotated[tuple[str, ...], Field(strict=False)] = ()
    prompts: Mapping[str, str] = {}
    exchanges: Mapping[str, Usage] = {}
    usage: Usage = Usage()

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything: the artefact's name."""
        return digest(self.model_dump(mode="json"))


class Made(NamedTuple, Generic[D_co]):
    """The result of a stage with the artefact that holds it.

    Attributes:
        value: The result.
        artefact: Where it comes from.
    """

    value: D_co
    artefact: Artefact

    @property
    def digest(self) -> str:
        """Digest of the artefact."""
        return self.artefact.digest


class Shelf(Protocol):
    """Where artefacts are kept."""

    async def find(self, key: str) -> Artefact | None:
        """Return the artefact that was made from what a key stands for."""
        ...

    async def keep(self, artefact: Artefact) -> None:
        """Write an artefact down; it is on disk when this returns."""
        ...


class MemoryShelf:
    """Keeps artefacts as long as the process lives."""

    def __init__(self) -> None:
        self.artefacts: dict[str, Artefact] = {}

    async def find(self, key: str) -> Artefact | None:
        """Return the artefact that was made from what a key stands for."""
        return self.artefacts.get(key)

    async def keep(self, artefact: Artefact) -> None:
        """Remember an artefact."""
        self.artefacts.setdefault(artefact.key, artefact)
