"""Inspect AI: scenarios as an evaluation.

``pip install "envscaler-gym[inspect]"``, then
``inspect eval envscaler_gym/scenarios -T environments=Library -T split=test --model …``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from envscaler_gym.chat import SYSTEM_PROMPT, system_prompt
from envscaler_gym.episode import error_text
from envscaler_gym.errors import shorten
from envscaler_gym.integrations.playing import Play, Wrap, unwrapped
from envscaler_gym.registry import get_bundle
from envscaler_gym.rollout.runner import plan_episodes
from envscaler_gym.types import JSON, ToolSpec

try:
    from inspect_ai import Task, task
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ChatMessageSystem, ChatMessageUser
    from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
    from inspect_ai.solver import Generate, Solver, TaskState, solver
    from inspect_ai.tool import Tool, ToolDef, ToolParams
except ModuleNotFoundError as error:
    raise ModuleNotFoundError('Inspect AI is not installed: pip install "envscaler-gym[inspect]"') from error

__all__ = ["begin", "checks", "end", "play", "samples", "scenarios"]

_OVER = "The episode has ended; nothing can be called any more."
_plays: dict[str, Play] = {}
"""Running episodes by the sample's unique id: setup, solver and scorer of a sample have nothing else in common that can
hold one."""


@task
def scenarios(
    environments: str | list[str],
    split: str | None = None,
    difficulty: str | None = None,
    episodes: int | None = None,
    seed: int = 0,
    template: str = SYSTEM_PROMPT,
    wrap: Wrap = unwrapped,
    **options: Any,
) -> Task:
    """Evaluate on scenarios. Any other solver that uses the tools of the state may stand in for :func:`play`.

    Args:
        environments: Names of environments, or paths of bundles' folders.
        split: Only scenarios of this split.
        difficulty: Only scenarios of this difficulty.
        episodes: Samples of each environment, which start over where there are fewer scenarios; ``None``: each once.
        seed: Seed of each environment's first sample; the others count up.
        template: Template of the system prompt; see :func:`~envscaler_gym.chat.system_prompt`.
        wrap: Puts wrappers around the environment, such as those of :mod:`envscaler_gym.wrappers`.
        options: Arguments of :class:`~envscaler_gym.env.ToolEnv`, such as ``mode="conversation"``.

    Raises:
        UnknownNameError: There is no such environment.
        ScenarioError: No scenario fits.
    """
    choice = {"split": split, "difficulty": difficulty, "episodes": episodes, "seed": seed}
    conversation = options.get("mode") == "conversation"
    return Task(
        dataset=MemoryDataset(list(samples(environments, template=template, conversation=conversation, **choice))),
        setup=begin(wrap, **options),
        solver=play(),
        scorer=checks(),
        cleanup=end,
    )


def samples(
    environments: str | Iterable[str],
    *,
    template: str = SYSTEM_PROMPT,
    conversation: bool = False,
    **choice: Any,
) -> Iterator[Sample]:
    """Yield a sample an episode: system prompt and task, and in ``metadata`` what :func:`begin` needs.

    Args:
        environments: As for :func:`scenarios`.
        template: Template of the system prompt.
        conversation: Whether the user says the task in pieces.
        choice: ``split``, ``difficulty``, ``episodes`` and ``seed``, as for :func:`scenarios`.
    """
    seen: Counter[str] = Counter()
    for name in [environments] if isinstance(environments, str) else environments:
        bundle = get_bundle(name)
        said = system_prompt(bundle.manifest, bundle.tools.specs, schemas_in_text=False, template=template)
        for planned in plan_episodes(name, **choice):
            scenario = bundle.scenario(planned.scenario)
            first = scenario.requests[0] if conversation and scenario.requests else scenario.task
            id_ = f"{bundle.id}/{scenario.id}"
            seen[id_] += 1
            yield Sample(
                id=id_ if seen[id_] == 1 else f"{id_}/{seen[id_]}",
                input=[ChatMessageSystem(content=said), ChatMessageUser(content=first)],
                metadata={
                    "environment": bundle.id,
                    "bundle": name,
                    "scenario": scenario.id,
                    "seed": planned.seed,
                    "difficulty": str(scenario.difficulty),
                    "split": scenario.split,
                },
            )


@solver
def begin(wrap: Wrap = unwrapped, **options: Any) -> Solver:
    """Start the sample's episode and hand its tools to the state; the ``setup`` of a task.

    Args:
        wrap: Puts wrappers around the environment.
        options: Arguments of :class:`~envscaler_gym.env.ToolEnv`.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:  # noqa: ARG001 - Inspect's signature
        chosen = state.metadata
        running = Play(chosen["bundle"], wrap, **options)
        _plays[state.uuid] = running
        state.user_prompt.content = running.begin(seed=chosen["seed"], scenario=chosen["scenario"])
        state.tools = [_tool(running, spec) for spec in running.below.tools]
        return state

    return solve


