"""Environments as a taskset of verifiers, with a harness that plays them in the process it runs in.

verifiers finds tasksets in installed packages: one that exports :class:`EpisodeTaskset`, :class:`EpisodeHarness` and
:class:`EpisodeEnv` is all that it takes. ``examples/verifiers_package`` is one, and with it
``vf-eval envscaler-episodes --env.taskset.environments '["Library"]'`` runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import gymnasium as gym
from pydantic import Field

from envscaler_gym.bundle import Bundle
from envscaler_gym.chat import system_prompt
from envscaler_gym.env import ToolEnv
from envscaler_gym.registry import get_bundle, shipped_ids
from envscaler_gym.rollout import plan_episodes
from envscaler_gym.scenario import Difficulty, Split
from envscaler_gym.types import JSON, Action
from envscaler_gym.users import ScriptedUser
from envscaler_gym.wrappers import Chat

try:
    import verifiers.v1 as vf
    from httpx import Response
    from openai import AsyncOpenAI, OpenAIError
except ImportError as error:
    raise ModuleNotFoundError('Tasksets need verifiers: pip install "envscaler-gym[verifiers]"') from error

__all__ = [
    "EpisodeData",
    "EpisodeEnv",
    "EpisodeEnvConfig",
    "EpisodeHarness",
    "EpisodeHarnessConfig",
    "EpisodeState",
    "EpisodeTask",
    "EpisodeTaskset",
    "EpisodeTasksetConfig",
]


class EpisodeData(vf.TaskData):
    """What an episode depends on.

    Attributes:
        environment: Name of the environment, or path of a bundle's folder.
        scenario: Id of the scenario.
        seed: Seed of the episode.
        options: Arguments of :class:`~envscaler_gym.env.ToolEnv`.
    """

    environment: str
    scenario: str
    seed: int
    options: dict[str, Any]


class EpisodeState(vf.State):
    """What became of the episode.

    Attributes:
        reward: Its score; ``None`` as long as nobody has played.
        figures: Counts of messages, calls and errors.
    """

    reward: float | None = None
    figures: dict[str, float] = Field(default_factory=dict)


class EpisodeTask(vf.Task[EpisodeData, EpisodeState, vf.TaskConfig]):
    """One episode, to be played with :class:`EpisodeHarness`."""

    @property
    def key(self) -> str:
        """What tells the task from the others, whichever of them are loaded."""
        return f"{self.data.environment}:{self.data.scenario}:{self.data.seed}"

    @vf.reward
    async def checks_passed(self, trace: vf.Trace) -> float:
        """Return the episode's score: the fraction of checks that passed."""
        return _played(trace)[0]

    @vf.metric
    async def figures(self, trace: vf.Trace) -> Mapping[str, float]:
        """Return the counts of messages, calls and errors."""
        return _played(trace)[1]


class EpisodeTasksetConfig(vf.TasksetConfig):
    """Which episodes there are.

    Attributes:
        environments: Names, or paths of bundles' folders; empty for all that come with the library.
        split: Only scenarios of this split.
        difficulty: Only scenarios of this difficulty.
        seed: Seed of each environment's first episode; the later ones have the next.
        options: More arguments of :class:`~envscaler_gym.env.ToolEnv`, such as ``{"mode": "conversation"}``.
    """

    environments: list[str] = Field(default_factory=list)
    split: Split | None = None
    difficulty: Difficulty | None = None
    seed: int = Field(0, ge=0)
    options: dict[str, Any] = Field(default_factory=dict)


class EpisodeTaskset(vf.Taskset[EpisodeTask, EpisodeTasksetConfig]):
    """The scenarios of environments, one task each."""

    def load(self) -> Iterator[EpisodeTask]:
        """Yield the tasks, environment by environment, in the order of the bundles.

        Raises:
            UnknownNameError: There is no such environment.
            ScenarioError: No scenario of an environment fits.
        """
        config = self.config
        for name in config.environments or shipped_ids():
            bundle = get_bundle(name)
            prompt = system_prompt(bundle.manifest, bundle.tools.specs, schemas_in_text=False)
            for planned in plan_episodes(name, split=config.split, difficulty=config.difficulty, seed=config.seed):
                data = EpisodeData(
                    name=f"{bundle.id}:{planned.scenario}",
                    prompt=_opening(bundle, planned.scenario, config.options),
                    system_prompt=prompt,
                    environment=name,
                    scenario=planned.scenario,
                    seed=planned.seed,
                    options=config.options,
                )
                yield EpisodeTask(data, config.task)


