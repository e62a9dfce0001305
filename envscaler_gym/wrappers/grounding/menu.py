"""A fixed number of slots with calls to choose from, and which of them a tool would accept now."""

from __future__ import annotations

import hashlib
import random
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from envscaler_gym.episode import Episode
from envscaler_gym.errors import EnvironmentFailure
from envscaler_gym.state import canonical_json, to_json
from envscaler_gym.types import ToolSpec
from envscaler_gym.world import World, WorldSnapshot
from envscaler_gym.wrappers.grounding.candidates import Candidate, Grounding, candidate_of, generate
from envscaler_gym.wrappers.grounding.words import Words

__all__ = ["Menu", "MenuMaker"]

_REMEMBERED = 20_000  # menus
_RANDOM = random.Random(0).getstate()  # noqa: S311 - what trials draw, so that they depend on state and clock alone


@dataclass(frozen=True, slots=True)
class Menu:
    """What an agent can choose from.

    Attributes:
        slots: A call for each slot, ``None`` where it is empty.
        legal: For each slot, whether the tool would accept the call now.
    """

    slots: tuple[Candidate | None, ...]
    legal: tuple[bool, ...]


# A menu is a function of its key, so all environments of a process share them.
_menus: OrderedDict[tuple[object, ...], Menu] = OrderedDict()


class MenuMaker:
    """Makes menus, and remembers them.

    A menu has the best calls that are legal. A call keeps its slot as long as it is among them; when the state has
    changed, others take the slots of those that are not.

    Args:
        slots: Number of slots.
        queries: Whether look-ups are offered as well.
        trials: Find out which calls are legal by trying each in a fork of the world; otherwise, all are.
        include_solution: Give the calls of the scenario's reference solution slots that they keep.
        seed: Seed of the order of calls that are equally good.
    """

    def __init__(self, slots: int, *, queries: bool, trials: bool, include_solution: bool, seed: int) -> None:
        self._slots, self._seed = slots, seed
        self._queries, self._trials, self._include_solution = queries, trials, include_solution
        self._options = (slots, queries, trials, include_solution, seed)

    def make(self, episode: Episode, text: str, last: Menu | None) -> Menu:
        """Return the menu for the state as it is now.

        Args:
            episode: The running episode; world and clock are as before afterwards.
            text: What the agent has been asked to do.
            last: The menu so far; ``None`` at the start.

        Raises:
            EnvironmentFailure: The world failed.
        """
        here = episode.world.snapshot()
        state = hashlib.blake2b(canonical_json(here.state)).digest()
        solution = to_json([(call.name, call.arguments) for call in episode.scenario.solution])
        key = (self._options, episode.tools, text, solution, state, here.ambient[0], last)
        menu = _menus.get(key)
        if menu is None:
            menu = _menus[key] = self._make(episode, text, last, here)
            if len(_menus) > _REMEMBERED:
                _menus.popitem(last=False)
        return menu

    def _make(self, episode: Episode, text: str, last: Menu | None, here: WorldSnapshot) -> Menu:
        tools = self._offered(episode.tools.specs)
        grounding = Grounding(Words(text), here.state)
        kept = self._solution(episode, tools, grounding)
        keys = {candidate.key for candidate in kept}
        found = [
            candidate
            for candidate in generate(tools, grounding, per_tool=self._slots, seed=self._seed)
            if candidate.key not in keys
        ]
        legal = self._legal(episode.world, kept, len(kept), here)
        best = self._legal(episode.world, found, self._slots - len(kept), here)
        # In an order that does not tell those that are kept.
        chosen = sorted([*kept, *best], key=lambda c: (-(c.score + c.named), c.key))
        slots = _placed(chosen, last.slots if last else (None,) * self._slots)
        possible = {candidate.key for candidate in (*legal, *best)}
        return Menu(slots, tuple(candidate is not None and candidate.key in possible for candidate in slots))

    def _offered(self, tools: Sequence[ToolSpec]) -> list[ToolSpec]:
        changing = [tool for tool in tools if tool.kind == "state_change"]
        return list(tools) if self._queries or not changing else changing

    def _solution(self, episode: Episode, tools: Sequence[ToolSpec], grounding: Grounding) -> list[Candidate]:
        if not self._include_solution:
            return []
        offered = {tool.name: tool for tool in tools}
        calls = [
            candidate_of(offered[call.name], call.arguments, grounding)
            for call in episode.scenario.solution
            if call.name in offered
        ]
        return list({candidate.key: candidate for candidate in calls}.values())[: self._slots]

    def _legal(self, world: World, candidates: Sequence[Candidate], most: int, here: WorldSnapshot) -> list[Candidate]:
        """Return the first calls that succeed in a fork of the world, at most so many."""
        if not self._trials:
            return list(candidates[:most])
        start = WorldSnapshot(here.state, (here.ambient[0], _RANDOM))
        legal: list[Candidate] = []
        try:
            world.restore(start)
            for candidate in candidates:
                if len(legal) == most:
                    break
                try:
                    accepted = world.call(candidate.name, candidate.to_action()["arguments"]).success
                except EnvironmentFailure:
                    world.restore(start)
                    continue
                if accepted:
                    legal.append(candidate)
                    world.restore(start)
        finally:
            world.restore(here)
        return legal


def _placed(chosen: Sequence[Candidate], slots: Sequence[Candidate | None]) -> tuple[Candidate | None, ...]:
    """Return slots with the chosen calls, each where it was before, and the others where there is room."""
    keys = {candidate.key: candidate for candidate in chosen}
    placed = [keys.pop(candidate.key, None) if candidate else None for candidate in slots]
    newcomers = iter(keys.values())
    return tuple(candidate or next(newcomers, None) for candidate in placed)
