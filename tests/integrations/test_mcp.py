"""The MCP server, driven by the official client: in memory, over standard input and output, and over HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from envscaler_gym import ToolEnv, registry
from envscaler_gym.errors import ScenarioError, UnknownNameError
from envscaler_gym.trajectories import read_trajectories, replay
from envscaler_gym.wrappers import Faults
from tests import toys

adapter: Any = pytest.importorskip(
    "envscaler_gym.integrations.mcp", reason='pip install "envscaler-gym[mcp]"', exc_type=ImportError
)
import anyio  # noqa: E402 - what comes with the extra
import uvicorn  # noqa: E402
from mcp import Client, MCPError, StdioServerParameters  # noqa: E402

Cli: TypeAlias = Callable[..., Any]

ROOT = Path(__file__).parents[2]
ORDER = {"tea_id": "T-1", "grams": 100, "note": "gift"}
ERAS = ["legacy", "auto"]  # revisions with a handshake; the newest, which knows no sessions


def run(play: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(60):
            await play()

    anyio.run(limited)


def serve(environments: Any = toys.TEA_SHOP_ID, **options: Any) -> Any:
    return adapter.EpisodeServer(environments, **options).server


def texts(result: Any) -> list[str]:
    return [block.text for block in result.content]


def descendants() -> set[int]:
    """Return the processes that this one has started, and those that these have."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


async def written(file: Path) -> None:
    """Wait for a file."""
    while not await anyio.Path(file).exists():  # noqa: ASYNC110 - it is another thread that writes it
        await anyio.sleep(0.02)


async def tool_names(client: Any) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


# What is served.


@pytest.mark.parametrize("mode", ERAS)
def test_tools_are_exactly_as_their_schemas_say(mode: str) -> None:
    async def play() -> None:
        for name in registry.ids():
            specs = registry.get_bundle(name).tools.specs
            async with Client(serve(name), mode=mode) as client:
                tools = (await client.list_tools()).tools
            shown = [(tool.name, tool.description, tool.input_schema) for tool in tools]
            assert shown[: len(specs)] == [(spec.name, spec.description, dict(spec.parameters)) for spec in specs]
            assert [tool.name for tool in tools[len(specs) :]] == ["episode-finish", "episode-task"]
            kinds = [tool.annotations.read_only_hint for tool in tools if tool.annotations][: len(specs)]
            assert kinds == [spec.kind == "query" for spec in specs]

    run(play)


@pytest.mark.parametrize("mode", ERAS)
def test_the_task_is_told_in_every_way(mode: str) -> None:
    async def play() -> None:
        async with Client(serve(scenario="order-sencha"), mode=mode) as client:
            briefing = texts(await client.call_tool("episode-task", {}))[0]
            assert "Order 100 g of Sencha." in briefing
            assert client.instructions == briefing
            assert [prompt.name for prompt in (await client.list_prompts()).prompts] == ["task"]
            (message,) = (await client.get_prompt("task")).messages
            assert message.content.text == briefing
            with pytest.raises(MCPError, match="no prompt 'other'; there is 'task'"):
                await client.get_prompt("other")

    run(play)


@pytest.mark.parametrize("mode", ERAS)
def test_an_episode_is_graded_when_it_is_finished(mode: str) -> None:
    async def play() -> None:
        async with Client(serve(scenario="order-sencha"), mode=mode) as client:
            result = await client.call_tool("order_tea", ORDER)
            assert not result.is_error
            assert json.loads(texts(result)[0])["success"] is True
            assert result.structured_content is None
            result = await client.call_tool("episode-finish", {"message": "Done."})
            assert result.structured_content == {"ended": True, "reward": 1.0}
            assert texts(result)[-1].endswith("Reward: 1")
            result = await client.call_tool("order_tea", ORDER)
            assert result.is_error
            assert "has ended" in texts(result)[0]

    run(play)