class EpisodeHarnessConfig(vf.HarnessConfig):
    """Settings of :class:`EpisodeHarness`: those of every harness."""


class EpisodeHarness(vf.Harness[EpisodeHarnessConfig]):
    """Lets a model play an episode of :class:`EpisodeTask`: no program, no tool server, nothing to install.

    An episode that verifiers stops early, for instance at its ``max_turns``, is graded as it stands. A failure of the
    environment is an error of the rollout, which has no reward then.
    """

    APPENDS_SYSTEM_PROMPT = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    def make_client(self, endpoint: str, secret: str) -> AsyncOpenAI:
        """Return the client that asks verifiers for the model's answers; for subclasses with other timeouts."""
        return AsyncOpenAI(base_url=endpoint, api_key=secret)

    def wrap(self, env: gym.Env[str, Action]) -> gym.Env[str, Action]:
        """Return the environment as it is; for subclasses that put wrappers around it."""
        return env

    async def launch(
        self,
        ctx: Any,
        trace: Any,
        runtime: Any,  # noqa: ARG002 - nothing runs in it
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],  # noqa: ARG002 - the tools are the episode's
        data: Any,
    ) -> Any:
        """Play the episode, with every answer of the model asked for at ``endpoint``."""
        system, task = self.resolve_text_prompt(data)
        messages: list[Any] = [{"role": "user", "content": task}]
        if system:
            messages.insert(0, {"role": "system", "content": system})
        with closing(Chat(self.wrap(ToolEnv(data.environment, **data.options)))) as chat:
            await asyncio.to_thread(chat.reset, seed=data.seed, options={"scenario": data.scenario})
            conversation = _Conversation(chat, messages)
            try:
                async with self.make_client(endpoint, secret) as model:
                    await conversation.run(model, ctx.model)
            except OpenAIError:  # the model failed, or verifiers wants no more turns and grades what there is
                trace.state = await asyncio.to_thread(conversation.state)
                raise
            trace.state = await asyncio.to_thread(conversation.state)
        return vf.ProgramResult(exit_code=0, stdout="", stderr="")


class EpisodeEnvConfig(vf.EnvConfig):
    """Settings of :class:`EpisodeEnv`.

    Attributes:
        agent: Who plays. The harness runs in this process, so that no sandbox is asked for.
    """

    agent: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())


class EpisodeEnv(vf.SingleAgentEnv, vf.Env[EpisodeEnvConfig]):
    """verifiers' environment of one agent, here without the sandbox that it would ask for otherwise."""


class _Conversation:
    """A model and an episode."""

    def __init__(self, chat: Chat, messages: list[Any]) -> None:
        self._chat = chat
        self._below: Any = chat.unwrapped
        self._messages = messages
        self._figures: dict[str, float] = {}

    async def run(self, model: AsyncOpenAI, name: str) -> None:
        """Let the model act until the episode ends."""
        body = {"model": name, "messages": self._messages, "tools": self._chat.tools}
        while self._below.running:
            # As it is, since completions.create() takes longer to look through all schemas than an episode takes.
            answer = await model.post("/chat/completions", cast_to=Response, body=body)
            message = answer.json()["choices"][0]["message"]
            said = {key: value for key, value in message.items() if value is not None}
            told, _, _, _, info = await asyncio.to_thread(self._chat.step, said)
            self._messages += [said, *told]
            self._figures = {name: float(count) for name, count in info["chat"].items()}

    def state(self) -> EpisodeState:
        """Return what has become of the episode so far."""
        score = self._below.score or self._below.grade()
        return EpisodeState(reward=score.reward, figures=self._figures)


def _opening(bundle: Bundle, scenario_id: str, options: Mapping[str, JSON]) -> str:
    """Return what the agent is told at first."""
    scenario = bundle.scenario(scenario_id)
    if options.get("mode") == "conversation":
        return ScriptedUser().reply(scenario, ()) or ""
    return scenario.task


def _played(trace: Any) -> tuple[float, Mapping[str, float]]:
    if trace.state.reward is None:
        raise RuntimeError("Nobody has played the episode: its tools are in EpisodeHarness, and in no other harness.")
    return trace.state.reward, trace.state.figures
