"""Environments as an OpenEnv server, for trainers that play over the network.

Actions are ``ListToolsAction`` and ``CallToolAction``, as for any environment of OpenEnv with tools. To say something
is a tool, too: see :mod:`envscaler_gym.integrations.sessions`. Scenarios are OpenEnv's tasks: ``GET /{name}/splits``
and the routes beside it list them, and ``reset(split="train", index=3)`` plays one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from envscaler_gym.draw import eligible
from envscaler_gym.errors import ScenarioError, shorten
from envscaler_gym.integrations.playing import Wrap, unwrapped
from envscaler_gym.integrations.sessions import Reply, ToolSession
from envscaler_gym.registry import SUITE_ID, get_bundle
from envscaler_gym.scenario import SPLITS
from envscaler_gym.types import JSON

try:
    import uvicorn
    from openenv.core import env_server
    from openenv.core.env_server.types import ConcurrencyConfig
except ImportError as error:
    raise ModuleNotFoundError('An OpenEnv server needs openenv: pip install "envscaler-gym[openenv]"') from error

__all__ = ["EpisodeState", "OpenEnvEnvironment", "TaskObservation", "openenv_app", "serve_openenv"]

_ERRORS = {
    "unknown_tool": env_server.ToolErrorType.TOOL_NOT_FOUND,
    "invalid_arguments": env_server.ToolErrorType.INVALID_ARGS,
    "malformed_action": env_server.ToolErrorType.EXECUTION_ERROR,
    "failure": env_server.ToolErrorType.EXECUTION_ERROR,
}


class TaskObservation(env_server.Observation):
    """What ``reset`` returns.

    Attributes:
        task: The task, or in conversation mode the user's first turn.
        briefing: All that an agent needs to begin: introduction, rules and task.
        environment: Id of the environment.
        scenario: Id of the scenario.
        max_steps: Number of calls after which the episode ends.
    """

    task: str
    briefing: str
    environment: str
    scenario: str
    max_steps: int


class EpisodeState(env_server.State):
    """What ``state`` returns besides ``episode_id`` and ``step_count``: nothing that an agent should not know.

    Attributes:
        environment: Id of the environment; empty before the first ``reset``.
        scenario: Id of the scenario.
    """

    environment: str = ""
    scenario: str = ""


class OpenEnvEnvironment(env_server.Environment):
    """The environment of one session.

    A reward is what the call earned: 0 until the episode ends, then the score. Where the environment itself failed, it
    is ``None``, and the episode is to be dropped.

    Args:
        environments: A name or the path of a bundle's folder, or a list of these.
        wrap: Puts wrappers around the environment.
        **options: Arguments of :class:`~envscaler_gym.env.ToolEnv`.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(
        self,
        environments: str | Sequence[str],
        wrap: Wrap = unwrapped,
        **options: Any,
    ) -> None:
        super().__init__()
        self._names = [environments] if isinstance(environments, str) else list(environments)
        self._filters = options.get("split"), options.get("difficulty")
        self._graded = options.get("reward") != "none"
        self._session = ToolSession(environments, wrap=wrap, **options)
        self._state = EpisodeState()

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        *,
        split: str | None = None,
        index: int | None = None,
        **options: str,
    ) -> TaskObservation:
        """Start an episode.

        Args:
            seed: As for Gymnasium's ``reset()``: the same seed gives the same episode.
            episode_id: Name of the episode.
            split: Together with ``index``: the task to play.
            index: Its number within the split.
            **options: As for Gymnasium's ``reset()``: ``scenario``, ``difficulty`` and, in a suite, ``environment``.
        """
        if (split is None) != (index is None):
            raise ValueError(f"split and index choose a task together, got {split=} and {index=}")
        if split is not None and index is not None:
            task = self.get_task(split, index)
            options |= {name: task[name] for name in ("environment", "scenario")}
        if len(self._names) == 1:
            options.pop("environment", None)
        info = self._session.start(seed=seed, options=options)
        self._state = EpisodeState(
            episode_id=episode_id, environment=info["environment"], scenario=info["scenario"], step_count=0
        )
        return TaskObservation(
            task=self._session.observation,
            briefing=self._session.briefing,
            environment=info["environment"],
            scenario=info["scenario"],
            max_steps=info["max_steps"],
        )

    def step(self, action: Any, timeout_s: float | None = None, **_: Any) -> Any:  # noqa: ARG002 - OpenEnv's signature
        """List the tools, or call one."""
        if isinstance(action, env_server.ListToolsAction):
            return self._list_tools()
        if not isinstance(action, env_server.CallToolAction):
            raise TypeError(f"An action lists the tools or calls one, got {shorten(action)}")
        running = self._session.running
        reply = self._session.call(action.tool_name, action.arguments)
        if running:
            self._state.step_count += 1
        return env_server.CallToolObservation(
            tool_name=action.tool_name,
            result=reply.text,
            error=_error(reply),
            done=reply.ended,
            reward=reply.reward,
            metadata={"outcome": reply.outcome},
        )

    def _list_tools(self) -> Any:
        if len(self._names) > 1 and not self._state.environment:
            raise RuntimeError("The tools are those of the episode's environment: call reset() first.")
        tools = [
            env_server.Tool(name=spec.name, description=spec.description, input_schema=dict(spec.parameters))
            for spec in self._session.tools
        ]
        return env_server.ListToolsObservation(tools=tools)

    @property
    def state(self) -> EpisodeState:
        """What is known of the episode."""
        return self._state

    def list_splits(self) -> list[str]:
        """List the splits that hold scenarios."""
        return [split for split in SPLITS if self.list_tasks(split)]

    def list_tasks(self, split: str) -> list[dict[str, JSON]]:
        """List a split's scenarios by id; their texts are what ``reset`` returns."""
        scenarios = [
            (bundle.id, scenario) for bundle in map(get_bundle, self._names) for scenario in self._of(bundle, split)
        ]
        return [
            {
                "id": f"{environment}:{scenario.id}",
                "index": index,
                "environment": environment,
                "scenario": scenario.id,
                "difficulty": scenario.difficulty,
            }
            for index, (environment, scenario) in enumerate(scenarios)
        ]

    def _of(self, bundle: Any, split: str) -> Sequence[Any]:
        only, difficulty = self._filters
        try:
            return eligible(bundle, split, difficulty, graded=self._graded) if only in (None, split) else ()
        except ScenarioError:  # none fits
            return ()

    def num_tasks(self, split: str) -> int:
        """Return the number of a split's scenarios."""
        return len(self.list_tasks(split))

    def get_task(self, split: str, index: int) -> dict[str, JSON]:
        """Return one scenario's entry of :meth:`list_tasks`.

        Raises:
            IndexError: The split holds fewer.
        """
        tasks = self.list_tasks(split)
        if not 0 <= index < len(tasks):
            raise IndexError(f"split {split!r} has {len(tasks)} tasks, so there is no number {index}")
        return tasks[index]

    def get_task_range(self, split: str, start: int | None = None, stop: int | None = None) -> list[dict[str, JSON]]:
        """Return a slice of :meth:`list_tasks`."""
        return self.list_tasks(split)[start:stop]

    def get_metadata(self) -> Any:
        """Describe the environment."""
        manifests = [get_bundle(name).manifest for name in self._names]
        summary = manifests[0].summary if len(manifests) == 1 else f"{len(manifests)} environments with tools"
        return env_server.EnvironmentMetadata(name=_served_as(self._names), description=summary)

    def close(self) -> None:
        """Close the environment."""
        self._session.close()


