"""A scripted model that makes the scenarios of the tool shed, with slips planted where a test wants them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from envscaler_gym.data import Data
from envscaler_gym.llm.model import CompletionRequest
from envscaler_gym.llm.scripted import Answer, Scripted
from envscaler_gym.synthesis.artefacts import MemoryShelf
from envscaler_gym.synthesis.settings import Settings
from envscaler_gym.synthesis.workshop import Desk, Workshop
from tests.synthesis import tool_shed

D = TypeVar("D", bound=Data)

LEND = "Ada Byrne would like the hedge trimmer for three days, please lend it to her."
RETURN = "Ben Okafor has just brought the tile saw back, and its blade is gone, so it came back broken."
BOTH = "Cleo Quinn returns the wheelbarrow as good as new, and takes the short ladder for a week instead."


def task(id_: str, text: str, **fields: Any) -> dict[str, Any]:
    """Return a task as the model answers it."""
    plain: dict[str, Any] = {"persona": "a neighbour", "difficulty": "easy", "requests": [text], "facts": {}}
    return {"id": id_, "task": text, "known_ids": []} | plain | fields


PARTS = ["Cleo Quinn is here with the wheelbarrow, as good as new.", "She takes the short ladder for a week instead."]
TASKS = (
    task("lend-trimmer", LEND),
    task("broken-saw", RETURN),
    task("barrow-for-ladder", BOTH, requests=PARTS),
)


def check(text: str, body: str) -> dict[str, str]:
    """Return a check whose function returns an expression."""
    return {"text": text, "source": f"def check_func(final_state):\n    return {body}\n"}


def _lent(tool: str, neighbour: str, due: str) -> str:
    return (
        f"[(row.get('tool_id'), row.get('neighbour_id'), row.get('status'), row.get('due_on'))"
        f" for key, row in final_state.get('loans', {{}}).items() if key not in initial_state['loans']]"
        f" == [({tool!r}, {neighbour!r}, 'open', {due!r})]"
    )


def _is(table: str, key: str, field: str, value: str) -> str:
    return f"final_state.get({table!r}, {{}}).get({key!r}, {{}}).get({field!r}) == {value!r}"


CHECKS = {
    LEND: (
        check("Is the hedge trimmer lent to Ada Byrne until 8 May 2025?", _lent("T-31", "N-07", "2025-05-08")),
        check("Is the hedge trimmer marked as lent?", _is("tools", "T-31", "status", "lent")),
    ),
    RETURN: (
        check("Is Ben Okafor's loan of the tile saw closed?", _is("loans", "LN-101", "status", "closed")),
        check("Is the tile saw marked as broken?", _is("tools", "T-32", "status", "broken")),
    ),
    BOTH: (
        check("Is Cleo Quinn's loan of the wheelbarrow closed?", _is("loans", "LN-104", "status", "closed")),
        check("Is the wheelbarrow on the shelf?", _is("tools", "T-60", "status", "on_shelf")),
        check("Is the short ladder lent to Cleo Quinn until 12 May 2025?", _lent("T-41", "N-20", "2025-05-12")),
        check("Is the short ladder marked as lent?", _is("tools", "T-41", "status", "lent")),
    ),
}


def call(tool: str, /, **arguments: Any) -> dict[str, Any]:
    """Return a call as the solver answers it."""
    return {"name": tool, "arguments": arguments}


TURNS: dict[str, list[list[dict[str, Any]]]] = {
    LEND: [
        [call("find_tools", name="trimmer"), call("find_neighbours", name="ada"), call("find_tools", name="saw")],
        [call("lend_tool", tool_id="T-55", neighbour_id="N-07", days=3)],  # refused: it is broken
        [call("lend_tool", tool_id="T-31", neighbour_id="N-07", days=3)],
    ],
    RETURN: [
        [call("find_neighbours", name="okafor"), call("find_tools", name="tile saw")],
        [call("list_loans", neighbour_id="N-11")],
        [call("return_tool", loan_id="LN-101", broken=True)],
    ],
    BOTH: [
        [call("find_neighbours", name="cleo"), call("find_tools", name="ladder")],
        [call("list_loans", neighbour_id="N-20")],
        [
            call("return_tool", loan_id="LN-104"),
            call("lend_tool", tool_id="T-41", neighbour_id="N-20", days=7),
        ],
    ],
}
"""What the solver does in each of its turns, by task."""


def text_of(request: CompletionRequest) -> str:
    """Return everything that a request says."""
    return "\n".join(message.content for message in request.messages)


def asked(request: CompletionRequest) -> str:
    """Return the class of the answer that a request asks for."""
    assert request.response_schema is not None
    return str(request.response_schema["title"])


class Author:
    """Answers as somebody would who makes no mistakes. Tests replace single answers.

    Attributes:
        answers: Function of the request by class of the answer.
    """

    def __init__(self, **answers: Callable[[CompletionRequest], Answer]) -> None:
        self.answers: dict[str, Callable[[CompletionRequest], Answer]] = {
            "StateDraft": self.state,
            "TaskDrafts": self.tasks,
            "CheckDrafts": self.checks,
            "SolverTurn": self.turn,
            "Rewording": self.rewording,
            **answers,
        }

    def __call__(self, request: CompletionRequest) -> Answer:
        return self.answers[asked(request)](request)

    def state(self, request: CompletionRequest) -> Answer:
        street = "Mill Lane" if "Ireland" in text_of(request) else "Sakura Dori"
        name = street.lower().replace(" ", "-")
        return {"id": name, "clock": tool_shed.CLOCK, "state": tool_shed.state(street)}

    def tasks(self, request: CompletionRequest) -> Answer:
        count = int(text_of(request).partition("Write ")[2].split()[0])
        return {"tasks": list(TASKS[:count])}

    def checks(self, request: CompletionRequest) -> Answer:
        checks = CHECKS[self.topic(request)]
        return {"checklist": [each["text"] for each in checks], "checks": list(checks)}

    def turn(self, request: CompletionRequest) -> Answer:
        number = len(request.messages) // 2 - 1
        turns = TURNS[self.topic(request)]
        return {"calls": turns[number]} if number < len(turns) else {"thought": "That is all.", "done": True}

    def rewording(self, request: CompletionRequest) -> Answer:
        said, parts = text_of(request).partition("The request:\n\n")[2].partition("\n\nIts parts")[::2]
        count = parts.partition("These must")[0].count('"') // 2
        return {"task": f"Hello! {said}", "requests": [f"Hello! {said}"] * count}

    def topic(self, request: CompletionRequest) -> str:
        """Return the task that a request is about."""
        return next(text for text in CHECKS if text in text_of(request))


def workshop(model: Callable[[CompletionRequest], Answer], **settings: Any) -> Workshop:
    """Return a workshop with a scripted model."""
    return Workshop(Scripted(model), Settings(model="test", **settings), MemoryShelf())


def at_desk(shop: Workshop, stage: Any, kind: type[D], work: Callable[[Desk], Awaitable[D]]) -> D:
    """Do a piece of work at a desk of a workshop."""
    return asyncio.run(shop.make(stage, "tool_shed", kind, work)).value
