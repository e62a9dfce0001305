"""The environment, written once for every synthesized class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, NamedTuple, TypeAlias

import gymnasium as gym
import numpy as np

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import Score
from envscaler_gym.draw import draw, eligible
from envscaler_gym.episode import Episode, EpisodeSnapshot, Turn, error_text
from envscaler_gym.errors import EnvironmentFailure, ScenarioError, shorten
from envscaler_gym.isolation import LEVELS, Limits, Runtime, count_failure, level_of, make_runtime
from envscaler_gym.registry import get_bundle
from envscaler_gym.render import Transcript
from envscaler_gym.scenario import DIFFICULTIES, SPLITS, Difficulty, Scenario
from envscaler_gym.spaces import MAX_TEXT, ActionSpace, TextSpace
from envscaler_gym.tools import Toolset
from envscaler_gym.types import Action, ToolSpec
from envscaler_gym.users import ScriptedUser, User

__all__ = ["EnvSnapshot", "StepResult", "ToolEnv", "take_option"]


StepResult: TypeAlias = tuple[str, float, bool, bool, dict[str, Any]]
"""Observation, reward, terminated, truncated, info."""

_NOT_RUNNING = "No episode is running: call reset() before step(), and again after an end."


class EnvSnapshot(NamedTuple):
    """All that an environment is at one moment of an episode. Opaque, picklable, and never modified once taken."""

    environment: str
    scenario: str
    episode: EpisodeSnapshot
    seed: int
    episode_number: int
    steps: int
    running: bool
    score: Score | None
    transcript: tuple[str, ...]
    notes: Mapping[str, Any]


class ToolEnv(gym.Env[str, Action]):
    """An environment whose actions are tool calls on a synthesized, stateful world.

    ## Description
    The agent is given a task in words and the tools of a system: a library's desk, a hotel's, a workshop's. Each call
    runs a method of a Python object that holds the system's state. When the episode ends, check functions look at the
    final state and the reward is the fraction of them that say yes (EnvScaler, arXiv 2601.05808).

    ## Action Space
    A tool call ``{"name": str, "arguments": dict}`` or a message ``{"content": str}``. In ``task`` mode a message ends
    the episode; in ``conversation`` mode it goes to the user, who ends the episode.
    Who the user is can be changed between episodes: ``env.unwrapped.user = LLMUser(…)``.
    ``action_space.sample()`` draws calls that fit the tools' schemas and use values that the state holds.

    ## Observation Space
    Text. First the task (or the user's first turn), then each tool's result as JSON, or the user's turns. An unknown
    tool, arguments that do not fit and a malformed action are answered with what was wrong and what is allowed; the
    state is untouched and the episode goes on.

    ## Starting State
    A scenario's start state. Scenario, clock, ids and randomness are a function of the seed and of the number of
    episodes since it was given. ``reset(options={"scenario": id})`` chooses the scenario, and
    ``reset(options={"difficulty": "easy"})`` the difficulty of the one that is drawn.

    ## Rewards
    0 until the end. Then ``round(passed / checks, 4)``, whether the episode was terminated or truncated, and
    ``info["score"]`` holds each check's text, result and error.

    ## Episode End
    Terminated by a message (by the user, in conversation mode); truncated after ``max_steps`` actions.

    ## Arguments
    * ``environment`` -- id of the environment, or path of a bundle's folder.
    * ``split`` -- ``"train"`` or ``"test"`` scenarios only.
    * ``difficulty`` -- ``"easy"``, ``"medium"``, ``"hard"`` or ``"expert"`` scenarios only.
    * ``mode`` -- ``"task"`` or ``"conversation"``.
    * ``reward`` -- ``"fraction"``; ``"delta"`` counts only checks that are false at the start; ``"none"`` grades
      nothing.
    * ``guards`` -- ``"report"``, or ``"enforce"``: a violated guard makes the reward 0.
    * ``max_steps`` -- actions after which the episode is truncated; ``None`` for the scenario's own number.
    * ``on_error`` -- ``"raise"`` a failure of the environment, or ``"truncate"`` the episode with reward 0 and
      ``info["failure"]``.
    * ``isolation`` -- ``"worker"``: run the code in a process that is locked down, even if it is reviewed;
      ``"process"``: run it in this process, which needs ``trust`` unless it is reviewed; ``None``: in a worker unless
      it is reviewed or trusted.
    * ``trust`` -- run the code in this process, with all of your rights, though nobody has reviewed it.
    * ``refuse_findings`` -- do not run unreviewed code at all in which the lint finds something, not even in a worker.
    * ``limits`` -- limits of workers that are to differ from
      :class:`~envscaler_gym.isolation.limits.Limits`, for instance ``{"call_seconds": 5}``.
    * ``render_mode`` -- ``"ansi"``: ``render()`` returns the transcript; ``"human"``: it is printed as it grows.

    All are plain JSON, so that ``env.spec.to_json()`` round-trips.

    ## Version History
    * v0 -- first version.

    Raises:
        UnknownNameError: There is no such environment.
        BundleError: Its bundle is malformed, or no scenario fits the filters.
        ValueError: An argument has a value that is not allowed.
        UnreviewedCodeError: The code is neither reviewed nor trusted, and ``isolation`` is ``"process"`` or it has
            findings that refuse it.
        IsolationUnavailable: The code is to run in a worker, and this machine cannot lock one down.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi", "human"], "render_fps": 4}  # type: ignore[misc]

    def __init__(
        self,
        environment: str,
        *,
        split: str | None = None,
        difficulty: str | None = None,
        mode: str = "task",
        reward: str = "fraction",
        guards: str = "report",
        max_steps: int | None = None,
        on_error: str = "raise",
        isolation: str | None = None,
        trust: bool = False,
        refuse_findings: bool = False,
        limits: dict[str, Any] | None = None,
        render_mode: str | None = None,
    ) -> None:
        self._arguments = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        _one_of("split", split, (None, *SPLITS))
        _one_of("difficulty", difficulty, (None, *DIFFICULTIES))
        _one_of("mode", mode, ("task", "conversation"))
        _one_of("reward", reward, ("fraction", "delta", "none"))
        _one_of("guards", guards, ("report", "enforce"))
        _one_of("on_error", on_error, ("raise", "truncate"))
        _one_of("isolation", isolation, (None, *LEVELS))
        _one_of("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        self._split, self._difficulty = split, difficulty
        self._user: User | None = ScriptedUser() if mode == "conversation" else None
        self._reward, self._enforce_guards = reward, guards == "enforce"
        self._truncate_on_error = on_error == "truncate"
        self._limits = Limits.of(limits)
        self.render_mode = render_mode
        self.max_steps = max_steps
        self._seed, self._number, self._steps, self._limit = 0, -1, 0, 0
        self._running = False
        self._episode: Episode | None = None
        self._failure: EnvironmentFailure | None = None
        self._score: Score | None = None
        self._transcript = Transcript(live=render_mode == "human") if render_mode else None
        self._runtimes: dict[str, tuple[Bundle, Runtime]] = {}
        self.notes: dict[str, Any] = {}
        self._bundle = self._first_bundle()
        self._admission: dict[str, Any] = {"isolation": isolation, "trust": trust, "refuse_findings": refuse_findings}
        level_of(self._bundle, **self._admission)  # what cannot run is an error now, not at the first reset
        self.observation_space = TextSpace(max(MAX_TEXT, self._limits.reply_bytes + (1 << 20)))  # a task fits as well
        self.action_space: ActionSpace = ActionSpace(self._constant_tools(), self._sampling_source)

    # What SuiteEnv does otherwise.

    def _first_bundle(self) -> Bundle:
        bundle = get_bundle(self._arguments["environment"])
        self._eligible(bundle)  # filters that nothing fits are an error now, not at the first reset
        return bundle

    def _constant_tools(self) -> Toolset | None:
        return self._bundle.tools

    def _draw(self, seed: int, number: int, options: dict[str, Any]) -> tuple[Bundle, Scenario]:
        scenario_id, difficulty = take_option(options, "scenario"), take_option(options, "difficulty")
        if scenario_id is not None:
            return self._bundle, self._bundle.scenario(scenario_id)
        return self._bundle, draw(self._eligible(self._bundle, difficulty), seed, number)

    def _candidate_bundles(self) -> Iterable[Bundle]:
        return (self._bundle,)

    def _bundle_of(self, environment: str) -> Bundle:
        return get_bundle(environment)

    # What a user may look at.

    @property
    def max_steps(self) -> int | None:
        """Actions after which an episode is truncated; ``None`` for the scenario's own number."""
        return self._max_steps

    @max_steps.setter
    def max_steps(self, value: int | None) -> None:
        if value is not None and (type(value) is not int or value < 1):
            raise ValueError(f"max_steps must be a positive int or None, got {shorten(value)}")
        self._max_steps = value

    @property
    def bundle(self) -> Bundle:
        """The bundle of the running episode."""
        return self._bundle

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The tools of the running episode, as the agent is to know them."""
        return self._bundle.tools.specs

    @property
    def episode(self) -> Episode:
        """The running episode with its world and scenario; not for the agent.

        Raises:
            gymnasium.error.ResetNeeded: None was started.
            EnvironmentFailure: It could not be started, and ``on_error`` is ``"truncate"``.
        """
        if self._failure is not None:
            raise self._failure
        if self._episode is None:
            raise gym.error.ResetNeeded("No episode was started: call reset() first.")
        return self._episode

    @property
    def mode(self) -> str:
        """``"task"`` or ``"conversation"``."""
        return str(self._arguments["mode"])

    @property
    def user(self) -> User | None:
        """Who the agent talks to, from the next episode on; ``None`` in task mode, where there is nobody."""
        return self._user

    @user.setter
    def user(self, value: User) -> None:
        if self.mode != "conversation":
            raise ValueError("There is no user in task mode; make the environment with mode='conversation'.")
        self._user = value

    @property
    def episode_seed(self) -> str:
        """Seed of the running episode's world: the environment's seed, the episode's number and the scenario."""
        return f"{self._seed}:{self._number}:{self.episode.scenario.id}"

    @property
    def episode_key(self) -> tuple[int, int]:
        """The seed, and the number of the episode since it was given: what all draws for an episode depend on."""
        return self._seed, self._number

    @property
    def difficulties(self) -> tuple[Difficulty, ...]:
        """The difficulties that a scenario can be drawn with, easiest first."""
        found = {scenario.difficulty for bundle in self._candidate_bundles() for scenario in self._fitting(bundle)}
        return tuple(difficulty for difficulty in DIFFICULTIES if difficulty in found)

    @property
    def running(self) -> bool:
        """Whether an episode is under way, so that a step can be taken."""
        return self._running

    @property
    def score(self) -> Score | None:
        """The score of the episode that has ended; ``None`` before its end."""
        return self._score

    # Gymnasium.

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: Seed of this episode and, together with their number, of those that follow.
            options: ``{"scenario": id}`` chooses the scenario; ``{"difficulty": "easy"}`` has one of this difficulty
                drawn.

        Returns:
            The task (or the user's first turn), and the ids of environment and scenario with what is known of them.

        Raises:
            ScenarioError: There is no such scenario, or it cannot be graded.
            EnvironmentFailure: The class could not be built, and ``on_error`` is ``"raise"``.
        """
        super().reset(seed=seed)
        self._running = False
        if seed is not None or self._number < 0:
            self._seed, self._number = int(self.np_random_seed), -1
        rest = dict(options or {})
        bundle, scenario = self._draw(self._seed, self._number + 1, rest)
        if rest:
            raise ValueError(
                f"Unknown reset options {shorten(list(rest))}; allowed: 'scenario' and "
                "'difficulty' (and 'environment' in a suite)."
            )
        if scenario.checks is None and self._reward != "none":
            raise ScenarioError(
                f"Scenario {scenario.id!r} of {bundle.id} has no checks and cannot be graded; "
                "pass reward='none' to play it without a reward."
            )
        self._number += 1
        self._start(bundle, scenario)
        self._steps, self._score, self._running = 0, None, True
        self.notes.clear()
        observation = scenario.task if self._failure else self.episode.begin()
        if self._transcript is not None:
            state = None if self._failure else self.episode.initial_state
            self._transcript.begin(bundle.id, scenario, observation, state)
        info = {"environment": bundle.id, "scenario": scenario.id, "max_steps": self._limit}
        return observation, info | {"difficulty": scenario.difficulty, "split": scenario.split}

    def step(self, action: Action) -> StepResult:
        """Take an action.

        Args:
            action: A tool call or a message; see the action space. Anything else is answered, not raised.

        Returns:
            Observation, reward, terminated, truncated, and info with the ``outcome`` and, at the end, the ``score``.

        Raises:
            gymnasium.error.ResetNeeded: No episode is running.
            EnvironmentFailure: The environment failed, and ``on_error`` is ``"raise"``.
        """
        if not self._running:
            raise gym.error.ResetNeeded(_NOT_RUNNING)
        return self._conclude(action, None)

    def submit(self, action: Action) -> Callable[[], StepResult]:
        """Begin a step, and return the function that waits for what :meth:`step` would return or raise.

        With several environments whose worlds are in other processes, all can be at work before the first is waited
        for; :class:`~envscaler_gym.vector.ToolVectorEnv` does that. An environment has one step under way at a time.

        Args:
            action: As for :meth:`step`.

        Raises:
            gymnasium.error.ResetNeeded: No episode is running.
        """
        if not self._running:
            raise gym.error.ResetNeeded(_NOT_RUNNING)
        if self._failure is not None:
            return partial(self._conclude, action, None)
        return partial(self._conclude, action, self._episode.submit(action))  # type: ignore[union-attr]  # it is running

    def _conclude(self, action: Action, wait: Callable[[], Turn] | None) -> StepResult:
        self._steps += 1
        try:
            if self._failure is not None:
                raise self._failure
            turn = self._episode.act(action) if wait is None else wait()  # type: ignore[union-attr]  # it is running
            truncated = not turn.ended and self._steps >= self._limit
            info: dict[str, Any] = {"outcome": turn.outcome}
            reward = self._finish(info) if turn.ended or truncated else 0.0
            state = self.episode.world.state() if self._transcript is not None else None
        except EnvironmentFailure as failure:
            return self.fail(action, failure)
        if self._transcript is not None:
            self._transcript.add_turn(action, turn.observation, turn.outcome, state)
            if self._score is not None:
                self._transcript.add_score(self._score)
        return turn.observation, reward, turn.ended, truncated, info

    def fail(self, action: Action, failure: EnvironmentFailure) -> StepResult:
        """End the episode with a failure that an action met, here or in a wrapper.

        Returns:
            The step's result, where ``on_error`` is ``"truncate"``.

        Raises:
            EnvironmentFailure: It is ``"raise"``.
        """
        self._running, self._score = False, None
        if failure is not self._failure:  # that one was counted when the episode started
            count_failure(self._bundle.id, failure)
        if not self._truncate_on_error:
            raise failure
        observation = error_text(f"The environment failed: {failure}")
        if self._transcript is not None:
            self._transcript.add_turn(action, observation, "failure", None)
        info = {"outcome": "failure", "failure": {"type": type(failure).__name__, "message": str(failure)}}
        return observation, 0.0, False, True, info

    def _finish(self, info: dict[str, Any]) -> float:
        self._running = False
        if self._reward == "none":
            return 0.0
        self._score = self.grade()
        info["score"] = self._score.to_dict()
        return self._score.reward

    def grade(self) -> Score:
        """Return the score that the episode would have if it ended now; not for the agent."""
        return self.episode.grade(delta=self._reward == "delta", enforce_guards=self._enforce_guards)

    def refund_step(self) -> None:
        """Take back that the last step counts towards ``max_steps``; for wrappers that caused it."""
        self._steps -= 1

    def sample_action(self) -> Action:
        """Draw a tool call for the running episode, as a function of the seed, the episode's number and the step.

        The action space of a vector environment is a copy that knows nothing of the running episodes;
        ``envs.call("sample_action")`` asks the environments themselves.
        """
        return self.action_space.draw(np.random.default_rng((self._seed, self._number, self._steps)))

    def render(self) -> str | None:
        """Return the transcript so far in ``ansi`` mode; in ``human`` mode it has been printed already."""
        return str(self._transcript) if self.render_mode == "ansi" else None

    def close(self) -> None:
        """Close the worlds. Closing twice is allowed."""
        self._running = False
        for _, runtime in self._runtimes.values():
            runtime.world.close()
        self._runtimes.clear()
        self._episode = None

    # Forks and copies.

    def snapshot(self) -> EnvSnapshot:
        """Return all that the environment is now, for :meth:`restore` here or in another one made alike.

        Raises:
            gymnasium.error.ResetNeeded: No episode was started.
        """
        return EnvSnapshot(
            self._bundle.id,
            self.episode.scenario.id,
            self.episode.snapshot(),
            self._seed,
            self._number,
            self._steps,
            self._running,
            self._score,
            tuple(self._transcript.blocks) if self._transcript else (),
            dict(self.notes),
        )

    def restore(self, snapshot: EnvSnapshot) -> None:
        """Go back to a snapshot; it stays valid and may be restored any number of times."""
        same = snapshot.environment == self._bundle.id
        bundle = self._bundle if same else self._bundle_of(snapshot.environment)
        self._seed, self._number, self._steps = snapshot.seed, snapshot.episode_number, snapshot.steps
        self._start(bundle, bundle.scenario(snapshot.scenario))
        self.episode.restore(snapshot.episode)
        self._running, self._score = snapshot.running, snapshot.score
        self.notes = dict(snapshot.notes)
        if self._transcript is not None:
            self._transcript.blocks[:] = snapshot.transcript
            self._transcript.resume(self.episode.world.state(), self._steps)

    def __getstate__(self) -> dict[str, Any]:
        """Return the constructor's arguments and a snapshot, since worlds themselves cannot be pickled."""
        snapshot = self.snapshot() if self._episode is not None and self._failure is None else None
        names = ("spec", "_np_random", "_np_random_seed", "_seed", "_number", "_score", "_user")
        kept = {name: getattr(self, name) for name in names}
        return {
            "arguments": self._arguments | {"max_steps": self._max_steps},
            "kept": kept,
            "draws": self.action_space.np_random,
            "snapshot": snapshot,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Rebuild the environment and restore the snapshot."""
        self.__init__(**state["arguments"])  # type: ignore[misc]  # as a constructor's arguments, deliberately
        self.__dict__.update(state["kept"])
        self.action_space._np_random = state["draws"]  # noqa: SLF001 - Gymnasium gives no other way to put it back
        if state["snapshot"] is not None:
            self.restore(state["snapshot"])

    # Inner workings.

    def _eligible(self, bundle: Bundle, difficulty: str | None = None) -> tuple[Scenario, ...]:
        return eligible(bundle, self._split, difficulty or self._difficulty, graded=self._reward != "none")

    def _fitting(self, bundle: Bundle) -> tuple[Scenario, ...]:
        try:
            return self._eligible(bundle)
        except ScenarioError:
            return ()

    def _start(self, bundle: Bundle, scenario: Scenario) -> None:
        """Make ``scenario`` the running episode's, in a world of ``bundle``."""
        if self._episode is not None and bundle.id != self._bundle.id:
            self._episode.world.close()  # in a suite, one worker at a time
        self._bundle = bundle
        self._limit = self._max_steps or scenario.max_steps
        self._failure = None
        start_state = bundle.start_states[scenario.start_state]
        seed = f"{self._seed}:{self._number}:{scenario.id}"
        try:
            known, runtime = self._runtimes.get(bundle.id, (None, None))
            if runtime is None or known is not bundle:  # new, or changed on disk since
                if runtime is not None:
                    runtime.world.close()
                runtime = make_runtime(bundle, **self._admission, limits=self._limits)
                self._runtimes[bundle.id] = bundle, runtime
            self._episode = Episode(
                scenario, start_state, bundle.tools, runtime.world, self._user, seed, runtime.run_checks
            )
        except EnvironmentFailure as failure:
            count_failure(bundle.id, failure)
            if not self._truncate_on_error:
                raise
            self._failure = failure

    def _sampling_source(self) -> tuple[Toolset, Callable[[], Any], object]:
        """Return tools, state and a mark that changes with the state, for the action space."""
        if self._running and self._failure is None:
            return self._bundle.tools, self.episode.world.state, (self._episode, self.episode.changes)
        start = next(iter(self._bundle.start_states.values()))
        return self._bundle.tools, lambda: start.state, None


def _one_of(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {shorten(value)}")


def take_option(options: dict[str, Any], name: str) -> Any:
    """Take an id out of reset options; ``None`` where it is not given."""
    value = options.pop(name, None)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"reset option {name!r} must be an id, got {shorten(value)}")
    return value
