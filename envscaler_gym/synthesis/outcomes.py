"""What became of a run, and of each environment in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from envscaler_gym.data import Data
from envscaler_gym.llm.usage import Usage
from envscaler_gym.types import JSON

__all__ = ["Outcome", "RunReport", "Status"]

Status = Literal["published", "rejected", "stopped", "failed"]
"""``rejected``: it did not pass, and never will in this run. ``stopped``: there is more to do; resume the run.
``failed``: an error of ours, told in the reason; resume the run with a version that has it mended."""


class Outcome(Data):
    """What became of an environment.

    Attributes:
        subject: Its slug.
        status: See :data:`Status`.
        stage: The stage at which it came to that.
        reason: Why, in a sentence or a few lines; empty where it was published.
        bundle: Id of the bundle, where it was published.
        path: Folder of the bundle.
        figures: What is worth knowing of it, by name: pass rate, repairs, scenarios and so on.
    """

    subject: str
    status: Status
    stage: str
    reason: str = ""
    bundle: str = ""
    path: str = ""
    figures: Mapping[str, JSON] = {}


class RunReport(Data):
    """What became of a run.

    Attributes:
        status: ``"finished"``, or ``"stopped"`` where there is more to do.
        reason: What to do about it; empty where it is finished.
        discovery: Figures of discovery, by name.
        outcomes: What became of each environment.
        dismissed: What discovery left out, by name, with the reason.
        usage: What the answers came to, by stage, those of earlier processes included.
        requests: File of requests that are to be answered; empty where there is none.
        waiting: Number of these.
    """

    status: Literal["finished", "stopped"]
    reason: str = ""
    discovery: Mapping[str, JSON] = {}
    outcomes: Annotated[tuple[Outcome, ...], Field(strict=False)] = ()
    dismissed: Mapping[str, str] = {}
    usage: Mapping[str, Usage] = {}
    requests: str = ""
    waiting: int = 0
