"""Who plays in an evaluation: a policy, or a language model in a chat. Described by data, so that it can be sent."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from envscaler_gym.chat import SYSTEM_PROMPT
from envscaler_gym.data import Data
from envscaler_gym.env import ToolEnv
from envscaler_gym.errors import ModelUnavailable, UnusableAnswer
from envscaler_gym.llm.model import ChatMessage, Completion, CompletionRequest, FunctionCall, LanguageModel
from envscaler_gym.llm.usage import Usage
from envscaler_gym.rollout.policies import make_policy
from envscaler_gym.rollout.results import EpisodeResult
from envscaler_gym.rollout.runner import PlannedEpisode, run_episode
from envscaler_gym.trajectories import Trajectory
from envscaler_gym.types import JSON
from envscaler_gym.wrappers import Chat, RecordTrajectory

__all__ = ["ChatPlayer", "EvalEpisode", "Player", "PolicyPlayer", "Verdict"]

Verdict = Literal["success", "agent", "format", "truncated", "environment", "infrastructure"]
"""What an episode came to: solved; not solved by an agent that ended it; the same with errors of form on the way; cut
off; the environment failed; the model could not be reached."""


class EvalEpisode(Data):
    """What one try at one scenario came to.

    Attributes:
        policy: Name of who played.
        environment: Id of the environment.
        scenario: Id of the scenario.
        difficulty: The scenario's difficulty.
        split: The scenario's split.
        attempt: Number of the try, from 0.
        seed: Seed of the episode.
        reward: Reward at the end.
        verdict: What it came to.
        steps: Actions taken.
        outcomes: Steps by outcome.
        format_errors: Messages and calls without a readable form.
        usage: What the model's answers came to.
        failure: What failed, where something did.
    """

    policy: str
    environment: str
    scenario: str
    difficulty: str | None
    split: str
    attempt: int
    seed: int
    reward: float
    verdict: Verdict
    steps: int
    outcomes: Mapping[str, int]
    format_errors: int = 0
    usage: Usage = Usage()
    failure: str = ""

    @property
    def success(self) -> bool:
        """Whether every check passed."""
        return self.verdict == "success"


class Player(Protocol):
    """Plays episodes."""

    @property
    def name(self) -> str:
        """Name of the player."""
        ...

    async def play(
        self, planned: PlannedEpisode, attempt: int, model: LanguageModel | None, options: Mapping[str, Any]
    ) -> tuple[EvalEpisode, Trajectory | None]:
        """Play an episode to its end.

        Args:
            planned: The episode.
            attempt: Number of the try.
            model: Who completes the conversation, for players that need one.
            options: Arguments of the environment.

        Raises:
            RunStopped: The model cannot be asked now, as when the next call could exceed what may be spent.
        """
        ...


class PolicyPlayer(Data):
    """A policy that needs no model.

    Attributes:
        kind: Tells players apart in data.
        policy: One of :data:`~envscaler_gym.rollout.policies.POLICIES`.
        seed: Seed of the policy.
    """

    kind: Literal["policy"] = "policy"
    policy: str
    seed: int = 0

    @property
    def name(self) -> str:
        """Name of the policy."""
        return self.policy

    async def play(
        self, planned: PlannedEpisode, attempt: int, model: LanguageModel | None, options: Mapping[str, Any]
    ) -> tuple[EvalEpisode, Trajectory | None]:
        """Play an episode to its end."""
        del model
        with closing(RecordTrajectory(_environment(planned, options), policy=self.name)) as env:
            policy = make_policy(self.policy, self.seed + attempt)
            result = run_episode(env, policy, seed=planned.seed, options={"scenario": planned.scenario})
            truncated = env.trajectory is not None and env.trajectory.truncated
            return _of_result(self.name, attempt, result, truncated=truncated), env.trajectory


class ChatPlayer(Data):
    """A language model that is told the task and the tools, and acts by its messages.

    Attributes:
        kind: Tells players apart in data.
        model: Name of the model, as litellm takes it.
        form: ``"openai"`` for native function calling, ``"text"`` for calls in the text.
        temperature: Of the sampling; ``None`` for the provider's default.
        max_tokens: Longest answer in tokens; ``None`` for the provider's default.
        template: Template of the system prompt.
    """

    kind: Literal["chat"] = "chat"
    model: str
    form: Literal["openai", "text"] = "openai"
    temperature: float | None = None
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    template: str = SYSTEM_PROMPT

    @property
    def name(self) -> str:
        """Name of the model, with the form where it is not the native one."""
        return self.model if self.form == "openai" else f"{self.model} ({self.form})"

    async def play(
        self, planned: PlannedEpisode, attempt: int, model: LanguageModel | None, options: Mapping[str, Any]
    ) -> tuple[EvalEpisode, Trajectory | None]:
        """Play an episode to its end. A model that cannot be reached ends it; what it says never raises."""
        if model is None:
            raise ValueError(f"{self.name} needs a language model to complete its conversations")
        recorder = RecordTrajectory(_environment(planned, options), policy=self.name)
        with closing(Chat(recorder, self.form, self.template)) as env:
            _, start = env.reset(seed=planned.seed, options={"scenario": planned.scenario})
            tally = _Tally(self.name, planned, attempt, start)
            try:
                await self._converse(env, model, attempt, tally)
            except (ModelUnavailable, UnusableAnswer) as error:
                tally.fail("infrastructure", str(error))
            trajectory = recorder.trajectory
            if trajectory is not None:
                trajectory = trajectory.model_copy(update={"messages": env.conversation})
            return tally.episode(), trajectory

    async def _converse(self, env: Chat, model: LanguageModel, attempt: int, tally: _Tally) -> None:
        ended = False
        while not ended:
            completion = await model.complete(self._request(env, attempt))
            tally.usages.append(Usage.of(completion))
            _, reward, terminated, truncated, info = env.step(_said(completion))
            tally.reward += reward
            tally.outcomes.update(info["outcomes"])
            tally.format_errors = info["chat"]["format_errors"]
            ended = terminated or truncated
            if "failure" in info:
                tally.fail("environment", f"{info['failure']['type']}: {info['failure']['message']}")
            elif ended:
                tally.verdict = _verdict(tally.reward, truncated=truncated, format_errors=tally.format_errors)

    def _request(self, env: Chat, attempt: int) -> CompletionRequest:
        return CompletionRequest(
            model=self.model,
            messages=tuple(map(_chat_message, env.conversation)),
            tools=tuple(env.tools) if self.form == "openai" else (),
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            attempt=attempt,
            purpose="eval",
        )


def _environment(planned: PlannedEpisode, options: Mapping[str, Any]) -> ToolEnv:
    return ToolEnv(planned.environment, on_error="truncate", **options)


def _said(completion: Completion) -> JSON:
    """Return what a model answered as an assistant message."""
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in completion.tool_calls
    ]
    return {"role": "assistant", "content": completion.text} | ({"tool_calls": calls} if calls else {})


def _chat_message(message: Mapping[str, JSON]) -> ChatMessage:
    calls = tuple(
        FunctionCall(id=call["id"], name=call["function"]["name"], arguments=_text(call["function"]["arguments"]))
        for call in message.get("tool_calls", ())
    )
    return ChatMessage(
        role=message["role"],
        content=message["content"],
        tool_calls=calls,
        tool_call_id=message.get("tool_call_id"),
    )


def _text(arguments: JSON) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def _verdict(reward: float, *, truncated: bool, format_errors: int) -> Verdict:
    if reward >= 1.0:
        return "success"
    if truncated:
        return "truncated"
    return "format" if format_errors else "agent"


def _of_result(policy: str, attempt: int, result: EpisodeResult, *, truncated: bool) -> EvalEpisode:
    failure = result.failure
    return EvalEpisode(
        policy=policy,
        environment=result.environment,
        scenario=result.scenario,
        difficulty=result.difficulty,
        split=result.split,
        attempt=attempt,
        seed=result.seed,
        reward=result.reward,
        verdict="environment" if failure else _verdict(result.reward, truncated=truncated, format_errors=0),
        steps=result.steps,
        outcomes={str(outcome): count for outcome, count in result.outcomes.items()},
        failure=f"{failure['type']}: {failure['message']}" if failure else "",
    )


class _Tally:
    """What is known of an episode while it is played."""

    def __init__(self, policy: str, planned: PlannedEpisode, attempt: int, start: Mapping[str, Any]) -> None:
        names = ("environment", "scenario", "difficulty", "split")
        self._start = {name: start[name] for name in names} | {
            "policy": policy,
            "attempt": attempt,
            "seed": planned.seed,
        }
        self.reward = 0.0
        self.verdict: Verdict = "agent"
        self.failure = ""
        self.outcomes: Counter[str] = Counter()
        self.format_errors = 0
        self.usages: list[Usage] = []

    def fail(self, verdict: Verdict, failure: str) -> None:
        """Note that something failed that is not the agent's fault."""
        self.reward, self.verdict, self.failure = 0.0, verdict, failure

    def episode(self) -> EvalEpisode:
        """Return what it came to."""
        return EvalEpisode(
            **self._start,
            reward=self.reward,
            verdict=self.verdict,
            steps=self.outcomes.total(),
            outcomes=dict(sorted(self.outcomes.items())),
            format_errors=self.format_errors,
            usage=Usage.sum(self.usages),
            failure=self.failure,
        )
