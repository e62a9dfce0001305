"""The OpenEnv server, driven by OpenEnv's own clients over localhost."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from envscaler_gym import ToolEnv, registry
from envscaler_gym.errors import UnknownNameError
from tests import toys

adapter: Any = pytest.importorskip(
    "envscaler_gym.integrations.openenv", reason='pip install "envscaler-gym[openenv]"', exc_type=ImportError
)
import httpx  # noqa: E402 - what comes with the extra
import uvicorn  # noqa: E402
from openenv.core import CallToolAction, GenericEnvClient, ListToolsAction, MCPToolClient  # noqa: E402

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

ROOT = Path(__file__).parents[2]
ORDER = {"tea_id": "T-1", "grams": 100, "note": "gift"}


@contextmanager
def serving(environments: Any, **options: Any) -> Iterator[str]:
    """Run a server in a thread, and yield its address."""
    config = uvicorn.Config(adapter.openenv_app(environments, **options), log_level="warning")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def address() -> Iterator[str]:
    """Return the address of a server of the tea shop."""
    with serving(toys.TEA_SHOP_ID) as found:
        yield found


def call(name: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "call_tool", "tool_name": name, "arguments": arguments or {}}


def test_an_episode_over_the_network(address: str) -> None:
    scenario = registry.get_bundle(toys.TEA_SHOP_ID).scenario("order-sencha")
    with GenericEnvClient(base_url=address).sync() as client:
        told = client.reset(seed=3, scenario=scenario.id).observation
        assert told["task"] == scenario.task
        assert scenario.task in told["briefing"]
        assert (told["environment"], told["scenario"]) == (toys.TEA_SHOP_ID, scenario.id)
        assert told["max_steps"] == scenario.max_steps
        result = client.step(call("order_tea", ORDER))
        assert (result.reward, result.done) == (0.0, False)
        assert json.loads(result.observation["result"])["success"] is True
        state = client.state()
        assert (state["step_count"], state["scenario"]) == (1, scenario.id)
        result = client.step(call("episode-finish", {"message": "Done."}))
        assert (result.reward, result.done) == (1.0, True)
        result = client.step(call("order_tea", ORDER))
        assert (result.reward, result.done) == (None, True)
        assert "has ended" in result.observation["error"]["message"]
        assert client.reset(seed=3, scenario="both").observation["scenario"] == "both"


def test_the_typed_client_sees_the_tools_exactly_as_their_schemas_say(address: str) -> None:
    bundle = registry.get_bundle(toys.TEA_SHOP_ID)
    with MCPToolClient(base_url=address).sync() as client:
        tools = client.list_tools()
        shown = [(tool.name, tool.description, tool.input_schema) for tool in tools]
        assert shown[:-1] == [(spec.name, spec.description, dict(spec.parameters)) for spec in bundle.tools.specs]
        assert tools[-1].name == "episode-finish"
        client.reset(seed=0, scenario="order-sencha")
        result = client.step(CallToolAction(tool_name="order_tea", arguments=ORDER))
        assert json.loads(result.observation.result)["success"] is True
        result = client.step(CallToolAction(tool_name="episode-finish"))
        assert (result.reward, result.done) == (1.0, True)


def test_errors_of_the_agent_have_kinds_and_cost_nothing_but_steps(address: str) -> None:
    with GenericEnvClient(base_url=address).sync() as client:
        client.reset(scenario="order-sencha")
        kinds = {
            "tool_not_found": call("order_tee"),
            "invalid_args": call("order_tea", {"tea_id": "T-1", "grams": "many"}),
            None: call("get_tea", {"tea_id": "T-9"}),  # the tool's own answer
        }
        for kind, action in kinds.items():
            result = client.step(action)
            assert (result.reward, result.done) == (0.0, False)
            error = result.observation["error"]
            assert (error and error["error_type"]) == kind
            assert json.loads(result.observation["result"])["success"] is False


def test_sessions_at_once_know_nothing_of_each_other(address: str) -> None:
    gate = threading.Barrier(4)

    def play(orders: bool) -> float:
        with GenericEnvClient(base_url=address).sync() as client:
            client.reset(seed=1, scenario="order-sencha")
            gate.wait(30)
            if orders:
                client.step(call("order_tea", ORDER))
            gate.wait(30)
            tea = json.loads(client.step(call("get_tea", {"tea_id": "T-1"})).observation["result"])["data"]
            assert tea["grams"] == (400 if orders else 500)
            gate.wait(30)
            return float(client.step(call("episode-finish")).reward)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(play, [True, False, True, False])) == [1.0, 0.0, 1.0, 0.0]


def test_the_same_seed_draws_what_gymnasium_draws(address: str) -> None:
    env = ToolEnv(toys.TEA_SHOP_ID)
    with GenericEnvClient(base_url=address).sync() as client:
        for seed in range(4):
            observation, info = env.reset(seed=seed)
            told = client.reset(seed=seed).observation
            assert (told["task"], told["scenario"]) == (observation, info["scenario"])
            mine = env.step({"name": "surprise", "arguments": {}})[0]
            assert client.step(call("surprise")).observation["result"] == mine


def test_scenarios_are_tasks(address: str) -> None:
    name = "TeaShop-v0"
    with httpx.Client(base_url=address) as http:
        assert http.get(f"/{name}/splits").json() == [{"name": split, "type": split} for split in ("train", "test")]
        assert http.post(f"/{name}/num_tasks", json={"split": "train"}).json() == {"num_tasks": 3}
        tasks = http.post(f"/{name}/tasks", json={"split": "train"}).json()["tasks"]
        assert [task["scenario"] for task in tasks] == ["order-sencha", "both", "partly-true"]
        assert http.post(f"/{name}/task", json={"split": "train", "index": 1}).json()["task"] == tasks[1]
        found = http.post(f"/{name}/task_range", json={"split": "train", "start": 1}).json()["tasks"]
        assert found == tasks[1:]
        assert http.post(f"/{name}/task", json={"split": "train", "index": 3}).status_code == 400
        assert "task" in http.get("/schema").json()["reset_observation"]["properties"]
    with GenericEnvClient(base_url=address).sync() as client:
        for task in tasks:
            assert client.reset(split="train", index=task["index"]).observation["scenario"] == task["scenario"]


def test_what_cannot_be_played_is_said(address: str) -> None:
    with GenericEnvClient(base_url=address).sync() as client:
        for options, said in (
            ({"scenario": "order-senchu"}, "no scenario 'order-senchu'"),
            ({"scenario": "ungraded"}, "no checks"),
            ({"split": "train"}, "split and index"),
            ({"flavour": "green"}, "Unknown reset options"),
        ):
            with pytest.raises(RuntimeError, match=said):
                client.reset(**options)
        assert client.reset(scenario="both").observation["scenario"] == "both"


def test_no_more_sessions_than_there_may_be() -> None:
    with (
        serving(toys.TEA_SHOP_ID, max_sessions=1) as address,
        GenericEnvClient(base_url=address).sync() as first,
        GenericEnvClient(base_url=address).sync() as second,
    ):
        first.reset()
        with pytest.raises(RuntimeError, match=r"(?i)capacity"):
            second.reset()


def test_filters_leave_scenarios_out() -> None:
    env = adapter.OpenEnvEnvironment(toys.TEA_SHOP_ID, split="train", difficulty="easy")
    assert env.list_splits() == ["train"]
    assert [task["scenario"] for task in env.list_tasks("train")] == ["order-sencha"]
    env = adapter.OpenEnvEnvironment(toys.TEA_SHOP_ID, split="train")
    assert env.num_tasks("train") == 3
    with pytest.raises(IndexError, match="split 'test' has 0 tasks"):
        env.reset(split="test", index=0)


def test_a_suite_has_the_tasks_of_all_and_the_tools_of_one() -> None:
    env = adapter.OpenEnvEnvironment([toys.TEA_SHOP_ID, "Library"])
    tasks = env.list_tasks("train")
    assert {task["environment"] for task in tasks} == {toys.TEA_SHOP_ID, "envscaler/Library-v0"}
    with pytest.raises(RuntimeError, match=r"reset\(\) first"):
        env.step(ListToolsAction())
    for index in (0, len(tasks) - 1):
        told = env.reset(split="train", index=index)
        assert (told.environment, told.scenario) == (tasks[index]["environment"], tasks[index]["scenario"])
        names = [tool.name for tool in env.step(ListToolsAction()).tools]
        assert ("order_tea" in names) == (told.environment == toys.TEA_SHOP_ID)
    with pytest.raises(UnknownNameError, match="'/etc' here"):
        env.reset(environment="/etc")
    env.close()


def test_a_failure_of_the_environment_is_no_reward() -> None:
    env = adapter.OpenEnvEnvironment(toys.HOSTILE_ID)
    env.reset(scenario="calm")
    observation = env.step(CallToolAction(tool_name="boom"))
    assert (observation.done, observation.reward) == (True, None)
    assert observation.error.error_type.value == "execution_error"
    assert observation.metadata == {"outcome": "failure"}


def test_code_that_nobody_reviewed_plays_in_a_worker(tmp_path: Path) -> None:
    toys.tea_shop("fresh/Tea-v0").save(tmp_path / "tea")
    env = adapter.OpenEnvEnvironment(str(tmp_path / "tea"))
    env.reset(scenario="order-sencha")
    assert json.loads(env.step(CallToolAction(tool_name="order_tea", arguments=ORDER)).result)["success"] is True
    assert env.step(CallToolAction(tool_name="episode-finish")).reward == 1.0
    env.close()


def test_the_example_runs() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "serve_openenv.py"), "--episodes", "4"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "4 episodes in 2 sessions at once, mean reward 1.000" in done.stdout
