"""What a run of synthesis looks like while it works."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from envscaler_gym.cli.console import grid, text
from envscaler_gym.llm.usage import Usage
from envscaler_gym.synthesis.events import Answered, Ended, Event, Finished, Planned, Started, Tried
from envscaler_gym.synthesis.settings import Settings
from envscaler_gym.synthesis.stages import STAGES, Stage

__all__ = ["SynthView"]

_WEIGHTS: dict[Stage, float] = {
    "skeleton": 5,
    "code": 15,
    "invariants": 3,
    "assessment": 30,
    "start-states": 7,
    "tasks": 5,
    "checks": 8,
    "solver": 15,
    "growth": 4,
    "rewriting": 3,
    "publication": 5,
}
"""About how long the stages of an environment take, in parts of a hundred."""

_LEAST = 0.03  # of the work, before which nothing is said about the time left
_MOST_ROWS = 30


@dataclass
class _Row:
    """What is shown of one environment."""

    stage: Stage | None = None
    doing: str = "waits"
    calls: int = 0
    tokens: int = 0
    cost: float = 0.0
    unpriced: int = 0
    done: float = 0.0
    ended: str = ""

    def add(self, usage: Usage) -> None:
        self.calls += usage.calls
        self.tokens += usage.prompt_tokens + usage.completion_tokens
        self.cost += usage.cost_usd
        self.unpriced += usage.unpriced


class SynthView:
    """Shows the stages of each environment with calls, tokens, cost and the time left; as lines without a terminal.

    Args:
        console: Where.
        settings: What the run is asked for.
    """

    def __init__(self, console: Console, settings: Settings) -> None:
        self._console = console
        self._model = settings.model
        self._rows: dict[str, _Row] = {}
        self._begun = time.monotonic()
        live = console.is_terminal
        self._live = Live(get_renderable=self.render, console=console, refresh_per_second=4) if live else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Take note of what happens."""
        if isinstance(event, Planned):
            for subject in event.subjects:
                self._rows.setdefault(subject, _Row())
            self._say(f"{len(event.subjects)} environments: {', '.join(event.subjects) or 'none'}")
            return
        row = self._rows.setdefault(event.subject, _Row())
        if isinstance(event, Started):
            if row.stage != event.stage:
                self._say(f"{event.subject}: {event.stage}")
            row.stage, row.doing = event.stage, f"{event.stage} {event.part}".strip()
            row.done = max(row.done, _before(event.stage))
        elif isinstance(event, Answered):
            row.add(event.usage)
        elif isinstance(event, Tried):
            row.doing = f"{event.stage}: {event.what} {event.done:,} of {event.total:,}"
        elif isinstance(event, Finished):
            row.doing = f"{event.stage}: done"
        elif isinstance(event, Ended):
            row.ended, row.done, row.doing = event.status, 1.0, event.reason.partition("\n")[0]
            self._say(f"{event.subject}: {event.status} {row.doing}".rstrip())

    def _say(self, line: str) -> None:
        if self._live is None:
            self._console.print(text(line), soft_wrap=True)

    def render(self) -> RenderableType:
        """Return what it looks like now."""
        rows = grid(7)
        running = [(subject, row) for subject, row in self._rows.items() if not row.ended]
        ended = [(subject, row) for subject, row in self._rows.items() if row.ended]
        for subject, row in [*running, *ended][:_MOST_ROWS]:
            rows.add_row(
                text(subject, "bold"),
                ProgressBar(total=1.0, completed=row.done, width=16),
                text(f"{row.ended}  {row.doing}"[:60].strip()),
                f"{row.calls:,} calls",
                f"{row.tokens:,} tokens",
                f"{row.cost:.2f}{'+' if row.unpriced else ''} USD",
            )
        return Group(rows, self._totals())

    def _totals(self) -> Table:
        rows = self._rows.values()
        known = [row for subject, row in self._rows.items() if subject != "run"]
        done = sum(row.done for row in known) / len(known) if known else 0.0
        spent = time.monotonic() - self._begun
        left = _minutes(spent * (1 - done) / done) if done > _LEAST else "?"
        totals = grid(1)
        totals.add_row(
            text(
                f"{self._model}: {sum(row.calls for row in rows):,} calls, {sum(row.tokens for row in rows):,} tokens, "
                f"{sum(row.cost for row in rows):.2f} USD; {_minutes(spent)} gone, about {left} left",
                "dim",
            )
        )
        return totals


def _before(stage: Stage) -> float:
    """Return the share of an environment's work that comes before a stage."""
    earlier = STAGES[: STAGES.index(stage)]
    return sum(_WEIGHTS.get(each, 0.0) for each in earlier) / sum(_WEIGHTS.values())


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
