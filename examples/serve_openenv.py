"""Serve environments with OpenEnv, and play them from clients: sessions at once, each with an episode of its own.

pip install "envscaler-gym[openenv]"
python examples/serve_openenv.py

To serve alone, for clients elsewhere: envscaler serve --openenv Library --port 8000
"""

import argparse
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import mean

import uvicorn
from openenv.core import CallToolAction, MCPToolClient

from envscaler_gym import registry
from envscaler_gym.integrations.openenv import openenv_app


def play(address: str, seed: int) -> float:
    """Play the episode of a seed with its reference solution, as a trained agent would, and return the reward."""
    with MCPToolClient(base_url=address).sync() as client:
        told = client.reset(seed=seed).observation
        scenario = registry.get_bundle(told.environment).scenario(told.scenario)
        for call in scenario.solution:
            client.step(CallToolAction(tool_name=call.name, arguments=dict(call.arguments)))
        result = client.step(CallToolAction(tool_name="episode-finish", arguments={"message": "Done."}))
        print(f"seed {seed}: {told.environment} {told.scenario:30} reward {result.reward:.2f}")
        return float(result.reward)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", nargs="+", default=["Library", "RepairShop"], help="names or paths")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; any free one unless given")
    parser.add_argument("--episodes", type=int, default=8)
    parser.add_argument("--sessions", type=int, default=2, help="clients that play at once")
    arguments = parser.parse_args()

    app = openenv_app(arguments.environments, max_sessions=arguments.sessions)
    server = uvicorn.Server(uvicorn.Config(app, port=arguments.port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    with ThreadPoolExecutor(arguments.sessions) as pool:
        rewards = list(pool.map(play, [address] * arguments.episodes, range(arguments.episodes)))
    server.should_exit = True
    thread.join()
    print(f"{len(rewards)} episodes in {arguments.sessions} sessions at once, mean reward {mean(rewards):.3f}")
