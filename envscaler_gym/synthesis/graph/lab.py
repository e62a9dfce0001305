"""A world to try calls in: put to a state, called, looked at, put back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from envscaler_gym.ambient import Ambient
from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import EnvironmentFailure
from envscaler_gym.isolation.levels import make_runtime
from envscaler_gym.tools import InvalidArguments
from envscaler_gym.types import JSON
from envscaler_gym.world import WorldSnapshot

__all__ = ["Lab", "Reply"]


class Reply(NamedTuple):
    """What a call came to.

    Attributes:
        success: Whether the tool said so.
        text: Its result as JSON text; empty where the call was refused before it reached the tool, or failed.
    """

    success: bool
    text: str

    @property
    def value(self) -> JSON:
        """The result as data."""
        return json.loads(self.text) if self.text else None


class Lab:
    """One world of a bundle; in this process for reviewed code, in a worker otherwise.

    Args:
        bundle: The bundle.
        trust: Treat it as reviewed.
    """

    def __init__(self, bundle: Bundle, *, trust: bool = False) -> None:
        self._tools = bundle.tools
        self._world = make_runtime(bundle, trust=trust).world
        self._start: tuple[Mapping[str, Any], str, str] | None = None
        self._mark: WorldSnapshot | None = None
        self._moved = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._world.close()

    def load(self, start_state: Mapping[str, Any], clock: str, seed: str) -> Mapping[str, Any]:
        """Go to a start state, and return the state there, which is not to be modified."""
        self._start, self._mark, self._moved = (start_state, clock, seed), None, False
        return self._world.load(start_state, Ambient(clock, seed))

    def call(self, name: str, arguments: Mapping[str, JSON]) -> Reply:
        """Call a tool. Where it fails instead of answering, the world goes back to the last mark."""
        try:
            checked = self._tools[name].validate(json.loads(json.dumps(arguments)))
        except InvalidArguments:
            return Reply(False, "")
        self._moved |= self._tools[name].kind == "state_change"
        try:
            result = self._world.call(name, checked)
        except EnvironmentFailure:
            self.back()
            return Reply(False, "")
        return Reply(result.success, result.text)

    @property
    def start(self) -> Mapping[str, Any] | None:
        """The start state that was loaded last."""
        return self._start and self._start[0]

    @property
    def moved(self) -> bool:
        """Whether a tool that changes states has been called since."""
        return self._moved

    def mark(self) -> WorldSnapshot:
        """Remember where the world is, and return that."""
        self._mark = self._world.snapshot()
        return self._mark

    def back(self, mark: WorldSnapshot | None = None) -> None:
        """Go back to a mark, or to the last one; to the start state where there is none."""
        self._mark = mark or self._mark
        assert self._start is not None, "load() comes first"
        try:
            if self._mark is not None:
                self._world.restore(self._mark)
                return
        except EnvironmentFailure:  # the worker has died: another one is started
            pass
        start, clock, seed = self._start
        self._world.load(start, Ambient(clock, seed))
        if self._mark is not None:
            self._world.restore(self._mark)

    def state(self) -> dict[str, Any]:
        """Return a copy of the state."""
        return self._world.state()
