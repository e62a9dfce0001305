from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from envscaler_gym import BundleError, registry
from envscaler_gym.errors import BudgetExceeded, ModelUnavailable
from envscaler_gym.llm.budget import Budget
from envscaler_gym.llm.model import Completion, CompletionRequest, FunctionCall
from envscaler_gym.llm.recorded import Recorded
from envscaler_gym.llm.scripted import Scripted
from envscaler_gym.llm.store import CompletionStore
from envscaler_gym.rollout import (
    ChatPlayer,
    EvalConfig,
    EvalEpisode,
    EvalFolder,
    PolicyPlayer,
    evaluate,
    plan_eval,
    summarize_eval,
    write_parquet,
)
from envscaler_gym.trajectories import read_trajectories, replay
from tests import toys

LIBRARY = "envscaler/Library-v0"
BASELINES = tuple(PolicyPlayer(policy=name) for name in ("reference", "random", "noop"))


def config(*players: Any, environments: tuple[str, ...] = (LIBRARY,), **rest: Any) -> EvalConfig:
    return EvalConfig.of(environments, players, **rest)


def run(folder: Path, conf: EvalConfig, model: Any = None, **rest: Any) -> EvalFolder:
    opened = EvalFolder(folder, conf)
    asyncio.run(evaluate(opened, model=model, **rest))
    return opened


def solver(request: CompletionRequest) -> Completion:
    """Answer as a model that knows the reference solution of the task it is given, one call a turn."""
    task = next(message.content for message in request.messages if message.role == "user")
    scenario = next(s for s in registry.get_bundle(LIBRARY).scenarios.values() if s.task == task)
    said = sum(message.role == "assistant" for message in request.messages)
    if said == len(scenario.solution):
        return Completion(text="Done.", prompt_tokens=10, completion_tokens=1, cost_usd=0.01)
    call = scenario.solution[said]
    arguments = json.dumps(dict(call.arguments))
    if request.tools:
        calls = (FunctionCall(id=f"c{said}", name=call.name, arguments=arguments),)
        return Completion(tool_calls=calls, finish_reason="tool_calls", prompt_tokens=10, cost_usd=0.01)
    text = f'<tool_call>{{"name": "{call.name}", "arguments": {arguments}}}</tool_call>'
    return Completion(text=text, prompt_tokens=10, completion_tokens=5, cost_usd=0.01)


def test_baselines_over_everything_that_is_shipped(tmp_path: Path) -> None:
    ids = tuple(registry.shipped_ids())
    done = run(tmp_path, config(*BASELINES, environments=ids))
    rows = {row.policy: row for row in summarize_eval(done.episodes) if row.environment is None}
    scenarios = sum(len(registry.get_bundle(id_).scenarios) for id_ in ids)
    assert {row.scenarios for row in rows.values()} == {scenarios}
    assert rows["reference"].reward == (1.0, 1.0, 1.0)
    assert rows["reference"].verdicts == {"success": scenarios}
    assert rows["noop"].reward == (0.0, 0.0, 0.0)
    assert rows["noop"].verdicts == {"agent": scenarios}
    assert rows["random"].verdicts["truncated"] > 0.9 * scenarios
    for trajectory in list(read_trajectories(tmp_path / "trajectories.jsonl"))[:20]:
        replay(trajectory)


@pytest.mark.parametrize("form", ["openai", "text"])
def test_a_model_that_solves_every_task(form: Any, tmp_path: Path) -> None:
    player = ChatPlayer(model="test/solver", form=form)
    model = Scripted(solver)
    done = run(tmp_path, config(player, difficulty="easy", tries=2), model)
    assert {episode.verdict for episode in done.episodes} == {"success"}
    row = summarize_eval(done.episodes)[0]
    assert row.usage.calls == len(model.requests) == sum(episode.steps for episode in done.episodes)
    assert row.usage.cost_usd == pytest.approx(0.01 * row.usage.calls)
    assert {request.attempt for request in model.requests} == {0, 1}
    assert all(bool(request.tools) == (form == "openai") for request in model.requests)
    trajectory = next(iter(read_trajectories(tmp_path / "trajectories.jsonl")))
    assert trajectory.messages[-1]["content"] == "Done."


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("I give up.", "agent"),
        ("<tool_call>{", "truncated"),
        (lambda request: "<tool_call>{" if len(request.messages) < 4 else "I give up.", "format"),
        ('<tool_call>{"name": "list_members", "arguments": {}}</tool_call>', "truncated"),
        (ModelUnavailable("the server is down"), "infrastructure"),
    ],
)
def test_failures_are_told_apart(answer: Any, verdict: str, tmp_path: Path) -> None:
    script = answer if callable(answer) else lambda _: answer
    done = run(tmp_path, config(ChatPlayer(model="m", form="text"), difficulty="easy"), Scripted(script))
    assert {episode.verdict for episode in done.episodes} == {verdict}
    row = summarize_eval(done.episodes)[0]
    if verdict == "infrastructure":
        assert row.reward is None
        assert "the server is down" in done.episodes[0].failure
    else:
        assert row.reward == (0.0, 0.0, 0.0)


