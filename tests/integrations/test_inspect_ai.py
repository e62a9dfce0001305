"""Scenarios as an evaluation, run by Inspect itself with a mock model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from envscaler_gym import registry
from envscaler_gym.errors import ScenarioError
from envscaler_gym.wrappers import Faults
from tests import toys

adapter: Any = pytest.importorskip(
    "envscaler_gym.integrations.inspect_ai", reason='pip install "envscaler-gym[inspect]"', exc_type=ImportError
)
from inspect_ai import Task  # noqa: E402 - what comes with the extra
from inspect_ai import eval as inspect_eval  # noqa: E402
from inspect_ai.model import ModelOutput, ModelUsage, get_model  # noqa: E402
from inspect_ai.solver import generate  # noqa: E402
from inspect_ai.tool import ToolCall, ToolInfo  # noqa: E402

EXAMPLE = Path(__file__).parents[2] / "examples" / "evaluate_inspect.py"
Brain = Callable[[list[Any], list[ToolInfo]], ModelOutput]
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")]


def calls(*wanted: tuple[str, Any]) -> ModelOutput:
    output = ModelOutput.for_tool_call("mockllm/model", "none", {})
    output.message.tool_calls = [ToolCall(f"call_{i}", name, arguments) for i, (name, arguments) in enumerate(wanted)]
    return output


def says(text: str) -> ModelOutput:
    return ModelOutput.from_content("mockllm/model", text)


def in_order(*outputs: ModelOutput) -> Brain:
    """Say one thing after the other in each conversation, and the last one for ever."""
    return lambda messages, _: outputs[min(sum(m.role == "assistant" for m in messages), len(outputs) - 1)]


def solves(messages: list[Any], tools: list[ToolInfo]) -> ModelOutput:
    """Play the reference solution of the task that was asked."""
    task = next(message.text for message in messages if message.role == "user")
    everything = (s for id_ in registry.ids() for s in registry.get_bundle(id_).scenarios.values())
    scenario = next(s for s in everything if s.task == task)
    outputs = [calls((call.name, dict(call.arguments))) for call in scenario.solution]
    return in_order(*outputs, says("Done."))(messages, tools)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Return a function that evaluates a task with a function for a model, and returns the log."""
    monkeypatch.chdir(tmp_path)

    def evaluate(task: Task, brain: Brain, **options: Any) -> Any:
        def answer(messages: list[Any], tools: list[ToolInfo], *_: Any) -> ModelOutput:
            output = brain(messages, tools).model_copy(deep=True)
            output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
            return output

        model = get_model("mockllm/model", custom_outputs=answer, memoize=False)
        (log,) = inspect_eval(task, model=model, display="none", log_dir=str(tmp_path / "logs"), **options)
        return log

    yield evaluate
    assert adapter._plays == {}


def tea(scenario: str, **options: Any) -> Task:
    """Return the task with one scenario of the tea shop alone."""
    task = adapter.scenarios(toys.TEA_SHOP_ID, **options)
    task.dataset = task.dataset.filter(lambda sample: sample.metadata["scenario"] == scenario)
    return task


def reward(log: Any) -> Any:
    assert log.status == "success", log.error
    (sample,) = log.samples
    return sample.scores["checks"].value


ORDER = ("order_tea", {"tea_id": "T-1", "grams": 100})
RESTOCK = ("restock", {"tea_id": "T-2", "bag": 100})


def test_reference_calls_reach_1_in_every_environment(run: Callable[..., Any]) -> None:
    log = run(adapter.scenarios(registry.shipped_ids(), split="test", episodes=2), solves)
    assert log.status == "success", log.error
    assert [sample.scores["checks"].value for sample in log.samples] == [1.0] * 2 * len(registry.shipped_ids())
    (scores,) = log.results.scores
    assert scores.metrics["mean"].value == 1.0
    assert {*registry.shipped_ids(), "mean", "stderr"} <= set(scores.metrics)
    assert "yes " in log.samples[0].scores["checks"].explanation


def test_half_a_solution_earns_a_part(run: Callable[..., Any]) -> None:
    log = run(tea("both"), in_order(calls(ORDER), says("Done.")))
    assert reward(log) == 0.6667
    (sample,) = log.samples
    assert sample.scores["checks"].metadata["score"]["passed"] == 2
    assert sample.scores["checks"].explanation.count("yes ") == 2


def test_calls_of_one_message_run_in_order(run: Callable[..., Any]) -> None:
    log = run(tea("both"), in_order(calls(ORDER, RESTOCK), says("Done.")))
    assert reward(log) == 1.0
    assert [message.role for message in log.samples[0].messages] == [
        *("system", "user", "assistant", "tool", "tool", "assistant")
    ]


def test_another_solver_may_stand_in(run: Callable[..., Any]) -> None:
    assert reward(run(tea("both"), in_order(calls(ORDER, RESTOCK), says("Done.")), solver=generate())) == 1.0


