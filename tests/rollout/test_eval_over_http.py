"""``envscaler eval`` with a model behind litellm's own way over HTTP, in both forms of calls and with its failures."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from envscaler_gym import registry
from envscaler_gym.cli import app
from envscaler_gym.llm.litellm_model import LiteLLM
from tests.llm.server import Body, ChatServer, Reply, broken_body, calls, rate_limited, says

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

LIBRARY = registry.get_bundle("Library")
EASY = [scenario for scenario in LIBRARY.scenarios.values() if scenario.difficulty == "easy"]


@pytest.fixture(scope="module", autouse=True)
def litellm() -> Iterator[Any]:
    """Import litellm, with whatever it warns of itself."""
    pytest.importorskip("litellm", reason='pip install "envscaler-gym[eval]"')
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        LiteLLM()
        yield


def evaluate(server: ChatServer, out: Path, *options: str, code: int = 0) -> Any:
    arguments = ["eval", "Library", "--out", str(out), "--policy", "openai/test", "--difficulty", "easy", "--json"]
    environment = {"OPENAI_API_KEY": "none"}
    result = CliRunner().invoke(app, [*arguments, "--api-base", server.address, *options], env=environment)
    assert result.exit_code == code, (result.output, result.exception)
    rows = json.loads(result.stdout)["summary"]
    return {row["policy"]: row for row in rows if row["environment"] is None}


def solve(body: Body) -> Reply:
    """Answer as a model that knows the reference solutions."""
    said = [message for message in body["messages"] if message["role"] != "system"]
    scenario = next(scenario for scenario in EASY if scenario.task == said[0]["content"])
    done = sum(message["role"] == "assistant" for message in said)
    if done == len(scenario.solution):
        return says("Done.")
    call = scenario.solution[done]
    arguments = json.dumps(dict(call.arguments))
    if body.get("tools"):
        return calls(call.name, arguments)
    text = f'<think>Next.</think><tool_call>{{"name": "{call.name}", "arguments": {arguments}}}</tool_call>'
    return says(text)


@pytest.mark.parametrize("form", ["openai", "text"])
def test_a_model_that_solves_everything_beside_the_baselines(form: str, tmp_path: Path) -> None:
    with ChatServer(solve) as server:
        rows = evaluate(server, tmp_path, "--form", form)
        name = "openai/test" if form == "openai" else "openai/test (text)"
        assert rows[name]["reward"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
        assert set(rows) == {name, "reference", "random", "noop"}
        assert rows["noop"]["reward"]["mean"] == 0.0
        assert rows[name]["usage"]["calls"] == len(server.requests)
        assert rows[name]["usage"]["prompt_tokens"] == 7 * len(server.requests)
        asked = len(server.requests)
        assert evaluate(server, tmp_path, "--form", form) == rows  # nothing is left to play
        assert len(server.requests) == asked
    assert (tmp_path / "trajectories.jsonl").exists()


def test_limits_and_failures_on_the_way_are_counted_and_got_over(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    def moody(body: Body) -> Reply:
        seen[json.dumps(body["messages"])] += 1
        if seen[json.dumps(body["messages"])] == 1 and len(body["messages"]) == 2:
            return rate_limited(0) if len(seen) % 2 else broken_body()
        return solve(body)

    with ChatServer(moody) as server:
        row = evaluate(server, tmp_path)["openai/test"]
    assert row["verdicts"] == {"success": len(EASY)}
    failures = row["usage"]["failures"]
    assert failures["rate_limited"] + failures["server_error"] == len(EASY)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (calls("list_members"), "truncated"),  # for ever
        (calls("list_members", "{oh no"), "truncated"),
        (says("<tool_call>{"), "truncated"),
        (says("I would rather not."), "agent"),
        (Reply(b'{"error": {"message": "no such key"}}', 401), "infrastructure"),
    ],
)
def test_what_goes_wrong_is_told_apart(reply: Reply, verdict: str, tmp_path: Path) -> None:
    with ChatServer([reply]) as server:
        row = evaluate(server, tmp_path, "--no-baselines")["openai/test"]
    assert row["verdicts"] == {verdict: len(EASY)}
    if verdict != "infrastructure":
        assert row["reward"]["mean"] == 0.0


def test_a_budget_stops_it_and_it_goes_on(tmp_path: Path) -> None:
    with ChatServer(solve) as server:
        evaluate(server, tmp_path, "--no-baselines", "--max-calls", "5", "--concurrency", "1", code=3)
        assert len(server.requests) == 5
        row = evaluate(server, tmp_path, "--no-baselines")["openai/test"]
        assert row["verdicts"] == {"success": len(EASY)}
        bodies = [json.dumps(body["messages"]) for body in server.requests]
        assert len(bodies) == len(set(bodies))
