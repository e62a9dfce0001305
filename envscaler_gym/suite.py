"""``envscaler/Suite-v0``: episodes drawn from many environments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from envscaler_gym.bundle import Bundle
from envscaler_gym.draw import draw
from envscaler_gym.env import ToolEnv, take_option
from envscaler_gym.errors import ScenarioError
from envscaler_gym.registry import find, get_bundle, shipped_ids
from envscaler_gym.scenario import Scenario
from envscaler_gym.tools import Toolset

__all__ = ["SuiteEnv"]


class SuiteEnv(ToolEnv):
    """Episodes drawn from many environments, each environment as likely as the others.

    ## Description
    Every episode is one of :class:`~envscaler_gym.env.ToolEnv` in an environment that the seed and the episode's
    number choose; those in which no scenario fits the filters are passed over. ``info["environment"]`` of ``reset``
    names it, ``env.unwrapped.tools`` are its tools.

    ## Action Space
    As in ToolEnv. The space is the same for all episodes: every well-formed action is a member, and ``sample()`` draws
    for the running episode.

    ## Observation Space
    As in ToolEnv.

    ## Starting State
    As in ToolEnv; ``reset(options={"environment": id, "scenario": id})`` chooses both, or the environment alone.

    ## Rewards
    As in ToolEnv.

    ## Episode End
    As in ToolEnv.

    ## Arguments
    * ``environments`` -- ids or paths to draw from; ``None`` for all that come with the library.

    All others as in ToolEnv.

    ## Version History
    * v0 -- first version.
    """

    def __init__(self, environments: Sequence[str] | None = None, **arguments: Any) -> None:
        self._environments = tuple(shipped_ids() if environments is None else environments)
        if isinstance(environments, str) or not self._environments:
            raise ValueError(f"environments must be a list of ids that is not empty, got {environments!r}")
        for name in self._environments:
            find(name)  # a name that does not exist is an error now, not when it is drawn
        super().__init__(self._environments[0], **arguments)
        del self._arguments["environment"]
        self._arguments["environments"] = list(self._environments)

    def _first_bundle(self) -> Bundle:
        return self._fitting_bundle(0, 0)

    def _constant_tools(self) -> Toolset | None:
        return None

    def _draw(self, seed: int, number: int, options: dict[str, Any]) -> tuple[Bundle, Scenario]:
        environment, scenario_id = take_option(options, "environment"), take_option(options, "scenario")
        difficulty = take_option(options, "difficulty")
        if environment is None and scenario_id is not None:
            raise ValueError("reset option 'scenario' needs the option 'environment' in a suite")
        bundle = self._fitting_bundle(seed, number, difficulty) if environment is None else self._bundle_of(environment)
        if scenario_id is not None:
            return bundle, bundle.scenario(scenario_id)
        return bundle, draw(self._eligible(bundle, difficulty), seed, number)

    def _candidate_bundles(self) -> Iterable[Bundle]:
        return map(get_bundle, self._environments)

    def _bundle_of(self, environment: str) -> Bundle:
        """Return a bundle by its id, those of the suite first, which need not be registered; or by another name."""
        if environment not in self._environments:
            for bundle in map(get_bundle, self._environments):
                if bundle.id == environment:
                    return bundle
        return get_bundle(environment)

    def _fitting_bundle(self, seed: int, number: int, difficulty: str | None = None) -> Bundle:
        remaining = list(self._environments)
        while remaining:
            bundle = get_bundle(draw(remaining, seed, number, "environment"))
            try:
                self._eligible(bundle, difficulty)
            except ScenarioError:
                remaining.remove(next(name for name in remaining if get_bundle(name) is bundle))
            else:
                return bundle
        raise ScenarioError(
            f"None of the {len(self._environments)} environments has a scenario with "
            f"split={self._split!r} and difficulty={difficulty or self._difficulty!r}."
        )
