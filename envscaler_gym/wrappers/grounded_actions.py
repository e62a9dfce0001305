"""A menu of calls, numbers as observations: environments for small agents without language."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias, cast

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from envscaler_gym.errors import EnvironmentFailure, shorten
from envscaler_gym.types import Action
from envscaler_gym.wrappers.grounding import (
    GLOBAL_FEATURES,
    SLOT_FEATURES,
    Candidate,
    Menu,
    MenuMaker,
    Progress,
    features,
)
from envscaler_gym.wrappers.tool_wrapper import ToolWrapper

__all__ = ["FINISH", "GroundedActions"]

FINISH = 0
"""The action that ends the episode, or in conversation mode answers the user."""

_EMPTY = cast("Action", {})  # what choosing an empty slot comes to: an action that is none
Numbers: TypeAlias = npt.NDArray[np.float32] | dict[str, npt.NDArray[np.float32]]


class _Note(NamedTuple):
    """What the wrapper keeps of an episode."""

    text: str
    menu: Menu
    progress: Progress


class GroundedActions(ToolWrapper[Numbers, np.int64]):
    """Lets an agent choose from a menu of calls, by number, and observe numbers.

    ## Action Space
    ``Discrete(slots + 1)``. Action 0 says that the task is done. The others make the call in their slot. A slot may be
    empty; choosing it is a step that comes to nothing.

    The calls are those that the task suggests: values of the state, and phrases and numbers of the task, as arguments,
    best matches first. They come from the task and the state alone. A small agent sees the state through them, as the
    environment's own ``action_space.sample()`` does. When the state changes, slots whose call is not possible any more
    are given to new ones.

    ``include_solution=True`` gives the state-changing calls of the reference solution slots among them, not marked and
    in no telling order. Then every scenario can be solved, and learning is choosing the right calls in the right order.
    Without it, scenarios whose solution needs arguments that nothing suggests (such as a sum that has to be worked out)
    can only be solved in part.

    ## Action Masks
    ``action_masks()`` has True for 0 and for each call that its tool would accept now, found out by trying it in a fork
    of the world. sb3-contrib finds the method; others read ``info["action_mask"]``, int8, of every reset and step.

    ## Observation Space
    ``Box(-1, 1)`` of float32: progress, the words of the task (hashed), and for each slot what is known of its call;
    see :func:`~envscaler_gym.wrappers.grounding.features.features`. With ``dict_obs=True`` a dict of ``observations``
    and ``action_mask``, both float32, as RLlib's action-masking module wants it.

    ## Rewards
    As below.

    ## Episode End
    As below; but where ``max_steps`` is reached, ``terminated`` is True instead of ``truncated``: the last reward is
    the whole grade and the agent sees how many steps are left, so nothing is to be added for what might follow (Pardo
    et al., "Time limits in reinforcement learning", ICML 2018). A failure of the environment still truncates.

    ## Info
    That of the environment, with ``action_mask``, ``call`` (the action that the environment was given) and, at the end,
    ``is_success``: whether the score is 1.

    Args:
        env: The environment, wrapped or not, with actions as :class:`~envscaler_gym.env.ToolEnv` has them.
        slots: Number of calls on the menu.
        include_solution: Whether the calls of the reference solution are among them.
        queries: Whether look-ups are offered; they tell an agent that cannot read nothing.
        trials: Whether calls are tried to find out which are possible. Otherwise, no call is masked; worlds in workers,
            in which a trial takes long, go faster so.
        dict_obs: Whether observations are dicts.
        seed: Seed of the order of calls that match the task equally well.

    Raises:
        TypeError: The environment is not one of this library.
        ValueError: ``slots`` is not positive.
    """

    def __init__(
        self,
        env: gym.Env[str, Action],
        slots: int = 64,
        include_solution: bool = False,
        queries: bool = False,
        trials: bool = True,
        dict_obs: bool = False,
        seed: int = 0,
    ) -> None:
        if slots < 1:
            raise ValueError(f"slots must be at least 1, got {shorten(slots)}")
        options: dict[str, Any] = {"queries": queries, "trials": trials, "include_solution": include_solution}
        super().__init__(env, slots=slots, dict_obs=dict_obs, seed=seed, **options)
        self._slots, self._dict_obs = slots, dict_obs
        self._maker = MenuMaker(slots, seed=seed, **options)
        self.action_space = spaces.Discrete(slots + 1)
        numbers = spaces.Box(-1, 1, (GLOBAL_FEATURES + slots * SLOT_FEATURES,), np.float32)
        mask = spaces.Box(0, 1, (slots + 1,), np.float32)
        both = spaces.Dict({"observations": numbers, "action_mask": mask})
        self.observation_space = cast("spaces.Space[Numbers]", both if dict_obs else numbers)

    @property
    def menu(self) -> tuple[Candidate | None, ...]:
        """The calls to choose from; action ``i + 1`` makes call ``i``."""
        return self._noted().menu.slots

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Return for each action whether it can be taken now, a fresh array of shape ``(slots + 1,)``."""
        return np.array([True, *self._noted().menu.legal], np.bool_)

    def observation(self) -> Numbers:
        """Return the observation of the episode as it is now, for instance after a restore."""
        note = self._noted()
        numbers = features(note.text, note.menu, note.progress)
        if not self._dict_obs:
            return numbers
        return {"observations": numbers, "action_mask": self.action_masks().astype(np.float32)}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Numbers, dict[str, Any]]:
        """Start an episode."""
        text, info = cast("gym.Env[str, Action]", self.env).reset(seed=seed, options=options)
        note = _Note(text, self._empty(), Progress(info["max_steps"]))
        try:
            menu = self._maker.make(self.below.episode, text, None)
        except EnvironmentFailure:  # the first step says so
            menu = note.menu
        first = frozenset(candidate.key for candidate in menu.slots if candidate)
        self.write(_Note(text, menu, Progress(info["max_steps"], first=first)))
        return self.observation(), info | {"action_mask": self._int_mask()}

    def step(self, action: np.int64 | int) -> tuple[Numbers, float, bool, bool, dict[str, Any]]:
        """Make the call with a number.

        Args:
            action: Number of the action.

        Raises:
            ValueError: There is no such action.
        """
        if not self.action_space.contains(action):
            raise ValueError(f"The action must be from 0 to {self._slots}, got {shorten(action)}")
        note = self._noted()
        chosen = None if action == FINISH else note.menu.slots[int(action) - 1]
        call: Action = {"content": "Done."} if action == FINISH else _EMPTY
        if chosen is not None:
            call = chosen.to_action()
        text, reward, terminated, truncated, info = self.forward(call)
        ended = terminated or truncated
        said = f"{note.text}\n{text}" if info["outcome"] == "message" and not ended else note.text
        progress = self._after(note.progress, chosen, info)
        menu = note.menu
        if not ended and (progress.changes != note.progress.changes or said != note.text):
            try:
                menu = self._maker.make(self.below.episode, said, menu)
            except EnvironmentFailure as failure:  # a trial was too much for the world
                text, reward, terminated, truncated, info = self.below.fail(call, failure)
                ended = True
        self.write(_Note(said, menu, progress))
        info = info | {"action_mask": self._int_mask(), "call": dict(call)}
        if ended and "score" in info:
            info["is_success"] = info["score"]["reward"] == 1
        failed = "failure" in info
        return self.observation(), reward, ended and not failed, failed, info

    def _after(self, progress: Progress, chosen: Candidate | None, info: dict[str, Any]) -> Progress:
        done, refused = progress.done, progress.refused
        if chosen is not None and info["outcome"] == "success":
            done, refused = (*done, chosen.key), refused - {chosen.key}
        elif chosen is not None:
            refused |= {chosen.key}
        changes = progress.changes if "failure" in info else self.below.episode.changes
        return Progress(progress.limit, progress.steps + 1, changes, info["outcome"], done, refused, progress.first)

    def _noted(self) -> _Note:
        note: _Note | None = self.note(None)
        if note is None:
            raise gym.error.ResetNeeded("No episode was started: call reset() first.")
        return note

    def _empty(self) -> Menu:
        return Menu((None,) * self._slots, (False,) * self._slots)

    def _int_mask(self) -> npt.NDArray[np.int8]:
        return self.action_masks().astype(np.int8)