def openenv_app(
    environments: str | Sequence[str], *, max_sessions: int = 100, idle_seconds: float | None = 1800.0, **options: Any
) -> Any:
    """Return the FastAPI application that serves environments, each session with an episode of its own.

    Args:
        environments: A name or the path of a bundle's folder, or a list of these.
        max_sessions: Most sessions at once.
        idle_seconds: Seconds without a message after which a session is closed; ``None``: never.
        **options: Arguments of :class:`OpenEnvEnvironment`.

    Raises:
        EnvScalerError: There is no such environment, or it cannot be played.
    """
    names = [environments] if isinstance(environments, str) else list(environments)
    return env_server.create_app(
        partial(OpenEnvEnvironment, environments, **options),
        env_server.CallToolAction,
        env_server.CallToolObservation,
        env_name=_served_as(names),
        concurrency_config=ConcurrencyConfig(max_concurrent_envs=max_sessions, session_timeout=idle_seconds),
        state_cls=EpisodeState,
        reset_observation_cls=TaskObservation,
    )


def serve_openenv(environments: str | Sequence[str], host: str = "127.0.0.1", port: int = 8000, **options: Any) -> None:
    """Serve environments until the process is interrupted.

    Args:
        environments: A name or the path of a bundle's folder, or a list of these.
        host: Address to listen on.
        port: Port to listen on.
        **options: Arguments of :func:`openenv_app`.
    """
    app = openenv_app(environments, **options)
    uvicorn.run(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=3)


def _served_as(names: Sequence[str]) -> str:
    """Return the name in the routes: the id of the environment, or of the suite, without its namespace."""
    id_ = get_bundle(names[0]).id if len(names) == 1 else SUITE_ID
    return id_.rpartition("/")[2]


def _error(reply: Reply) -> Any:
    """Return what went wrong before a tool was reached; what a tool itself refuses is its result."""
    kind = _ERRORS.get(reply.outcome)
    return None if kind is None else env_server.ToolError(error_type=kind, message=reply.text)