@solver
def play() -> Solver:
    """Let the model act until the episode ends; what it says without a call goes to the user, or ends the episode.

    A call that Inspect refuses (no such tool, arguments that do not fit) counts as a step, as it does elsewhere.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        running = _running(state)
        while not running.ended and not state.completed:
            before = len(state.messages)
            state = await generate(state, tool_calls="single")
            for message in state.messages[before:]:
                if _refused(message) and not running.ended:
                    running.act({"malformed": message.error.message})
            if not state.output.message.tool_calls and not running.ended:
                answer = running.act({"content": state.output.completion})
                if not running.ended:
                    state.messages.append(ChatMessageUser(content=answer))
        return state

    return solve


@scorer(metrics=[mean(), stderr(), grouped(mean(), "environment", all=False), grouped(mean(), "difficulty", all=False)])
def checks() -> Scorer:
    """Grade the state that the sample's episode is in: the fraction of its checks that pass.

    An episode in which the environment failed is an error of the sample, not a score of 0.
    """

    async def score(state: TaskState, target: Target) -> Score:  # noqa: ARG001 - Inspect's signature
        running = _running(state)
        reward = running.finish()
        graded = running.score
        answers = [] if graded is None else [f"{'yes' if c.passed else 'no '} {c.text}" for c in graded.checks]
        return Score(
            value=reward,
            answer=state.output.completion,
            explanation="\n".join(answers),
            metadata={"score": None if graded is None else graded.to_dict(), "last_outcome": running.outcome},
        )

    return score


async def end(state: TaskState) -> None:
    """Close the sample's environment; the ``cleanup`` of a task."""
    running = _plays.pop(state.uuid, None)
    if running is not None:
        running.close()


def _refused(message: Any) -> bool:
    """Return whether a message is Inspect's answer to a call that no tool was asked."""
    return message.role == "tool" and message.error is not None and message.error.type == "parsing"


def _running(state: TaskState) -> Play:
    try:
        return _plays[state.uuid]
    except KeyError:
        raise RuntimeError(
            f"No episode is running for sample {shorten(state.sample_id)}: begin() is the task's setup, and a log "
            "cannot be scored again, since the world is gone; evaluate again."
        ) from None


def _tool(running: Play, spec: ToolSpec) -> Tool:
    async def call(**kwargs: Any) -> str:
        return error_text(_OVER) if running.ended else running.act({"name": spec.name, "arguments": kwargs})

    parameters = ToolParams.model_validate(_for_inspect(spec.parameters))
    for name, parameter in parameters.properties.items():
        parameter.description = parameter.description or f"The {name}."  # Inspect demands one
    description = spec.description or f"Calls {spec.name}."
    return ToolDef(call, name=spec.name, description=description, parameters=parameters, max_output=0).as_tool()


def _for_inspect(schema: Any) -> Any:
    """Return a schema with ``const`` written as an enum, which Inspect's schemas have instead."""
    if isinstance(schema, list):
        return [_for_inspect(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    found: dict[str, JSON] = {key: _for_inspect(value) for key, value in schema.items()}
    return found if "const" not in found else {"enum": [found.pop("const")]} | found
