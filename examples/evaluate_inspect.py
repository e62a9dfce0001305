"""Inspect AI evaluates models on scenarios: here three mock models, offline; with `--model`, a real one.

    pip install "envscaler-gym[inspect]"
    python examples/evaluate_inspect.py
    python examples/evaluate_inspect.py --model openai/gpt-4o --base-url http://localhost:8000/v1

The same from the command line, for any model that Inspect knows:

    inspect eval envscaler_gym/scenarios -T environments=Library -T split=test --model openai/gpt-4o
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from typing import Any

from inspect_ai import eval as inspect_eval
from inspect_ai.model import Model, ModelOutput, ModelUsage, get_model

from envscaler_gym.integrations.inspect_ai import scenarios
from envscaler_gym.registry import get_bundle


def mock(environment: str, share: float) -> Model:
    """Return a model that plays this share of a scenario's reference solution, and then says that it is done."""
    by_task = {scenario.task: scenario.solution for scenario in get_bundle(environment).scenarios.values()}

    def answer(messages: list[Any], *_: Any) -> ModelOutput:
        task = next(message.text for message in messages if message.role == "user")
        solution = by_task[task][: round(share * len(by_task[task]))]
        turn = sum(message.role == "assistant" for message in messages)
        if turn < len(solution):
            output = ModelOutput.for_tool_call("mockllm/model", solution[turn].name, dict(solution[turn].arguments))
        else:
            output = ModelOutput.from_content("mockllm/model", "Done.")
        output.usage = ModelUsage(input_tokens=0, output_tokens=0, total_tokens=0)  # it would be counted online
        return output

    return get_model("mockllm/model", custom_outputs=answer, memoize=False)


def evaluate(arguments: argparse.Namespace, model: Model, logs: str) -> dict[str, float]:
    """Evaluate a model and return its metrics."""
    task = scenarios(
        arguments.environment,
        split=arguments.split,
        difficulty=arguments.difficulty,
        episodes=arguments.episodes,
        seed=arguments.seed,
    )
    (log,) = inspect_eval(task, model=model, display="none", log_dir=logs)
    if log.status != "success":
        raise SystemExit(f"the evaluation failed: {log.error}")
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}


def main(arguments: argparse.Namespace) -> None:
    """Evaluate, and print the metrics."""
    models: dict[str, Callable[[], Model]] = {
        "the reference solutions": lambda: mock(arguments.environment, 1.0),
        "half of them": lambda: mock(arguments.environment, 0.5),
        "doing nothing": lambda: mock(arguments.environment, 0.0),
    }
    if arguments.model:
        models = {arguments.model: lambda: get_model(arguments.model, base_url=arguments.base_url)}
    with tempfile.TemporaryDirectory() as scratch:
        for name, make in models.items():
            metrics = evaluate(arguments, make(), arguments.logs or scratch)
            print(f"mean reward of {name}: {metrics.pop('mean'):.3f} ± {metrics.pop('stderr'):.3f}")
            print("    " + ", ".join(f"{group} {value:.3f}" for group, value in metrics.items()))
    if arguments.logs:
        print(f"inspect view --log-dir {arguments.logs}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", default="envscaler/Library-v0", help="name, or path of a bundle's folder")
    parser.add_argument("--split", choices=["train", "test"])
    parser.add_argument("--difficulty", choices=["easy", "medium", "hard", "expert"])
    parser.add_argument("--episodes", type=int, help="how many; default: each scenario once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="a model that Inspect knows, instead of the mock ones")
    parser.add_argument("--base-url", help="address of a server that speaks the OpenAI protocol")
    parser.add_argument("--logs", help="folder for Inspect's logs; default: they are thrown away")
    main(parser.parse_args())
