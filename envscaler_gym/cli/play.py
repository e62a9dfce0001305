"""``envscaler play``: a person in the agent's place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing

from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.text import Text

from envscaler_gym.cli.arguments import Back, ask_arguments
from envscaler_gym.cli.console import grid, heading, indent, one_line, stdout, text
from envscaler_gym.cli.episode_view import first_sentence, print_changes, print_outcome, print_score, print_task
from envscaler_gym.cli.options import Name, ScenarioId, Seed, Trust
from envscaler_gym.env import ToolEnv
from envscaler_gym.errors import did_you_mean
from envscaler_gym.state import diff
from envscaler_gym.tools import Tool
from envscaler_gym.types import Action, Message, ToolCall

__all__ = ["play"]

_HELP = """\
a number, a name or its beginning   call that tool; its arguments are asked for
done [MESSAGE]                      end the episode and see the score
task                                read the task again
help                                the tools, and this
quit                                leave without a score

Arguments are JSON or plain text. Enter nothing to leave an optional one out,
and :back to choose another tool."""


def play(name: Name, scenario: ScenarioId = None, seed: Seed = 0, trust: Trust = False) -> None:
    """Play an episode yourself: read the task, call tools, and see the score."""
    console = stdout()
    with closing(ToolEnv(name, trust=trust)) as env:
        observation, _ = env.reset(seed=seed, options={} if scenario is None else {"scenario": scenario})
        print_task(console, env.bundle.id, env.episode.scenario, observation)
        _print_help(console, env)
        try:
            _play_episode(console, env)
        except EOFError:  # the input has ended, or Ctrl-D
            console.print("\nYou left before the end, so nothing was graded.")


def _play_episode(console: Console, env: ToolEnv) -> None:
    """Ask for actions and take them until the episode ends.

    Raises:
        EOFError: The person leaves before the end.
    """
    for action in _ask_actions(console, env):
        before = env.episode.world.state()
        observation, _, terminated, truncated, info = env.step(action)
        _print_observation(console, observation, info["outcome"])
        print_changes(console, diff(before, env.episode.world.state()))
        if truncated:
            console.print(text("\nThat was the last step that the scenario allows.", "yellow"))
        if terminated or truncated:
            print_score(console, info["score"])
            return


def _ask_actions(console: Console, env: ToolEnv) -> Iterator[Action]:
    tools = env.bundle.tools
    while True:
        word, _, rest = console.input("\n> ").strip().partition(" ")
        match word:
            case "":
                continue
            case "quit":
                raise EOFError
            case "help":
                _print_help(console, env)
            case "task":
                print_task(console, env.bundle.id, env.episode.scenario, env.episode.scenario.task)
            case "done":
                yield Message(rest.strip() or "Done.").to_action()
            case _:
                tool = _choose(console, tools, f"{word} {rest}".strip())
                if tool is not None:
                    try:
                        arguments = ask_arguments(console, tool)
                    except Back:
                        continue
                    yield ToolCall(tool.name, arguments).to_action()


def _choose(console: Console, tools: Mapping[str, Tool], entry: str) -> Tool | None:
    """Return the tool that a number, a name or the beginning of a name stands for; say so where there is none."""
    names = list(tools)
    if entry in tools:
        return tools[entry]
    if entry.isdecimal():
        if 1 <= int(entry) <= len(names):
            return tools[names[int(entry) - 1]]
        console.print(f"The tools have the numbers 1 to {len(names)}.")
        return None
    fitting = [name for name in names if name.startswith(entry)]
    if len(fitting) == 1:
        return tools[fitting[0]]
    if fitting:
        console.print(text(f"{entry!r} could be {', '.join(fitting)}."))
    else:
        console.print(
            text(f"There is no tool {entry!r}.{did_you_mean(entry, names)} Type 'help' to see what there is.")
        )
    return None


def _print_help(console: Console, env: ToolEnv) -> None:
    console.print(heading("Tools (* changes the state)"))
    listing = grid(3)
    for number, tool in enumerate(env.bundle.tools.values(), 1):
        mark = "*" if tool.kind == "state_change" else " "
        sentence = one_line(text(first_sentence(tool.spec.description), "dim"))
        listing.add_row(f"{number:3}", Text.assemble((f"{mark} ", "yellow"), text(tool.name, "bold")), sentence)
    console.print(listing)
    console.print(heading("What you can enter"))
    console.print(indent(text(_HELP)))


def _print_observation(console: Console, observation: str, outcome: str) -> None:
    if outcome == "message":
        console.print(text(observation))
        return
    print_outcome(console, outcome)
    result = text(json.dumps(json.loads(observation), indent=2, ensure_ascii=False))
    console.print(indent(JSONHighlighter()(result), 4))
