"""What a run begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from envscaler_gym.data import Data
from envscaler_gym.synthesis.settings import Settings

__all__ = ["BundleSource", "RunConfig", "Source", "TasksSource", "TopicsSource"]


class TasksSource(Data):
    """Environments are discovered in tasks of users.

    Attributes:
        kind: ``"tasks"``.
        tasks: The tasks' texts.
    """

    kind: Literal["tasks"] = "tasks"
    tasks: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class TopicsSource(Data):
    """Environments are made for topics.

    Attributes:
        kind: ``"topics"``.
        topics: The topics, a phrase or a paragraph each.
    """

    kind: Literal["topics"] = "topics"
    topics: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class BundleSource(Data):
    """An environment that exists gets more scenarios.

    Attributes:
        kind: ``"bundle"``.
        name: Its id or path.
        digest: Digest of the bundle as it was when the run began.
    """

    kind: Literal["bundle"] = "bundle"
    name: str
    digest: str


Source: TypeAlias = TasksSource | TopicsSource | BundleSource


class RunConfig(Data):
    """What a run begins with; written once, when it begins.

    Attributes:
        version: Version of the library that began it.
        settings: What it is asked for.
        source: What it starts from.
        batch: Its requests are written to files, and answered by files, instead of being sent.
        out: Folder for the bundles; ``None`` for the user's own.
    """

    version: str
    settings: Settings
    source: Annotated[Source, Field(discriminator="kind")]
    batch: bool = False
    out: str | None = None

    @property
    def answered(self) -> str:
        """How its requests are answered, in a phrase that the bundles' manifests repeat."""
        return "from files of answers to batches of requests" if self.batch else "by the models named here"

    @property
    def out_folder(self) -> Path | None:
        """Folder for the bundles."""
        return None if self.out is None else Path(self.out)
