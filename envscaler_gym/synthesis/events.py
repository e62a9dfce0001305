"""What a run tells whoever watches it."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from envscaler_gym.llm.usage import Usage
from envscaler_gym.synthesis.stages import Stage

__all__ = ["Answered", "Ended", "Event", "Finished", "Planned", "Started", "Tried"]


class Planned(NamedTuple):
    """It is known which environments are to be produced.

    Attributes:
        subjects: Their slugs, in order.
    """

    subjects: tuple[str, ...]


class Started(NamedTuple):
    """A stage began its work on something.

    Attributes:
        subject: Slug of the environment, or ``"run"``.
        stage: The stage.
        part: Which part of it, where it has several.
    """

    subject: str
    stage: Stage
    part: str = ""


class Answered(NamedTuple):
    """The model answered.

    Attributes:
        subject: As above.
        stage: As above.
        usage: What the answer came to.
    """

    subject: str
    stage: Stage
    usage: Usage


class Tried(NamedTuple):
    """Some of the work that needs no model is done.

    Attributes:
        subject: As above.
        stage: As above.
        what: What is being done.
        done: How much of it.
        total: Of how much.
    """

    subject: str
    stage: Stage
    what: str
    done: int
    total: int


class Finished(NamedTuple):
    """A stage has its result, or cannot have it.

    Attributes:
        subject: As above.
        stage: As above.
        part: As above.
        key: Key of the artefact; a stage that comes to the same one twice has made it once.
        usage: What the answers came to that it was made from.
    """

    subject: str
    stage: Stage
    part: str
    key: str
    usage: Usage


class Ended(NamedTuple):
    """Nothing more will be done about an environment in this process.

    Attributes:
        subject: As above.
        status: What became of it.
        reason: Why, in a sentence.
    """

    subject: str
    status: str
    reason: str


Event: TypeAlias = Planned | Started | Answered | Tried | Finished | Ended
