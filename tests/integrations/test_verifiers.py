"""The taskset of verifiers, evaluated with verifiers' own runner against a server that plays a model."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from envscaler_gym import registry
from envscaler_gym.errors import ScenarioError, UnknownNameError
from envscaler_gym.wrappers import Faults
from tests import toys
from tests.llm.server import Body, ChatServer, Reply, calls, fails, says

adapter: Any = pytest.importorskip(
    "envscaler_gym.integrations.verifiers", reason='pip install "envscaler-gym[verifiers]"', exc_type=ImportError
)
from verifiers.v1.cli.eval.runner import run_eval  # noqa: E402 - what comes with the extra
from verifiers.v1.configs.cli.eval import EvalConfig  # noqa: E402

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the package of the examples where verifiers finds it, and a key into the environment."""
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "verifiers_package"))
    monkeypatch.setenv("MODEL_KEY", "none")


def evaluate(
    model: Callable[[Body], Reply], out: Path, agent: dict[str, Any] | None = None, **taskset: Any
) -> list[Any]:
    """Evaluate as vf-eval does, and return the traces."""
    with ChatServer(model) as server:
        config = EvalConfig.model_validate(
            {
                "env": {"taskset": {"id": "envscaler-episodes", **taskset}, "agent": agent or {}},
                "client": {"base_url": server.address, "api_key_var": "MODEL_KEY"},
                "model": "test",
                "output_dir": str(out),
                "push": False,
                "max_concurrent": 4,  # the server has a short queue
                "rich": None,
            }
        )
        episodes = asyncio.run(run_eval(config))
    return [trace for episode in episodes for trace in episode.traces]


def told(body: Body) -> list[dict[str, Any]]:
    return [message for message in body["messages"] if message["role"] != "system"]


def solver(name: str, leave_out: int = 0) -> Callable[[Body], Reply]:
    """Return a model that knows the reference solutions, and may leave out the last calls of each."""
    scenarios = {scenario.task: scenario for scenario in registry.get_bundle(name).scenarios.values()}

    def answer(body: Body) -> Reply:
        solution = scenarios[told(body)[0]["content"]].solution
        done = sum(message["role"] == "assistant" for message in told(body))
        if done >= len(solution) - leave_out:
            return says("Done.")
        return calls(solution[done].name, json.dumps(dict(solution[done].arguments)))

    return answer


def test_the_reference_solution_earns_everything_and_less_of_it_less(tmp_path: Path) -> None:
    scenarios = [one for one in registry.get_bundle("Library").scenarios.values() if one.difficulty == "easy"]
    traces = evaluate(solver("Library"), tmp_path / "all", environments=["Library"], difficulty="easy")
    assert len(traces) == len(scenarios)
    assert [trace.reward for trace in traces] == [1.0] * len(traces)
    for trace, scenario in zip(traces, scenarios, strict=True):
        assert trace.metrics["calls"] == len(scenario.solution)
        assert trace.metrics["format_errors"] == trace.metrics["tool_errors"] == 0
        assert trace.task.data.name == f"envscaler/Library-v0:{scenario.id}"
    less = evaluate(solver("Library", leave_out=1), tmp_path / "less", environments=["Library"], difficulty="easy")
    assert all(trace.reward < 1.0 and trace.last_error is None for trace in less)


def test_what_the_model_is_told(tmp_path: Path) -> None:
    bodies: list[Body] = []

    def answer(body: Body) -> Reply:
        bodies.append(body)
        return says("No.") if len(bodies) > 1 else calls("get_tea", '{"tea_id": "T-1"}')

    (trace,) = evaluate(answer, tmp_path, environments=[toys.TEA_SHOP_ID], difficulty="easy")
    bundle = registry.get_bundle(toys.TEA_SHOP_ID)
    assert trace.reward == 0.0
    assert bodies[0]["tools"] == [spec.to_openai() for spec in bundle.tools.specs]
    assert [message["role"] for message in bodies[0]["messages"]] == ["system", "user"]
    assert bodies[0]["messages"][1]["content"] == bundle.scenario("order-sencha").task
    assert bodies[1]["messages"][2]["tool_calls"][0]["function"]["name"] == "get_tea"
    assert json.loads(bodies[1]["messages"][3]["content"])["data"]["name"] == "Sencha"


def test_errors_are_told_and_counted(tmp_path: Path) -> None:
    script = iter([calls("get_tee", "{}"), calls("get_tea", "{oh no"), says(""), says("I give up.")])
    (trace,) = evaluate(lambda _: next(script), tmp_path, environments=[toys.TEA_SHOP_ID], difficulty="easy")
    assert trace.last_error is None
    assert trace.metrics["format_errors"] == 2
    assert trace.metrics["tool_errors"] == 1