def test_a_failure_of_the_environment_is_not_the_agents(tmp_path: Path) -> None:
    toys.hostile().save(tmp_path / "hostile")
    conf = config(ChatPlayer(model="m", form="text"), environments=(str(tmp_path / "hostile"),), split="train")
    script = Scripted(lambda _: '<tool_call>{"name": "boom", "arguments": {}}</tool_call>')
    done = run(tmp_path / "out", conf, script)
    assert [episode.verdict for episode in done.episodes] == ["environment"]
    assert "ToolFailure" in done.episodes[0].failure
    assert summarize_eval(done.episodes)[0].episodes == 0


class _KilledError(Exception):
    pass


async def play_until(stop: int, folder: Path, conf: EvalConfig, scripted: Scripted) -> None:
    """Play on, over recorded completions, and die after a number of results."""
    results = iter(range(stop - 1))

    def show(_: EvalEpisode) -> None:
        if next(results, None) is None:
            raise _KilledError

    store = CompletionStore(folder / "completions.jsonl")
    try:
        async with Recorded(store, scripted) as model:
            await evaluate(EvalFolder(folder, conf), model=model, concurrency=3, on_result=show)
    finally:
        store.close()


def test_killed_and_resumed_it_gives_the_same_table_and_pays_for_nothing_twice(tmp_path: Path) -> None:
    conf = config(ChatPlayer(model="m"), *BASELINES, difficulty="easy", tries=2)
    whole = run(tmp_path / "whole", conf, Scripted(solver))
    asked: list[str] = []
    for stop in (1, 4, 9):
        scripted = Scripted(solver)
        with pytest.raises(_KilledError):
            asyncio.run(play_until(stop, tmp_path / "parts", conf, scripted))
        with (tmp_path / "parts" / "results.jsonl").open("a") as file:
            file.write('{"policy": "m", "env')  # what was being written
        asked += [request.digest for request in scripted.requests]
    scripted = Scripted(solver)
    asyncio.run(play_until(1000, tmp_path / "parts", conf, scripted))
    asked += [request.digest for request in scripted.requests]
    parts = EvalFolder(tmp_path / "parts", conf)
    assert parts.episodes == whole.episodes
    assert summarize_eval(parts.episodes) == summarize_eval(whole.episodes)
    assert len(asked) == len(set(asked))


def test_what_failed_for_the_infrastructure_is_tried_again(tmp_path: Path) -> None:
    conf = config(ChatPlayer(model="m"), difficulty="easy")
    run(tmp_path, conf, Scripted(lambda _: ModelUnavailable("down")))
    done = run(tmp_path, conf, Scripted(solver))
    assert {episode.verdict for episode in done.episodes} == {"success"}
    assert len(done.episodes) == len(plan_eval(conf))


def test_a_budget_ends_it_where_it_can_go_on(tmp_path: Path) -> None:
    conf = config(ChatPlayer(model="m"), difficulty="easy")
    with pytest.raises(BudgetExceeded):
        run(tmp_path, conf, Budget(Scripted(solver), calls=10), concurrency=1)
    played = EvalFolder(tmp_path, conf).episodes
    assert 0 < len(played) < len(plan_eval(conf))
    assert len(run(tmp_path, conf, Scripted(solver)).episodes) == len(plan_eval(conf))


def test_another_evaluation_does_not_go_into_the_same_folder(tmp_path: Path) -> None:
    EvalFolder(tmp_path, config(*BASELINES))
    with pytest.raises(BundleError, match="another evaluation is in this folder: seed, tries differ"):
        EvalFolder(tmp_path, config(*BASELINES, seed=1, tries=3))


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    run(tmp_path, config(BASELINES[2], difficulty="easy"))
    path = tmp_path / "results.jsonl"
    path.write_text(path.read_text().replace('"attempt":0', '"attempt":"first"', 1))
    with pytest.raises(BundleError, match=r"results.jsonl:1: attempt: "):
        EvalFolder(tmp_path, config(BASELINES[2], difficulty="easy"))


def test_a_model_is_needed_where_one_plays(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="m needs a language model"):
        run(tmp_path, config(ChatPlayer(model="m")))


def test_tries_differ_in_seed_and_estimates_take_all_of_them(tmp_path: Path) -> None:
    conf = config(PolicyPlayer(policy="random"), difficulty="easy", tries=3)
    done = run(tmp_path, conf)
    assert len({episode.seed for episode in done.episodes}) == len(done.episodes)
    row = summarize_eval(done.episodes)[0]
    assert set(row.pass_at) == set(row.pass_hat) == {1, 2, 3}
    json.dumps(row.to_dict())


def test_results_as_a_table(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason='pip install "envscaler-gym[eval]"')
    done = run(tmp_path, config(*BASELINES, difficulty="easy"))
    write_parquet(done.episodes, tmp_path / "results.parquet")
    table = pq.read_table(tmp_path / "results.parquet").to_pylist()
    assert [row["reward"] for row in table] == [episode.reward for episode in done.episodes]
    assert dict(table[0]["outcomes"]) == done.episodes[0].outcomes
