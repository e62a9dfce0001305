"""``envscaler serve``: environments for agents that are somewhere else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from envscaler_gym.cli.console import stderr, text
from envscaler_gym.cli.options import Names, ScenarioId, Seed, Trust, expand
from envscaler_gym.errors import EnvScalerError
from envscaler_gym.scenario import Difficulty, Split

__all__ = ["serve"]

_LOCAL = ("127.0.0.1", "::1", "localhost")


def serve(
    names: Names,
    mcp: Annotated[bool, typer.Option("--mcp", help="As an MCP server: tools for any MCP client.")] = False,
    openenv: Annotated[bool, typer.Option("--openenv", help="As an OpenEnv server, for trainers.")] = False,
    transport: Annotated[
        Literal["stdio", "streamable-http"],
        typer.Option(help="Of MCP: one session on standard input and output, or any number over HTTP."),
    ] = "stdio",
    host: Annotated[str, typer.Option(help="Address to listen on; nobody is asked for a password.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    scenario: ScenarioId = None,
    split: Annotated[Split | None, typer.Option(help="Only scenarios of this split.")] = None,
    difficulty: Annotated[Difficulty | None, typer.Option(help="Only scenarios of this difficulty.")] = None,
    mode: Annotated[Literal["task", "conversation"], typer.Option(help="Whether a user says the task bit by bit.")] = (
        "task"
    ),
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Add the episodes to this file, for 'view' and 'sft'.")
    ] = None,
    max_sessions: Annotated[int, typer.Option(min=1, help="Most episodes under way at once.")] = 100,
    idle_seconds: Annotated[float, typer.Option(min=1, help="Idle time after which a session is closed.")] = 1800,
    seed: Seed = 0,
    trust: Trust = False,
) -> None:
    """Serve environments over MCP or OpenEnv. Each session of a client is an episode of its own."""
    if mcp == openenv:
        raise typer.BadParameter("say which protocol: --mcp or --openenv", param_hint="--mcp")
    if openenv and (scenario is not None or record is not None or seed):
        raise typer.BadParameter(
            "with --openenv, the client chooses scenario and seed in reset(), and records", param_hint="--openenv"
        )
    environments = expand(names)
    if scenario is not None and len(environments) > 1:
        raise typer.BadParameter("a scenario is one environment's: give one NAME", param_hint="--scenario")
    options = {"split": split, "difficulty": difficulty, "mode": mode, "trust": trust}
    http = openenv or transport == "streamable-http"
    if http and host not in _LOCAL:
        stderr().print(text(f"Whoever can reach {host}:{port} can play; nobody is asked for a password.", "yellow"))
    limits = {"max_sessions": max_sessions, "idle_seconds": idle_seconds}
    try:
        if openenv:
            _serve_openenv(environments, host, port, **limits, **options)
        else:
            address = (host, port) if http else None
            _serve_mcp(environments, address, scenario=scenario, seed=seed, record=record, **limits, **options)
    except ModuleNotFoundError as error:
        raise EnvScalerError(str(error)) from error


def _serve_openenv(environments: list[str], host: str, port: int, **options: Any) -> None:
    from envscaler_gym.integrations.openenv import serve_openenv  # noqa: PLC0415 - an extra

    _announce(f"OpenEnv server at http://{host}:{port}")
    serve_openenv(environments, host, port, **options)


def _serve_mcp(environments: list[str], address: tuple[str, int] | None, **options: Any) -> None:
    """Serve at an address, or on standard input and output where there is none."""
    from envscaler_gym.integrations.mcp import EpisodeServer  # noqa: PLC0415 - an extra

    server = EpisodeServer(environments, **options)
    if address is None:
        asyncio.run(server.serve_stdio())
    else:
        host, port = address
        _announce(f"MCP server at http://{host}:{port}/mcp")
        server.serve_http(host, port)


def _announce(what: str) -> None:
    stderr().print(text(what, "bold"), soft_wrap=True)