def test_an_episode_that_is_stopped_is_graded_as_it_stands(tmp_path: Path) -> None:
    def orders(body: Body) -> Reply:
        first = len(told(body)) == 1
        return calls("order_tea", '{"tea_id": "T-1", "grams": 100, "note": "gift"}') if first else calls("surprise")

    only: dict[str, Any] = {"environments": [toys.TEA_SHOP_ID], "difficulty": "hard"}
    (trace,) = evaluate(orders, tmp_path / "turns", {"max_turns": 3}, **only)
    assert trace.stop_condition == "max_turns"
    assert trace.reward == pytest.approx(2 / 3, abs=1e-4)
    (trace,) = evaluate(orders, tmp_path / "steps", **only, options={"max_steps": 5})
    assert trace.num_turns == 5
    assert trace.reward == pytest.approx(2 / 3, abs=1e-4)


def test_failures_are_errors_and_no_rewards(tmp_path: Path) -> None:
    hostile: dict[str, Any] = {"environments": [toys.HOSTILE_ID], "split": "train"}
    (trace,) = evaluate(lambda _: calls("boom"), tmp_path / "environment", **hostile)
    assert trace.last_error.type == "HarnessError"
    assert "ToolFailure" in trace.last_error.message
    assert not trace.ok
    (trace,) = evaluate(lambda _: fails(400), tmp_path / "model", **hostile)
    assert trace.last_error.type == "ProviderError"
    assert not trace.ok


def test_a_user_says_the_task_bit_by_bit(tmp_path: Path) -> None:
    script = iter(
        [
            calls("order_tea", '{"tea_id": "T-1", "grams": 100, "note": "gift"}'),
            says("Done. Anything else?"),
            calls("restock", '{"tea_id": "T-2", "bag": 100}'),
            says("Done."),
        ]
    )
    seen: list[Body] = []

    def answer(body: Body) -> Reply:
        seen.append(body)
        return next(script)

    options = {"mode": "conversation"}
    (trace,) = evaluate(answer, tmp_path, environments=[toys.TEA_SHOP_ID], difficulty="hard", options=options)
    assert trace.reward == 1.0
    assert told(seen[0])[0]["content"] == "I would like 100 g of Sencha."
    assert told(seen[2])[-1] == {"role": "user", "content": "And put 100 g of Assam on the shelf."}


def test_code_that_nobody_reviewed_plays_in_a_worker(tmp_path: Path) -> None:
    toys.tea_shop("fresh/Tea-v0").save(tmp_path / "tea")
    (trace,) = evaluate(
        solver(toys.TEA_SHOP_ID), tmp_path / "out", environments=[str(tmp_path / "tea")], difficulty="easy"
    )
    assert trace.reward == 1.0


def taskset(**config: Any) -> Any:
    return adapter.EpisodeTaskset(adapter.EpisodeTasksetConfig(id="envscaler-episodes", **config))


def test_tasks_are_the_scenarios_and_their_keys_tell_them_apart() -> None:
    tasks = list(taskset())
    assert len({task.key for task in tasks}) == len(tasks)
    assert {task.data.environment for task in tasks} == set(registry.shipped_ids())
    train, test = (list(taskset(environments=["Library"], split=split)) for split in ("train", "test"))
    assert {task.data.scenario for task in train}.isdisjoint(task.data.scenario for task in test)
    assert [task.data.seed for task in taskset(environments=["Library"], seed=5)][:3] == [5, 6, 7]
    assert [task.key for task in taskset(environments=["Library"])] == [
        task.key for task in taskset(environments=["Library"])
    ]


def test_what_there_is_not_is_said() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean"):
        list(taskset(environments=["Libary"]))
    with pytest.raises(ScenarioError, match="difficulty='expert'"):
        list(taskset(environments=[toys.TEA_SHOP_ID], difficulty="expert"))


def test_another_harness_is_told_that_it_has_no_tools() -> None:
    (task, *_) = taskset(environments=["Library"])
    with pytest.raises(RuntimeError, match="Nobody has played"):
        asyncio.run(task.checks_passed(SimpleNamespace(state=adapter.EpisodeState())))


def test_a_harness_may_put_wrappers_inside() -> None:
    class Harness(adapter.EpisodeHarness):  # type: ignore[misc]  # of a module that may be missing
        def wrap(self, env: Any) -> Any:
            return Faults(env, rate=1.0, kinds=("unavailable",))

    trace = SimpleNamespace(state=adapter.EpisodeState())
    data = adapter.EpisodeData(prompt="Go.", environment=toys.TEA_SHOP_ID, scenario="order-sencha", seed=0, options={})
    order = calls("order_tea", '{"tea_id": "T-1", "grams": 100, "note": "gift"}')
    with ChatServer([order, says("Done.")]) as server:
        launched = Harness(adapter.EpisodeHarnessConfig()).launch(
            SimpleNamespace(model="test"), trace, None, server.address, "none", {}, data
        )
        asyncio.run(launched)
    assert "503" in told(server.requests[1])[-1]["content"]
    assert trace.state.reward == 0.0


def test_the_example_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "evaluate_verifiers.py"), "--limit", "3", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "mean reward 1.000" in done.stdout
