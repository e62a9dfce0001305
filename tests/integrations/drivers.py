"""The ways into an environment: for each adapter a function that makes calls and returns what the episode earned."""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest

from envscaler_gym.integrations.trl import environment_class
from envscaler_gym.types import JSON

__all__ = ["DRIVERS", "Call", "Driver"]

Call: TypeAlias = tuple[str, Mapping[str, JSON]]
Driver: TypeAlias = Callable[[str, str, int, Sequence[Call]], float]
"""Environment, scenario, seed, calls → reward. Skips the test where the adapter's library is not installed."""


def needs(extra: str, module: str) -> Any:
    """Import an adapter; skip where its library is not installed."""
    return pytest.importorskip(module, reason=f'pip install "envscaler-gym[{extra}]"', exc_type=ImportError)


def play_gem(environment: str, scenario: str, seed: int, calls: Sequence[Call]) -> float:
    """Say each call as a model's text."""
    adapter = needs("gem", "envscaler_gym.integrations.gem")
    env = adapter.GemEnv(environment)
    try:
        env.reset(seed=seed, scenario=scenario)
        said = [
            f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>" for name, arguments in calls
        ]
        for text in [*said, "Done."]:
            _, reward, terminated, _, _ = env.step(text)
            if terminated:
                return float(reward)
        raise AssertionError("the episode did not end")
    finally:
        env.close()


def play_inspect(environment: str, scenario: str, seed: int, calls: Sequence[Call]) -> float:
    """Run setup, solver and scorer of the task, with Inspect's own execution of tool calls."""
    adapter = needs("inspect", "envscaler_gym.integrations.inspect_ai")
    import anyio
    from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelName, ModelOutput, execute_tools
    from inspect_ai.scorer import Target
    from inspect_ai.solver import TaskState
    from inspect_ai.tool import ToolCall

    answers = iter([[ToolCall(f"call_{i}", *call) for i, call in enumerate(calls)], []])

    async def generate(state: Any, tool_calls: str) -> Any:
        assert tool_calls == "single"
        message = ChatMessageAssistant(content="", tool_calls=next(answers))
        state.output = ModelOutput.from_message(message)
        state.messages.append(message)
        state.messages.extend((await execute_tools(state.messages, state.tools)).messages)
        return state

    async def play() -> float:
        metadata = {"bundle": environment, "scenario": scenario, "seed": seed}
        asked = [ChatMessageUser(content="")]
        state = TaskState(ModelName("mockllm/model"), scenario, 1, asked, list(asked), metadata=metadata)
        try:
            state = await adapter.play()(await adapter.begin()(state, generate), generate)
            return float((await adapter.checks()(state, Target(""))).value)
        finally:
            await adapter.end(state)

    return float(anyio.run(play))


def play_mcp(environment: str, scenario: str, seed: int, calls: Sequence[Call]) -> float:
    """Play as the client of an MCP server, in memory."""
    adapter = needs("mcp", "envscaler_gym.integrations.mcp")
    import anyio
    from mcp import Client

    async def play() -> float:
        server = adapter.EpisodeServer(environment, scenario=scenario, seed=seed).server
        async with Client(server, mode="legacy") as client:
            for name, arguments in [*calls, ("episode-finish", {})]:
                result = await client.call_tool(name, dict(arguments))
                if result.structured_content is not None:
                    return float(result.structured_content["reward"])
        raise AssertionError("the episode did not end")

    return float(anyio.run(play))


def play_openenv(environment: str, scenario: str, seed: int, calls: Sequence[Call]) -> float:
    """Play the environment that an OpenEnv server holds for a session."""
    adapter = needs("openenv", "envscaler_gym.integrations.openenv")
    from openenv.core import CallToolAction

    env = adapter.OpenEnvEnvironment(environment)
    try:
        env.reset(seed=seed, scenario=scenario)
        for name, arguments in [*calls, ("episode-finish", {})]:
            observation = env.step(CallToolAction(tool_name=name, arguments=dict(arguments)))
            if observation.done:
                return float(observation.reward)
        raise AssertionError("the episode did not end")
    finally:
        env.close()


def play_trl(environment: str, scenario: str, seed: int, calls: Sequence[Call]) -> float:
    """Call methods as TRL's tool loop does; it answers calls of tools that do not exist itself."""
    env = environment_class(environment)()
    env.reset(prompt=[], scenario=scenario, seed=seed)
    tools = {name: getattr(env, name) for name, _ in inspect.getmembers(type(env), inspect.isfunction)}
    for name, arguments in calls:
        with contextlib.suppress(ValueError):  # the episode has ended
            if name in tools:
                tools[name](**arguments)
    return env.get_reward()


def play_verifiers(environment: str, scenario: str, seed: int, calls: Sequence[Call]) -> float:
    """Let a model that knows what to call play with the harness, its answers handed over in memory."""
    adapter = needs("verifiers", "envscaler_gym.integrations.verifiers")
    import anyio
    import httpx
    from openai import AsyncOpenAI

    turns: list[dict[str, JSON]] = [{"content": None, "tool_calls": [_tool_call(*call)]} for call in calls]
    answers = iter([*turns, {"content": "Done."}])

    def answer(_: httpx.Request) -> httpx.Response:
        message = {"role": "assistant"} | next(answers)
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return httpx.Response(
            200,
            json={"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]},
        )

    class Harness(adapter.EpisodeHarness):  # type: ignore[misc, name-defined]  # of a module that may be missing
        def make_client(self, endpoint: str, secret: str) -> AsyncOpenAI:
            transport = httpx.MockTransport(answer)
            return AsyncOpenAI(base_url=endpoint, api_key=secret, http_client=httpx.AsyncClient(transport=transport))

    async def play() -> float:
        data = adapter.EpisodeData(prompt="", environment=environment, scenario=scenario, seed=seed, options={})
        trace = SimpleNamespace(state=adapter.EpisodeState())
        harness = Harness(adapter.EpisodeHarnessConfig())
        await harness.launch(SimpleNamespace(model="m"), trace, None, "http://model/v1", "secret", {}, data)
        return float(await adapter.EpisodeTask(data).checks_passed(trace))

    return float(anyio.run(play))


def _tool_call(name: str, arguments: Mapping[str, JSON]) -> dict[str, JSON]:
    return {"id": "call", "type": "function", "function": {"name": name, "arguments": json.dumps(dict(arguments))}}


DRIVERS: dict[str, Driver] = {
    "gem": play_gem,
    "inspect": play_inspect,
    "mcp": play_mcp,
    "openenv": play_openenv,
    "trl": play_trl,
    "verifiers": play_verifiers,
}
