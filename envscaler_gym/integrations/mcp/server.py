"""The protocol: requests in, results of episodes out."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

try:
    import anyio
    import mcp_types as types
    import uvicorn
    from mcp.server import Server, ServerRequestContext
    from mcp.server.stdio import stdio_server
    from mcp.server.streamable_http_manager import DEFAULT_SESSION_IDLE_TIMEOUT
    from mcp.shared.exceptions import MCPError
    from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
except ImportError as error:
    raise ModuleNotFoundError('An MCP server needs mcp 2.3 or later: pip install "envscaler-gym[mcp]"') from error

from envscaler_gym import __version__
from envscaler_gym.errors import EnvScalerError, shorten
from envscaler_gym.integrations.mcp.episodes import Episodes, HeldSession, SessionsTaken
from envscaler_gym.integrations.playing import Wrap, unwrapped
from envscaler_gym.integrations.sessions import ToolSession
from envscaler_gym.types import JSON, ToolSpec
from envscaler_gym.wrappers import RecordTrajectory

__all__ = ["TASK", "EpisodeServer"]

TASK = "episode-task"
"""Tool that tells the task; for clients that show a model neither instructions nor prompts."""

_SESSION_HEADER = "mcp-session-id"
_GREETINGS = ("initialize", "server/discover")
_INSTRUCTIONS = f"Call {TASK} first: it tells you the task. Then use the other tools."
_NO_SESSION = (
    "This revision of the protocol has no sessions, and an episode is one. Use a revision with the initialize "
    "handshake, or name a session in the address: ?session=NAME"
)
_TASK_SPEC = ToolSpec(
    TASK,
    "Read the task: what the system is, its rules, and what is to be done. Call this first; it is no step.",
    {"type": "object", "properties": {}, "additionalProperties": False},
    "query",
)


class EpisodeServer:
    """An MCP server whose sessions are episodes.

    Session ``i`` plays what ``reset(seed=seed + i)`` draws, unless its client chooses. An episode whose client goes
    away is ended and graded as it stands.

    Args:
        environments: A name or the path of a bundle's folder, or a list of these.
        scenario: Id of the scenario that all sessions play; their clients can choose nothing but the seed then.
        seed: Seed of the first session's episode.
        record: JSONL file to which each episode is added when it ends.
        max_sessions: Most episodes under way at once.
        idle_seconds: Seconds without a request after which a session is closed; half an hour unless given.
        wrap: Puts wrappers around the environment.
        **options: Arguments of :class:`~envscaler_gym.env.ToolEnv`.

    Attributes:
        server: The server of the ``mcp`` library, for any transport.

    Raises:
        EnvScalerError: There is no such environment or scenario, or it cannot be played.
        ValueError: A limit is not positive, or an option has a value that is not allowed.
    """

    def __init__(
        self,
        environments: str | Sequence[str],
        *,
        scenario: str | None = None,
        seed: int = 0,
        record: Path | None = None,
        max_sessions: int = 100,
        idle_seconds: float = DEFAULT_SESSION_IDLE_TIMEOUT,
        wrap: Wrap = unwrapped,
        **options: Any,
    ) -> None:
        if max_sessions < 1 or idle_seconds <= 0:
            raise ValueError(f"Limits must be positive, got {max_sessions=} and {idle_seconds=}")
        _try_out(ToolSession(environments, **options), scenario)
        keep = unwrapped if record is None else partial(RecordTrajectory, path=str(record), policy="mcp")
        make = partial(ToolSession, environments, wrap=lambda env: wrap(keep(env)), **options)
        self._episodes = Episodes(make, scenario, seed, max_sessions, idle_seconds)
        self._http_limits = {"max_sessions": max_sessions, "session_idle_timeout": idle_seconds}
        self._numbers = itertools.count()
        self.server: Server[int] = Server(
            "envscaler-gym",
            version=__version__,
            instructions=_INSTRUCTIONS,
            lifespan=self._lifespan,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
        )
        self.server.middleware.append(self._middleware)

    async def serve_stdio(self) -> None:
        """Serve one session on standard input and output until the client goes away."""
        async with stdio_server() as (incoming, outgoing):
            await self.server.run(incoming, outgoing, self.server.create_initialization_options())

    def serve_http(self, host: str = "127.0.0.1", port: int = 8000) -> None:
        """Serve any number of sessions at ``http://host:port/mcp`` until the process is interrupted."""
        # Clients hold a connection open to listen on; without the timeout, a server would wait for them to go.
        uvicorn.run(self.http_app(host), host=host, port=port, log_level="warning", timeout_graceful_shutdown=3)

    def http_app(self, host: str = "127.0.0.1") -> Any:
        """Return the ASGI application behind :meth:`serve_http`.

        Args:
            host: Address that it will listen on. Where that is this machine's own, web pages elsewhere are refused.
        """
        app = self.server.streamable_http_app(host=host, **self._http_limits)

        async def serve(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)
            if scope["type"] == "http" and scope["method"] == "DELETE":  # the client says goodbye
                gone = {value.decode("latin-1") for name, value in scope["headers"] if name == _SESSION_HEADER.encode()}
                await self._episodes.drop(lambda key, _: key[1] in gone)

        return serve

    @asynccontextmanager
    async def _lifespan(self, _: Server[int]) -> AsyncIterator[int]:
        """Number a connection (over HTTP, all connections together), and close its sessions at its end."""
        number = next(self._numbers)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._episodes.watch)
            try:
                yield number
            finally:
                tasks.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    await self._episodes.drop(lambda key, _: key[0] == number)

    async def _session(self, ctx: ServerRequestContext[int]) -> HeldSession:
        """Return the session that a request belongs to.

        Raises:
            MCPError: It belongs to none, or the session cannot be opened.
        """
        name = _session_name(ctx)
        if name is None:
            versions = {"supported": list(HANDSHAKE_PROTOCOL_VERSIONS), "requested": ctx.protocol_version}
            raise MCPError(types.UNSUPPORTED_PROTOCOL_VERSION, _NO_SESSION, versions)
        query = {} if ctx.request is None else dict(ctx.request.query_params)
        query.pop("session", None)
        try:
            return await self._episodes.get((ctx.lifespan_context, name), query)
        except SessionsTaken as error:
            raise MCPError(types.INTERNAL_ERROR, str(error)) from None
        except (EnvScalerError, ValueError) as error:
            raise MCPError(types.INVALID_PARAMS, f"No episode can be started: {error}") from None

    async def _middleware(
        self, ctx: ServerRequestContext[int], call_next: Callable[[Any], Awaitable[Any]]
    ) -> dict[str, JSON] | None:
        """Refuse requests without a session, and greet with the task where the session is known by then."""
        greets = ctx.method in _GREETINGS
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS or (greets and _session_name(ctx) is not None):
            held = await self._session(ctx)
            if greets:
                return {**await call_next(ctx), "instructions": held.session.briefing}
        result: dict[str, JSON] | None = await call_next(ctx)
        return result

    async def _list_tools(self, ctx: ServerRequestContext[int], _: Any) -> types.ListToolsResult:
        held = await self._session(ctx)
        return types.ListToolsResult(tools=[_tool(spec) for spec in (*held.session.tools, _TASK_SPEC)])

    async def _call_tool(
        self, ctx: ServerRequestContext[int], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        held = await self._session(ctx)
        if params.name == TASK:
            return types.CallToolResult(content=[_text(held.session.briefing)])
        reply, ends = await held.call(params.name, params.arguments or {})
        if not ends:
            return types.CallToolResult(content=[_text(reply.text)], is_error=reply.error)
        end = "No reward: the environment failed." if reply.reward is None else f"Reward: {reply.reward:g}"
        return types.CallToolResult(
            content=[_text(reply.text), _text(f"This was the end of the episode. {end}")],
            structured_content={"ended": True, "reward": reply.reward},
            is_error=reply.error,
        )

    async def _list_prompts(self, ctx: ServerRequestContext[int], _: Any) -> types.ListPromptsResult:
        await self._session(ctx)
        return types.ListPromptsResult(prompts=[types.Prompt(name="task", description="The task of this session.")])

    async def _get_prompt(
        self, ctx: ServerRequestContext[int], params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        if params.name != "task":
            raise MCPError(types.INVALID_PARAMS, f"There is no prompt {shorten(params.name)}; there is 'task'.")
        held = await self._session(ctx)
        return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=_text(held.session.briefing))])


def _try_out(session: ToolSession, scenario: str | None) -> None:
    """Find out before any client comes whether the scenario can be played."""
    try:
        if scenario is not None:
            session.start(options={"scenario": scenario})
    finally:
        session.close()


def _session_name(ctx: ServerRequestContext[int]) -> str | None:
    """Return what a request's session is called; ``None`` where it has none, or is only about to get one."""
    if ctx.request is None:
        return ""  # a stream is one session
    name: str | None = ctx.request.query_params.get("session")
    return f"?{name}" if name is not None else ctx.request.headers.get(_SESSION_HEADER)


def _tool(spec: ToolSpec) -> types.Tool:
    return types.Tool(
        name=spec.name,
        description=spec.description,
        input_schema=dict(spec.parameters),
        annotations=types.ToolAnnotations(read_only_hint=spec.kind == "query"),
    )


def _text(text: str) -> types.TextContent:
    return types.TextContent(text=text)
