"""Play through the MCP server with the official client: two sessions at once, each with an episode of its own.

pip install "envscaler-gym[mcp]"
python examples/serve_mcp.py

Any MCP client can play. Most take a command, here with its results in a file:

{"mcpServers": {"library": {"command": "envscaler", "args": ["serve", "--mcp", "Library", "--record", "played.jsonl"]}}}

or an address, after envscaler serve --mcp Library --transport streamable-http:

http://127.0.0.1:8000/mcp?session=mine&scenario=locked-book-drop
"""

import argparse
import sys
import tempfile
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters

from envscaler_gym import registry
from envscaler_gym.trajectories import read_trajectories


async def play(environment: str, scenario_id: str, record: Path) -> None:
    """Start a server for a scenario, and make the calls of its reference solution, as an agent would."""
    command = ["-m", "envscaler_gym", "serve", "--mcp", environment, "--scenario", scenario_id, "--record", str(record)]
    async with Client(StdioServerParameters(command=sys.executable, args=command)) as client:
        tools = (await client.list_tools()).tools
        told = await client.call_tool("episode-task", {})
        for call in registry.get_bundle(environment).scenario(scenario_id).solution:
            await client.call_tool(call.name, dict(call.arguments))
        result = await client.call_tool("episode-finish", {"message": "Done."})
        reward = result.structured_content["reward"]
        print(
            f"{scenario_id:25} {len(tools)} tools, {len(told.content[0].text)} characters of task, reward {reward:.2f}"
        )


async def main(environment: str, scenarios: list[str], record: Path) -> None:
    """Play scenarios, all at once."""
    async with anyio.create_task_group() as sessions:
        for scenario in scenarios:
            sessions.start_soon(play, environment, scenario, record)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", default="envscaler/Library-v0")
    parser.add_argument("--scenarios", nargs="+", default=["locked-book-drop", "renew-before-trip"])
    parser.add_argument("--record", type=Path, default=Path(tempfile.mkdtemp()) / "played.jsonl")
    arguments = parser.parse_args()
    anyio.run(main, arguments.environment, arguments.scenarios, arguments.record)
    played = list(read_trajectories(arguments.record))
    print(f"{len(played)} episodes in {arguments.record}; 'envscaler view' shows them")