def test_calls_that_inspect_refuses_count_as_steps(run: Callable[..., Any]) -> None:
    wrong = calls(("no_such_tool", {}), ("order_tea", {"tea_id": 1}), ("order_tea", {"tea_id": "T-1", "grams": "x"}))
    log = run(tea("order-sencha", max_steps=5), in_order(wrong, wrong))
    assert reward(log) == 0.0
    errors = [m.error.type for m in log.samples[0].messages if m.role == "tool" and m.error is not None]
    assert errors == ["parsing"] * 6
    assert log.samples[0].scores["checks"].metadata["last_outcome"] == "malformed_action"


def test_the_limit_ends_an_endless_loop_with_a_grade(run: Callable[..., Any]) -> None:
    log = run(tea("both", max_steps=3), in_order(calls(ORDER), calls(("list_teas", {}))))
    assert reward(log) == 0.6667
    assert sum(message.role == "tool" for message in log.samples[0].messages) == 3


def test_refusals_are_answers_and_long_ones_are_whole(run: Callable[..., Any]) -> None:
    tags = ["x" * 100] * 300
    log = run(
        tea("order-sencha"),
        in_order(
            calls(("get_tea", {"tea_id": "none"})),
            calls(("set_tags", {"tea_id": "T-1", "tags": tags})),
            calls(("get_tea", {"tea_id": "T-1"})),
            says("Done."),
        ),
    )
    refused, _, whole = (message for message in log.samples[0].messages if message.role == "tool")
    assert (json.loads(refused.text)["success"], refused.error) == (False, None)
    assert json.loads(whole.text)["data"]["tags"] == tags


def test_a_failure_of_the_environment_is_an_error_and_no_score(run: Callable[..., Any]) -> None:
    task = adapter.scenarios(toys.HOSTILE_ID, split="train")
    log = run(task, in_order(calls(("boom", {})), says("Done.")), fail_on_error=False)
    (sample,) = log.samples
    assert "ToolFailure" in sample.error.traceback
    assert not sample.scores


def test_conversations(run: Callable[..., Any]) -> None:
    brain = in_order(calls(ORDER), says("Ordered."), calls(RESTOCK), says("It is there."))
    log = run(tea("both", mode="conversation"), brain)
    assert reward(log) == 1.0
    asked = [message.text for message in log.samples[0].messages if message.role == "user"]
    assert asked == ["I would like 100 g of Sencha.", "And put 100 g of Assam on the shelf."]
    log = run(tea("both", mode="conversation"), in_order(calls(ORDER), says("Ordered.")), message_limit=4)
    assert reward(log) == 0.6667  # cut off, and graded as it stands


def test_epochs_start_over(run: Callable[..., Any]) -> None:
    log = run(tea("both"), in_order(calls(ORDER, RESTOCK), says("Done.")), epochs=3)
    assert [sample.scores["checks"].value for sample in log.samples] == [1.0] * 3


def test_schemas_are_passed_on_whole(run: Callable[..., Any], awkward: str) -> None:
    seen: dict[str, Any] = {}

    def look(messages: list[Any], tools: list[ToolInfo]) -> ModelOutput:
        seen.update({tool.name: tool for tool in tools})
        return solves_awkward(messages, tools)

    solves_awkward = in_order(
        calls(("reset", {"recipe": "all"}), ("get_reward", {})),
        calls(("renamed", {"part": {"label": "l", "sizes": [1]}, "either": 3, "table": {"f": 1.5}})),
        says("Done."),
    )
    assert reward(run(adapter.scenarios(awkward), look)) == 1.0
    for spec in registry.get_bundle(awkward).tools.specs:
        shown = seen[spec.name].parameters.model_dump(exclude_none=True)
        assert list(shown["properties"]) == list(spec.parameters["properties"])
        assert shown.get("required", []) == spec.parameters.get("required", [])
    part = seen["renamed"].parameters.model_dump(exclude_none=True)["properties"]["part"]
    assert part["properties"]["sizes"] == {"type": "array", "items": {"type": "integer"}}
    assert seen["renamed"].parameters.properties["kind"].enum == ["a"]


def test_wrappers_go_around_it(run: Callable[..., Any]) -> None:
    again = calls(("list_teas", {}))
    log = run(tea("both", wrap=partial(Faults, rate=1.0, in_a_row=1)), in_order(again, again, says("Done.")))
    answers = [json.loads(message.text)["success"] for message in log.samples[0].messages if message.role == "tool"]
    assert set(answers) == {True, False}


def test_samples_repeat_with_names_of_their_own() -> None:
    found = list(adapter.samples(toys.TEA_SHOP_ID, split="test", episodes=2, seed=7))
    assert [sample.id for sample in found] == ["toys/TeaShop-v0/restock-assam", "toys/TeaShop-v0/restock-assam/2"]
    assert [sample.metadata["seed"] for sample in found] == [7, 8]
    with pytest.raises(ScenarioError):
        adapter.scenarios(toys.TEA_SHOP_ID, difficulty="expert")


def test_the_command_line_finds_the_task(tmp_path: Path) -> None:
    code = (
        "from inspect_ai._util.registry import registry_lookup as look; print(look('task', 'envscaler_gym/scenarios'))"
    )
    elsewhere = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=elsewhere,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout.startswith("<function scenarios at"), done.stderr


def test_the_example_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(EXAMPLE), "--difficulty", "easy", "--episodes", "2"],
        env=os.environ.copy(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "mean reward of the reference solutions: 1.000" in done.stdout
