"""Tools that fail now and then, as services do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias, get_args

import gymnasium as gym

from envscaler_gym.env import StepResult
from envscaler_gym.errors import shorten
from envscaler_gym.state import digest, to_json
from envscaler_gym.tools import Tool
from envscaler_gym.types import JSON, Action
from envscaler_gym.wrappers.tool_wrapper import ToolWrapper, chance

__all__ = ["FaultKind", "Faults"]

FaultKind: TypeAlias = Literal["unavailable", "rate_limited", "timeout", "partial", "lost_reply"]
"""What can happen to a call; see :class:`Faults`."""

_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
_DEFAULT_KINDS: tuple[FaultKind, ...] = ("unavailable", "rate_limited", "timeout", "partial")
_REPLIES: Mapping[str, dict[str, JSON]] = {
    "unavailable": {
        "error": "503 Service Unavailable: {tool} is temporarily unavailable. The call was not carried out; try again.",
        "status": 503,
    },
    "rate_limited": {
        "error": "429 Too Many Requests: the rate limit of {tool} is reached. The call was not carried out; "
        "try again after a moment.",
        "status": 429,
        "retry_after_seconds": 1,
    },
    "timeout": {
        "error": "504 Gateway Timeout: {tool} did not answer in time. The call was cancelled and not carried out; "
        "try again.",
        "status": 504,
    },
    "lost_reply": {
        "error": "504 Gateway Timeout: the answer of {tool} did not arrive. The call may or may not have been carried "
        "out; look before you repeat it.",
        "status": 504,
    },
}


class _Tries(NamedTuple):
    """The wrapper's note.

    Attributes:
        calls: Calls tried so far.
        in_a_row: How many of the last ones failed.
        of_call: The faults in a row of each call that has any.
    """

    calls: int = 0
    in_a_row: int = 0
    of_call: tuple[tuple[str, int], ...] = ()


class Faults(ToolWrapper[str, Action]):
    """Makes some calls of tools fail, so that agents learn to try again.

    ## Faults
    * ``unavailable`` (503), ``rate_limited`` (429), ``timeout`` (504) -- the call does **not** run. The observation is
      a refusal in the tools' form that says so: ``{"success": false, "error": …, "status": …}``.
    * ``partial`` -- a look-up runs, and only the first half of its list (of the longest, if ``data`` holds several)
      arrives, with ``"partial": true`` and a ``"warning"``. Results with no list of two entries or more arrive whole.
    * ``lost_reply`` -- the call **runs** and its answer does not arrive. An agent that repeats it blindly may do a
      thing twice; one that looks first does not. Not among the default kinds.

    ## Every task stays solvable
    A call that failed ``in_a_row`` times running (the same tool with the same arguments) works the next time, and so
    does any call after ``in_a_row`` calls that failed. No fault counts as a step, so ``max_steps`` leaves as much room
    as without faults, and an episode takes at most ``in_a_row + 1`` times as many. A fault that did not run the call
    leaves state and clock as they were, so an agent that tries again goes through the same states as one that met no
    fault. Messages never fail, and the answer to the last step of an episode always arrives.

    ## Info
    ``info["fault"]`` of a step that failed: ``{"kind": str, "ran": bool, "in_a_row": int}``. ``info["outcome"]`` is
    ``"refused"`` where the call did not run.

    ## Determinism
    Whether a call fails is a function of the wrapper's seed, the environment's, the number of the episode and the
    number of calls tried in it. Snapshots of the environment take the wrapper along.

    Args:
        env: The environment, wrapped or not, with actions as :class:`~envscaler_gym.env.ToolEnv` has them.
        rate: Chance that a call fails, from 0 to 1.
        kinds: The faults to draw from, each as likely as the others.
        in_a_row: Most tries that fail one after the other.
        seed: Seed of the faults.

    Raises:
        TypeError: The environment is not one of this library.
        ValueError: An argument has a value that is not allowed.
    """

    def __init__(
        self,
        env: gym.Env[str, Action],
        rate: float = 0.1,
        kinds: Sequence[FaultKind] = _DEFAULT_KINDS,
        in_a_row: int = 2,
        seed: int = 0,
    ) -> None:
        if not 0 <= rate <= 1:
            raise ValueError(f"rate must be from 0 to 1, got {shorten(rate)}")
        if isinstance(kinds, str) or not kinds or not set(kinds) <= set(_KINDS):
            raise ValueError(f"kinds must be a list of some of {', '.join(_KINDS)}; got {shorten(kinds)}")
        if in_a_row < 1:
            raise ValueError(f"in_a_row must be at least 1, got {shorten(in_a_row)}")
        super().__init__(env, rate=rate, kinds=list(kinds), in_a_row=in_a_row, seed=seed)
        self._rate, self._kinds, self._in_a_row, self._seed = rate, tuple(kinds), in_a_row, seed

    def step(self, action: Action) -> StepResult:
        """Take an action, which may meet a fault.

        Args:
            action: As for the environment.
        """
        tool = self.tool_of(action)
        if tool is None:
            return self.forward(action)
        tries = self.note(_Tries())
        call = digest(action)
        of_call = dict(tries.of_call)
        before = of_call.pop(call, 0)
        works = max(before, tries.in_a_row) >= self._in_a_row
        kind = None if works else self._draw(tool, tries.calls)
        result = self.forward(action) if kind is None else self._fail(tool, kind, action, before + 1)
        failed = "fault" in result[4]
        if failed:
            of_call[call] = before + 1
        self.write(_Tries(tries.calls + 1, tries.in_a_row + 1 if failed else 0, tuple(of_call.items())))
        return result

    def _draw(self, tool: Tool, calls: int) -> FaultKind | None:
        kinds = [kind for kind in self._kinds if kind != "partial" or tool.kind == "query"]
        key = (self._seed, *self.below.episode_key, calls)
        if not kinds or chance("fault", *key) >= self._rate:
            return None
        return kinds[int(chance("kind", *key) * len(kinds))]

    def _fail(self, tool: Tool, kind: FaultKind, action: Action, in_a_row: int) -> StepResult:
        fault = {"kind": kind, "ran": kind in ("partial", "lost_reply"), "in_a_row": in_a_row}
        if not fault["ran"]:
            return _reply(kind, tool), 0.0, False, False, {"outcome": "refused", "fault": fault}
        observation, reward, terminated, truncated, info = self.forward(action)
        lost = _reply(kind, tool) if kind == "lost_reply" else _cut(observation)
        if terminated or truncated or lost is None:
            return observation, reward, terminated, truncated, info
        self.below.refund_step()
        return lost, reward, terminated, truncated, info | {"fault": fault}


def _reply(kind: FaultKind, tool: Tool) -> str:
    reply = _REPLIES[kind]
    return to_json({"success": False, **reply, "error": str(reply["error"]).format(tool=tool.name)})


def _cut(observation: str) -> str | None:
    """Return a result with the first half of its list, or of its longest; ``None`` where there is nothing to cut."""
    result = json.loads(observation)
    data: JSON = result.get("data") if isinstance(result, dict) else None
    lists = {name: value for name, value in data.items() if isinstance(value, list)} if isinstance(data, dict) else {}
    longest = max(lists, key=lambda name: len(lists[name]), default=None)
    entries = lists.get(longest, data)
    if not isinstance(entries, list) or len(entries) < 2:
        return None
    half = len(entries) // 2
    kept = data | {longest: entries[:half]} if longest is not None else entries[:half]
    warning = f"Only {half} of {len(entries)} entries arrived. Repeat the call for all of them."
    return to_json(result | {"data": kept, "partial": True, "warning": warning})