def test_errors_of_the_agent_are_results() -> None:
    async def play() -> None:
        async with Client(serve(scenario="order-sencha", max_steps=4)) as client:
            for name, arguments, said in (
                ("get_tea", {"tea_id": "T-9"}, "no such tea"),
                ("order_tee", {}, "Did you mean 'order_tea'"),
                ("order_tea", {"tea_id": "T-1", "grams": "many"}, "grams"),
                ("episode-finish", {"message": ["no"]}, "message: string"),
            ):
                result = await client.call_tool(name, arguments)
                assert result.is_error
                assert said in texts(result)[0]
            result = await client.call_tool("get_tea", {"tea_id": "T-1"})  # the last step of four
            assert not result.is_error
            assert result.structured_content == {"ended": True, "reward": 0.0}

    run(play)


def test_a_failure_of_the_environment_is_no_reward() -> None:
    async def play() -> None:
        async with Client(serve(toys.HOSTILE_ID, scenario="calm")) as client:
            result = await client.call_tool("boom", {})
            assert result.is_error
            assert result.structured_content == {"ended": True, "reward": None}
            assert "the environment failed" in texts(result)[-1]

    run(play)


def test_wrappers_go_around_what_is_served_and_what_is_recorded(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"

    async def play() -> None:
        broken = partial(Faults, rate=1.0, kinds=("unavailable",))
        async with Client(serve(scenario="order-sencha", wrap=broken, record=record)) as client:
            result = await client.call_tool("order_tea", ORDER)
            assert result.is_error
            await client.call_tool("episode-finish", {})

    run(play)
    (trajectory,) = read_trajectories(record)
    replay(trajectory)


def test_a_user_is_talked_to_in_conversation_mode() -> None:
    async def play() -> None:
        async with Client(serve(scenario="both", mode="conversation")) as client:
            assert (await tool_names(client))[-2:] == ["episode-say", "episode-task"]
            await client.call_tool("order_tea", ORDER)
            result = await client.call_tool("episode-say", {"message": "Done."})
            assert texts(result) == ["And put 100 g of Assam on the shelf."]
            await client.call_tool("restock", {"tea_id": "T-2", "bag": 100})
            result = await client.call_tool("episode-say", {"message": "Done."})
            assert result.structured_content == {"ended": True, "reward": 1.0}

    run(play)


def test_code_that_nobody_reviewed_is_served_from_a_worker(tmp_path: Path) -> None:
    toys.tea_shop("fresh/Tea-v0").save(tmp_path / "tea")

    async def play() -> None:
        server = serve(str(tmp_path / "tea"), scenario="order-sencha")
        async with Client(server) as first, Client(server) as second:
            assert json.loads(texts(await first.call_tool("order_tea", ORDER))[0])["success"] is True
            await second.list_tools()
            both = len(descendants())
            result = await second.call_tool("episode-finish", {})
            assert result.structured_content["reward"] == 0.0
            while len(descendants()) >= both:  # noqa: ASYNC110 - the worker goes at once, though the client stays
                await anyio.sleep(0.02)
            result = await first.call_tool("episode-finish", {})
            assert result.structured_content["reward"] == 1.0

    run(play)


def test_a_client_learns_nothing_of_the_grading_but_the_reward() -> None:
    bundle = registry.get_bundle(toys.TEA_SHOP_ID)
    played = bundle.scenario("order-sencha")

    async def play() -> list[str]:
        async with Client(serve(scenario=played.id)) as client:
            replies: list[Any] = [
                await client.list_tools(),
                await client.list_prompts(),
                await client.get_prompt("task"),
                *[await client.call_tool(name, {}) for name in ("episode-task", "list_teas", "nonsense")],
                await client.call_tool("order_tea", ORDER),
                await client.call_tool("episode-finish", {}),
                await client.call_tool("episode-finish", {}),
            ]
            return [str(client.instructions), *(reply.model_dump_json() for reply in replies)]

    said = "\n".join(anyio.run(play))
    assert played.task in said
    for scenario in bundle.scenarios.values():
        for check in (*(scenario.checks or ()), *scenario.guards):
            assert check.text not in said
            assert json.dumps(check.source)[1:-1] not in said
        assert scenario is played or scenario.task not in said
        assert scenario.id == "both" or f'"{scenario.id}"' not in said
    assert "note" in said  # a field of the state, told by no check but by a schema


# Which episode, and the record of it.


def test_sessions_draw_as_reset_does_and_are_recorded(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    served = adapter.EpisodeServer(toys.TEA_SHOP_ID, seed=5, record=record)

    async def play() -> None:
        for _ in range(3):
            async with Client(served.server) as client:
                await client.call_tool("surprise", {})
                await client.call_tool("episode-finish", {})

    run(play)
    trajectories = list(read_trajectories(record))
    assert [trajectory.seed.partition(":")[0] for trajectory in trajectories] == ["5", "6", "7"]
    for number, trajectory in enumerate(trajectories):
        env = ToolEnv(toys.TEA_SHOP_ID)
        _, info = env.reset(seed=5 + number)
        assert info["scenario"] == trajectory.scenario
        assert env.step({"name": "surprise", "arguments": {}})[0] == trajectory.steps[0].observation
        assert trajectory.policy == "mcp"
        replay(trajectory)


@pytest.mark.parametrize("mode", ERAS)
def test_who_goes_away_is_graded_as_it_stands(mode: str, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"

    async def play() -> None:
        async with Client(serve(scenario="both", record=record), mode=mode) as client:
            await client.call_tool("order_tea", ORDER)

    run(play)
    (trajectory,) = read_trajectories(record)
    assert trajectory.reward == pytest.approx(2 / 3, abs=1e-4)
    assert trajectory.terminated


@pytest.mark.parametrize(
    ("environment", "options", "error", "said"),
    [
        ("TeeShop", {}, UnknownNameError, "Did you mean"),
        (toys.TEA_SHOP_ID, {"scenario": "order-senchu"}, ScenarioError, "order-sencha"),
        (toys.TEA_SHOP_ID, {"scenario": "ungraded"}, ScenarioError, "no checks"),
        (toys.TEA_SHOP_ID, {"scenario": "order-sencha", "split": "test"}, ScenarioError, "split='test'"),
        (toys.TEA_SHOP_ID, {"difficulty": "expert"}, ScenarioError, "difficulty='expert'"),
        (toys.TEA_SHOP_ID, {"max_sessions": 0}, ValueError, "max_sessions=0"),
        (toys.TEA_SHOP_ID, {"idle_seconds": 0}, ValueError, "idle_seconds=0"),
    ],
)
def test_what_cannot_be_served_is_an_error_at_once(
    environment: str, options: Mapping[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        adapter.EpisodeServer(environment, **options)


# Over HTTP.


@contextmanager
def listening(environments: Any = toys.TEA_SHOP_ID, **options: Any) -> Iterator[str]:
    """Run a server in a thread, and yield its address."""
    app = adapter.EpisodeServer(environments, **options).http_app()
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        finally:
            server.should_exit = True
            thread.join()


@asynccontextmanager
async def two_clients(address: str, mode: str) -> AsyncIterator[tuple[Any, Any]]:
    names = ("?session=one", "?session=two") if mode != "legacy" else ("", "")
    async with Client(address + names[0], mode=mode) as first, Client(address + names[1], mode=mode) as second:
        yield first, second


over_http = pytest.mark.allow_hosts(["127.0.0.1"])


@over_http
@pytest.mark.parametrize("mode", ERAS)
def test_two_sessions_at_once_know_nothing_of_each_other(mode: str, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"

    async def play(address: str) -> None:
        async with two_clients(address, mode) as (first, second):
            assert (first.protocol_version < "2026") == (mode == "legacy")
            await first.call_tool("order_tea", ORDER)
            teas = [json.loads(texts(await one.call_tool("get_tea", {"tea_id": "T-1"}))[0]) for one in (first, second)]
            assert teas[1]["data"]["grams"] - teas[0]["data"]["grams"] == 100
            result = await second.call_tool("episode-finish", {})
            assert result.structured_content == {"ended": True, "reward": 0.0}
            result = await first.call_tool("episode-finish", {})
            assert result.structured_content == {"ended": True, "reward": 1.0}

    with listening(scenario="order-sencha", record=record) as address:
        run(lambda: play(address))
    assert sorted(trajectory.reward for trajectory in read_trajectories(record)) == [0.0, 1.0]


@over_http
def test_a_client_of_the_newest_revision_falls_back_to_one_with_sessions() -> None:
    async def play(address: str) -> None:
        async with Client(address, mode="auto") as client:
            assert client.protocol_version < "2026"
            await client.call_tool("order_tea", ORDER)
            result = await client.call_tool("episode-finish", {})
            assert result.structured_content["reward"] == 1.0
        async with Client(address, mode="2026-07-28") as client:
            with pytest.raises(MCPError, match=r"no sessions.*\?session=NAME"):
                await client.list_tools()

    with listening(scenario="order-sencha") as address:
        run(lambda: play(address))


@over_http
@pytest.mark.parametrize("mode", ERAS)
def test_a_named_session_goes_on_after_the_connection(mode: str) -> None:
    async def play(address: str) -> None:
        async with Client(f"{address}?session=mine", mode=mode) as client:
            await client.call_tool("order_tea", ORDER)
        async with Client(f"{address}?session=mine", mode=mode) as client:
            result = await client.call_tool("episode-finish", {})
            assert result.structured_content["reward"] == 1.0

    with listening(scenario="order-sencha") as address:
        run(lambda: play(address))


@over_http
@pytest.mark.parametrize("mode", ERAS)
def test_the_address_chooses_the_scenario(mode: str, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"

    async def play(address: str) -> None:
        tea = f"environment={toys.TEA_SHOP_ID}"
        wishes = f"{tea}&scenario=both&seed=9", f"{tea}&difficulty=easy", "environment=envscaler/Library-v0"
        for number, wish in enumerate(wishes):
            async with Client(f"{address}?session={number}&{wish}", mode=mode) as client:
                assert ("search_books" in await tool_names(client)) == ("Library" in wish)
                await client.call_tool("episode-finish", {})

    with listening([toys.TEA_SHOP_ID, "envscaler/Library-v0"], seed=7, record=record) as address:
        run(lambda: play(address))
    first, second, third = read_trajectories(record)
    assert (first.environment, first.scenario, first.seed) == (toys.TEA_SHOP_ID, "both", "9:0:both")
    assert (second.environment, second.difficulty, second.seed[:2]) == (toys.TEA_SHOP_ID, "easy", "8:")
    assert (third.environment, third.seed[:2]) == ("envscaler/Library-v0", "9:")


@over_http
@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("scenario=ungraded", "no checks"),
        ("scenario=nonsense", "no scenario 'nonsense'"),
        ("scenario=restock-assam", "split='train'"),
        ("difficulty=expert", "difficulty='expert'"),
        ("environment=toys/Hostile-v0", "no environment 'toys/Hostile-v0' here"),
        ("environment=/etc", "no environment '/etc' here"),
        ("seed=-1", "seed must be a number"),
        ("seed=" + "9" * 30, "seed must be a number"),
        ("trust=true", "nobody can choose 'trust'"),
    ],
)
def test_wishes_that_are_not_granted_are_errors(wish: str, said: str) -> None:
    async def play(address: str) -> None:
        async with Client(f"{address}?session=1&{wish}", mode="2026-07-28") as client:
            with pytest.raises(MCPError, match=said):
                await client.list_tools()

    with listening(split="train") as address:
        run(lambda: play(address))


@over_http
def test_a_session_plays_what_was_chosen_when_it_was_opened() -> None:
    async def play(address: str) -> None:
        for wish, fits in (("&scenario=both", True), ("", True), ("&scenario=both", True), ("&seed=3", False)):
            async with Client(f"{address}?session=1{wish}", mode="2026-07-28") as client:
                if fits:
                    assert "and put 100 g of Assam" in texts(await client.call_tool("episode-task", {}))[0]
                else:
                    with pytest.raises(MCPError, match="what was chosen when it was opened"):
                        await client.list_tools()

    with listening() as address:
        run(lambda: play(address))


@over_http
def test_a_server_of_one_scenario_lets_nobody_choose_another() -> None:
    async def play(address: str) -> None:
        async with Client(f"{address}?session=1&scenario=both", mode="2026-07-28") as client:
            with pytest.raises(MCPError, match="scenario cannot be chosen"):
                await client.list_tools()

    with listening(scenario="order-sencha") as address:
        run(lambda: play(address))


@over_http
def test_sessions_are_limited_and_finished_ones_make_room() -> None:
    async def play(address: str) -> None:
        async with Client(f"{address}?session=1", mode="2026-07-28") as first:
            await first.call_tool("surprise", {})
            async with Client(f"{address}?session=2", mode="2026-07-28") as second:
                with pytest.raises(MCPError, match="All 1 sessions are taken"):
                    await second.list_tools()
                await first.call_tool("episode-finish", {})
                assert "surprise" in await tool_names(second)

    with listening(max_sessions=1) as address:
        run(lambda: play(address))


@over_http
@pytest.mark.parametrize("goodbye", [True, False])
def test_sessions_end_when_their_clients_do_or_fall_silent(goodbye: bool, tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"

    async def play(address: str) -> None:
        async with Client(address, mode="legacy") as client:
            await client.call_tool("order_tea", ORDER)
            if not goodbye:
                await written(record)
        await written(record)

    with listening(scenario="order-sencha", record=record, idle_seconds=1800.0 if goodbye else 2.0) as address:
        run(lambda: play(address))
        (trajectory,) = read_trajectories(record)  # while the server runs on
    assert trajectory.reward == 1.0


@over_http
def test_pages_from_elsewhere_are_refused() -> None:
    import httpx2

    with listening() as address, httpx2.Client() as client:
        for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
            headers |= {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
            answer = client.post(address, headers=headers, content=b"{}")
            assert answer.status_code in (403, 421)


# The command.


def command(*arguments: str) -> Any:
    """Return what starts the command with the user's folder of these tests."""
    return StdioServerParameters(
        command=sys.executable, args=["-m", "envscaler_gym", "serve", "--mcp", *arguments], env=dict(os.environ)
    )


def test_commands_at_once_serve_standard_input_and_output(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"

    async def play() -> None:
        server = command(toys.TEA_SHOP_ID, "--scenario", "order-sencha", "--seed", "3", "--record", str(record))
        async with Client(server, mode="legacy") as first, Client(server, mode="auto") as second:
            assert [client.protocol_version for client in (first, second)] == ["2025-11-25", "2026-07-28"]
            for client in (first, second):
                assert "Order 100 g of Sencha." in str(client.instructions)
            await first.call_tool("order_tea", ORDER)
            result = await second.call_tool("episode-finish", {})
            assert result.structured_content == {"ended": True, "reward": 0.0}
            result = await first.call_tool("episode-finish", {})
            assert result.structured_content == {"ended": True, "reward": 1.0}

    run(play)
    for trajectory in read_trajectories(record):
        assert trajectory.seed == "3:0:order-sencha"
        replay(trajectory)


@over_http
def test_the_command_serves_http_until_it_is_interrupted(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    arguments = command(toys.TEA_SHOP_ID, "--scenario", "both", "--record", str(record)).args
    http = ["--transport", "streamable-http", "--port", str(port)]

    async def play() -> None:
        process = await anyio.open_process([sys.executable, *arguments, *http], stderr=subprocess.PIPE)
        said = b""
        async with process:
            while b"/mcp" not in said:
                said += await process.stderr.receive()
            assert f"http://127.0.0.1:{port}/mcp" in said.decode()
            async with Client(await answering(f"http://127.0.0.1:{port}/mcp?session=1"), mode="2026-07-28") as client:
                await client.call_tool("order_tea", ORDER)
                process.send_signal(signal.SIGINT)
                await process.wait()

    run(play)
    (trajectory,) = read_trajectories(record)  # of a client that was still there
    assert trajectory.reward == pytest.approx(2 / 3, abs=1e-4)


async def answering(address: str) -> str:
    """Wait until a server answers."""
    while True:
        try:
            async with await anyio.connect_tcp("127.0.0.1", int(address.split(":")[2].partition("/")[0])):
                return address
        except OSError:
            await anyio.sleep(0.05)


def test_the_example_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "serve_mcp.py"), "--record", str(tmp_path / "played.jsonl")],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("reward 1.00") == 2
    assert "2 episodes in" in done.stdout
