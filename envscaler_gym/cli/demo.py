"""``envscaler demo``: one episode, played well, badly and not at all."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from envscaler_gym.cli.console import heading, indent, stdout, table, text
from envscaler_gym.cli.episode_view import print_score, print_step, print_task
from envscaler_gym.env import ToolEnv
from envscaler_gym.rollout import NoopPolicy, Policy, RandomPolicy, ReferencePolicy, run_episode
from envscaler_gym.state import diff

__all__ = ["demo", "play_made"]

_ENVIRONMENT = "envscaler/Library-v0"
_SCENARIO = "coffee-on-persepolis"
_SEED = 0
_SVG_WIDTH = 110
_MADE_SCENARIO = "fireballs-done-jet-lost"
_NEXT = """\
import gymnasium as gym, envscaler_gym

env = gym.make("envscaler/Library-v0")
observation, info = env.reset(seed=0)
observation, reward, terminated, truncated, info = env.step(
    {"name": "search_books", "arguments": {"title": "Dune"}}
)

Or play it yourself: envscaler play Library"""


def demo(
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Write a picture of what is printed, too.")
    ] = None,
) -> None:
    """Watch an episode: a reference solution step by step, then what random calls and doing nothing earn."""
    console = stdout() if svg is None else stdout(_SVG_WIDTH, record=True)
    with closing(ToolEnv(_ENVIRONMENT)) as env:
        _play_reference(console, env, _SCENARIO)
        _compare(console, env)
    console.print(heading("Next"))
    console.print(indent(text(_NEXT)))
    if svg is not None:
        svg.write_text(console.export_svg(title="envscaler demo"), encoding="utf-8")


def play_made(console: Console, bundle: Path) -> None:
    """Play an episode in the environment that ``envscaler synth --demo`` has made.

    Args:
        console: Where it is printed.
        bundle: Folder of the environment.
    """
    console.print(heading("An episode in it"))
    with closing(ToolEnv(str(bundle))) as env:
        _play_reference(console, env, _MADE_SCENARIO)


def _play_reference(console: Console, env: ToolEnv, scenario: str) -> None:
    observation, _ = env.reset(seed=_SEED, options={"scenario": scenario})
    print_task(console, env.bundle.id, env.episode.scenario, observation)
    policy = ReferencePolicy()
    policy.begin(env.episode, _SEED)
    ended = False
    while not ended:
        before = env.episode.world.state()
        action = policy.act(observation)
        observation, _, terminated, truncated, info = env.step(action)
        changes = diff(before, env.episode.world.state())
        print_step(console, action, observation, info["outcome"], changes)
        ended = terminated or truncated
    print_score(console, info["score"])


def _compare(console: Console, env: ToolEnv) -> None:
    players: dict[str, Policy] = {
        "reference solution": ReferencePolicy(),
        "random calls": RandomPolicy(_SEED),
        "doing nothing": NoopPolicy(),
    }
    console.print(heading("The same scenario, played by others"))
    rewards = table("player", "reward", "checks passed", "steps", numbers=("reward", "checks passed", "steps"))
    for player, policy in players.items():
        result = run_episode(env, policy, seed=_SEED, options={"scenario": _SCENARIO})
        passed = f"{result.score['passed']} of {result.score['total']}" if result.score else "-"
        rewards.add_row(player, f"{result.reward:.3f}", passed, str(result.steps))
    console.print(indent(rewards))
