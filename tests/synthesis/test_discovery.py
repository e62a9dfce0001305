"""Tasks and topics are read in the shapes in which they come, and what is left out is told with the reason."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from envscaler_gym.llm.model import CompletionRequest
from envscaler_gym.llm.scripted import Answer, Scripted
from envscaler_gym.synthesis.artefacts import MemoryShelf
from envscaler_gym.synthesis.config import TasksSource, TopicsSource
from envscaler_gym.synthesis.discovery import Discovery, discover
from envscaler_gym.synthesis.inputs import UnreadableInput, read_tasks, read_topics
from envscaler_gym.synthesis.settings import Settings
from envscaler_gym.synthesis.workshop import Workshop
from tests.synthesis.shed_author import text_of
from tests.synthesis.shed_founder import Founder

SHAPES = [
    "Book a room.",
    {"task": "Cancel my order."},
    {"instruction": "Lend me a saw.", "input": "", "output": "..."},
    {
        "system": "You may call tools.",
        "conversations": [{"from": "system", "value": "?"}, {"from": "user", "value": "Pay."}],
    },
    {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "Fly me home."}]},
    {"query": "Book a room."},
]
TEXTS = ("Book a room.", "Cancel my order.", "Lend me a saw.", "Pay.", "Fly me home.")


@pytest.mark.parametrize("written", ["lines", "list"])
def test_tasks_are_read_in_the_shapes_that_are_in_use(tmp_path: Path, written: str) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps(SHAPES, indent=1) if written == "list" else "\n\n".join(map(json.dumps, SHAPES)))
    assert read_tasks(path).tasks == TEXTS


def test_lines_that_are_no_tasks_are_named(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text('"fine"\n{"task": \n7\n{"answer": "42"}\n{"messages": [{"role": "assistant", "content": "Hi"}]}\n')
    with pytest.raises(UnreadableInput) as raised:
        read_tasks(path)
    said = str(raised.value)
    assert "tasks.jsonl:2: not JSON" in said
    assert "tasks.jsonl:3: must be a text or an object, got 7" in said
    assert "tasks.jsonl:4: has no text in task, query" in said
    assert "its fields are ['answer']" in said
    assert "tasks.jsonl:5" in said
    assert "tasks.jsonl:1:" not in said


def test_a_file_without_tasks_or_topics_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(UnreadableInput, match="holds no tasks"):
        read_tasks(tmp_path / "empty")
    with pytest.raises(UnreadableInput, match="holds no topics"):
        read_topics(str(tmp_path / "empty"))


def test_topics_are_a_text_or_the_lines_of_a_file(tmp_path: Path) -> None:
    assert read_topics("A bakery").topics == ("A bakery",)
    assert read_topics("x" * 5000).topics == ("x" * 5000,)
    (tmp_path / "topics").write_text("A bakery\n# no\n\nA dairy\nA bakery\n")
    assert read_topics(str(tmp_path / "topics")).topics == ("A bakery", "A dairy")


def discovered(source: TasksSource | TopicsSource, founder: Founder | None = None, **settings: Any) -> Discovery:
    """Return what is discovered with a scripted model."""
    shop = Workshop(Scripted(founder or Founder()), Settings(model="m", **settings), MemoryShelf())
    return asyncio.run(discover(shop, source)).value


def test_tasks_are_judged_in_groups_and_all_of_them() -> None:
    tasks = tuple(
        f"Lend me saw {number}." if number % 3 else f"What is the capital of {number}?" for number in range(50)
    )
    model = Scripted(Founder())
    shop = Workshop(model, Settings(model="m"), MemoryShelf())
    found = asyncio.run(discover(shop, TasksSource(tasks=tasks))).value
    assert found.figures["suitable tasks"] == 33
    assert len(found.dismissed) == 17
    assert [one.weight for one in found.environments] == [33]
    assert len(found.environments[0].requests) == 8
    assert len(model.requests) == 3 + 1


def test_a_judge_who_skips_tasks_is_asked_again_and_then_given_up() -> None:
    def skip(request: CompletionRequest) -> Answer:
        answer: dict[str, Any] = Founder().judge_tasks(request)
        return {"judgements": answer["judgements"][1:]}

    found = discovered(TasksSource(tasks=("a", "b")), Founder(TaskJudgements=skip))
    assert found.environments == ()
    assert [left.what for left in found.dismissed] == ["a", "b"]
    assert "could not be judged: " in found.dismissed[0].reason
    assert "Judge the tasks [1, 2]" in found.dismissed[0].reason


def test_what_cannot_be_described_is_left_out_and_the_others_are_not() -> None:
    def describe(request: CompletionRequest) -> Answer:
        return (
            "No."
            if "bakery" in text_of(request)
            else describing(dairy=(9, 9)).answers["EnvironmentDescription"](request)
        )

    found = discovered(TopicsSource(topics=("bakery", "dairy")), Founder(EnvironmentDescription=describe))
    assert [one.slug for one in found.environments] == ["dairy_place"]
    assert "could not be described" in found.dismissed[0].reason


def describing(**scores: tuple[int, int]) -> Founder:
    def describe(request: CompletionRequest) -> Answer:
        topic = re.search(r"The domain: (\w+)", text_of(request))
        assert topic
        usefulness, modelability = scores[topic[1]]
        words = {"name": f"{topic[1]} place", "summary": topic[1] * 3, "introduction": " ".join([topic[1] * 2] * 5)}
        return words | {"usefulness": usefulness, "modelability": modelability, "reason": "Because."}

    return Founder(EnvironmentDescription=describe)


def test_thresholds_hold_and_the_best_come_first() -> None:
    founder = describing(bakery=(7, 7), dairy=(9, 9), museum=(5, 9), zoo=(9, 3))
    found = discovered(TopicsSource(topics=("bakery", "dairy", "museum", "zoo")), founder)
    assert [one.slug for one in found.environments] == ["dairy_place", "bakery_place"]
    reasons = {left.what: left.reason for left in found.dismissed}
    assert reasons["museum place"] == "usefulness 5 is below 6: Because."
    assert reasons["zoo place"] == "modelability 3 is below 6: Because."
    assert found.figures == {"topics": 4, "environments": 4, "above the thresholds": 2, "different": 2, "chosen": 2}


def test_no_more_than_asked_for() -> None:
    founder = describing(bakery=(7, 7), dairy=(9, 9))
    found = discovered(TopicsSource(topics=("bakery", "dairy")), founder, environments=1)
    assert [one.slug for one in found.environments] == ["dairy_place"]
    assert "only the best 1" in found.dismissed[0].reason


def test_an_embedding_model_can_say_what_is_similar(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def aembedding(model: str, input: list[str]) -> Any:  # noqa: A002 - litellm's own name
        asked.append(model)
        return SimpleNamespace(data=[{"index": number, "embedding": [3.0, 4.0]} for number in range(len(input))])

    monkeypatch.setitem(sys.modules, "litellm", SimpleNamespace(aembedding=aembedding))
    founder = describing(bakery=(7, 7), dairy=(9, 9))
    found = discovered(TopicsSource(topics=("bakery", "dairy")), founder, embedding_model="openai/e")
    assert [one.slug for one in found.environments] == ["dairy_place"]
    assert "too similar to 'dairy place' (similarity 1.00" in found.dismissed[0].reason
    assert asked == ["openai/e"]


def test_equal_names_get_slugs_of_their_own() -> None:
    words = iter(["abc def ghi", "xyz uvw rst"])
    plain = {"name": "Tea House", "usefulness": 8, "modelability": 8, "reason": "Because."}
    founder = Founder(
        EnvironmentDescription=lambda _: plain | {"summary": "", "introduction": " ".join([next(words)] * 30)}
    )
    found = discovered(TopicsSource(topics=("one", "two")), founder)
    assert [one.slug for one in found.environments] == ["tea_house", "tea_house_2"]
