"""Evaluate a model with verifiers: its runner, its traces, our scenarios.

pip install "envscaler-gym[verifiers]" ./examples/verifiers_package
python examples/evaluate_verifiers.py                                          a stand-in for a model, offline
python examples/evaluate_verifiers.py --base-url http://… --model … --key-variable …

The same from the command line, once the package is installed:

vf-eval envscaler-episodes --env.taskset.environments '["Library"]' --model … --no-push
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import mean
from typing import Any

from verifiers.v1.cli.eval.runner import run_eval
from verifiers.v1.configs.cli.eval import EvalConfig

from envscaler_gym import registry

sys.path.insert(0, str(Path(__file__).parent / "verifiers_package"))  # where it is not installed


class StandIn(BaseHTTPRequestHandler):
    """Answers as a model that knows the reference solutions."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a request for a chat completion."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = [message for message in body["messages"] if message["role"] != "system"]
        solution = SOLUTIONS[said[0]["content"]]
        done = sum(message["role"] == "assistant" for message in said)
        message: dict[str, Any] = {"role": "assistant", "content": "Done."}
        if done < len(solution):
            function = {"name": solution[done].name, "arguments": json.dumps(dict(solution[done].arguments))}
            message = {"role": "assistant", "tool_calls": [{"id": "call", "type": "function", "function": function}]}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        completion = {"id": "1", "object": "chat.completion", "created": 1, "model": "stand-in", "choices": [choice]}
        content = json.dumps(completion).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", default="envscaler/Library-v0")
    parser.add_argument("--split", choices=["train", "test"])
    parser.add_argument("--limit", type=int, help="most scenarios to play")
    parser.add_argument("--base-url", help="address of an OpenAI-compatible server; a stand-in unless given")
    parser.add_argument("--model", default="stand-in")
    parser.add_argument("--key-variable", default="OPENAI_API_KEY", help="environment variable that holds the key")
    parser.add_argument("--concurrency", type=int, default=4, help="episodes under way at once")
    parser.add_argument("--out", type=Path, help="folder of the traces")
    arguments = parser.parse_args()

    SOLUTIONS = {one.task: one.solution for one in registry.get_bundle(arguments.environment).scenarios.values()}
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ.setdefault(arguments.key_variable, "none")

    taskset = {"id": "envscaler-episodes", "environments": [arguments.environment], "split": arguments.split}
    address = arguments.base_url or f"http://127.0.0.1:{server.server_port}/v1"
    config = EvalConfig.model_validate(
        {
            "env": {"taskset": taskset},
            "client": {"base_url": address, "api_key_var": arguments.key_variable},
            "model": arguments.model,
            "select": {"limit": arguments.limit},
            "output_dir": str(arguments.out or tempfile.mkdtemp()),
            "max_concurrent": arguments.concurrency,
            "push": False,  # nothing leaves this machine
            "rich": None,
        }
    )
    traces = [trace for episode in asyncio.run(run_eval(config)) for trace in episode.traces]
    for trace in traces:
        print(f"{trace.task.data.name:50} reward {trace.reward:.2f}  {trace.num_turns} turns  {trace.stop_condition}")
    print(f"{len(traces)} episodes, mean reward {mean(trace.reward for trace in traces):.3f}")
    server.shutdown()
