"""A scripted model that makes the tool shed itself, from a task to its code, and leaves the scenarios to its author."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import Any

from envscaler_gym.llm.model import CompletionRequest
from envscaler_gym.llm.scripted import Answer
from envscaler_gym.synthesis.settings import Settings
from envscaler_gym.tools import method_nodes
from tests.synthesis import tool_shed
from tests.synthesis.shed_author import Author, text_of

TASKS = ("Lend the tile saw to Ben for a week.", "What is the capital of Peru?", "Take back the ladder from Cleo.")
METHODS = method_nodes(tool_shed.SOURCE, "ToolShed")
FUNCTIONS = [node for node in ast.parse(tool_shed.INVARIANTS).body if isinstance(node, ast.FunctionDef)]


def settings(**changes: Any) -> Settings:
    """Return settings of a run that is over in seconds."""
    small: dict[str, Any] = {
        "model": "scripted",
        "tools": 5,
        "gate_calls": 600,
        "rounds": 6,
        "calls_per_turn": 2,
        "sessions": 2,
    }
    few: dict[str, Any] = {"start_states": 2, "scenarios": 4, "namespace": "toys"}
    return Settings(**(small | few | changes))


def _attribute(name: str, type_: str = "str", references: str = "", comparison: str = "exact") -> dict[str, str]:
    described = f"What {name} says."
    return {"name": name, "type": type_, "description": described, "references": references, "comparison": comparison}


def _entity(name: str, record: str, key: str, *attributes: dict[str, str]) -> dict[str, Any]:
    own = _attribute(key, comparison="exempt")
    return {"name": name, "record": record, "key": key, "description": f"A {record}.", "attributes": [own, *attributes]}


def _operation(name: str, kind: str, reads: list[str], writes: list[str]) -> dict[str, Any]:
    node = METHODS[name]
    defaults = [""] * (len(node.args.args) - 1 - len(node.args.defaults)) + list(map(ast.unparse, node.args.defaults))
    return {
        "name": name,
        "kind": kind,
        "description": (ast.get_docstring(node) or "").partition("\n")[0],
        "parameters": [
            {
                "name": argument.arg,
                "type": ast.unparse(argument.annotation) if argument.annotation else "",
                "description": f"The {argument.arg}.",
                "default": default,
            }
            for argument, default in zip(node.args.args[1:], defaults, strict=True)
        ],
        "returns": "what was found" if kind == "query" else "what was done",
        "preconditions": ["What is named exists."],
        "postconditions": ["It is done."],
        "reads": reads,
        "writes": writes,
    }


SKELETON: dict[str, Any] = {
    "class_name": "ToolShed",
    "summary": "Neighbours lend each other tools.",
    "introduction": "You keep the tool shed of a street, from which neighbours borrow tools, two at a time.",
    "entities": [
        _entity("neighbours", "Neighbour", "neighbour_id", _attribute("name"), _attribute("street")),
        _entity(
            "tools",
            "Tool",
            "tool_id",
            _attribute("name"),
            _attribute("status", 'Literal["on_shelf", "lent", "broken"]'),
        ),
        _entity(
            "loans",
            "Loan",
            "loan_id",
            _attribute("tool_id", references="tools"),
            _attribute("neighbour_id", references="neighbours"),
            _attribute("status", 'Literal["open", "closed"]'),
            _attribute("due_on"),
        ),
    ],
    "rules": [
        *({"text": rule, "kind": "state"} for rule in tool_shed.RULES),
        {"text": "Only a tool on the shelf is lent.", "kind": "operation"},
    ],
    "operations": [
        _operation("find_neighbours", "query", ["neighbours"], []),
        _operation("find_tools", "query", ["tools"], []),
        _operation("list_loans", "query", ["neighbours", "loans"], []),
        _operation("lend_tool", "state_change", ["tools", "neighbours", "loans"], ["tools", "loans"]),
        _operation("return_tool", "state_change", ["loans"], ["tools", "loans"]),
    ],
}


def without_docstring(node: ast.FunctionDef) -> str:
    """Return the source of a function without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    copied = ast.FunctionDef(node.name, node.args, body, [], node.returns, lineno=1)
    return ast.unparse(ast.fix_missing_locations(copied))


HELPERS: dict[str, Any] = {
    "imports": ["from datetime import datetime, timedelta"],
    "constants": "_MOST = 2",
    "methods": without_docstring(METHODS["_open_loans"]),
}
RULES: dict[str, Any] = {
    "imports": [],
    "helpers": "",
    "functions": [
        {"rule": ast.get_docstring(node), "name": node.name, "source": without_docstring(node)} for node in FUNCTIONS
    ],
}
PHRASING: dict[str, Any] = {
    "records": [
        {"entity": "neighbours", "phrase": "{name}"},
        {"entity": "tools", "phrase": "the {name}"},
        {"entity": "loans", "phrase": "{neighbour_id}'s loan of {tool_id.name}"},
    ],
    "tools": [
        {"tool": "lend_tool", "phrases": ["hand {tool_id} to {neighbour_id}<, for {days} days>"]},
        {"tool": "return_tool", "phrases": ["take {loan_id} back<, broken{broken=true}><, unharmed{broken=false}>"]},
    ],
}
CALLS = (
    ("find_tools", {"name": "saw"}, "success"),
    ("lend_tool", {"tool_id": "T-31", "neighbour_id": "N-07", "days": 3}, "success"),
    ("lend_tool", {"tool_id": "T-32", "neighbour_id": "N-07", "days": 1}, "refusal"),
    ("return_tool", {"loan_id": "LN-101"}, "success"),
    ("list_loans", {"neighbour_id": "N-99"}, "refusal"),
    ("find_neighbours", {"name": "ada"}, "success"),
)


class Founder(Author):
    """Makes the whole tool shed without a mistake. Tests replace single answers."""

    def __init__(self, **answers: Callable[[CompletionRequest], Answer]) -> None:
        mine: dict[str, Callable[[CompletionRequest], Answer]] = {
            "TaskJudgements": self.judge_tasks,
            "EnvironmentDescription": self.describe,
            "Skeleton": lambda _: SKELETON,
            "Helpers": lambda _: HELPERS,
            "Methods": self.methods,
            "RuleParts": lambda _: RULES,
            "SampleStateDraft": lambda _: {"state": tool_shed.state()},
            "Phrasing": lambda _: PHRASING,
            "TestCalls": self.test,
            "CallVerdicts": self.judge,
        }
        super().__init__(**mine | answers)

    def judge_tasks(self, request: CompletionRequest) -> dict[str, Any]:
        numbered = re.findall(r"^(\d+)\. (.*)$", text_of(request), re.MULTILINE)
        fits = {task: "capital" not in task for _, task in numbered}
        return {
            "judgements": [
                {
                    "task": int(number),
                    "stateful": fits[task],
                    "domain_specific": fits[task],
                    "environment": "Tool Shed" if fits[task] else "",
                    "reason": "It is about loans." if fits[task] else "It is a fact of the world.",
                }
                for number, task in numbered
            ]
        }

    def describe(self, request: CompletionRequest) -> dict[str, Any]:
        name = text_of(request).partition("The domain: ")[2].partition("\n")[0]
        scores = {"usefulness": 7, "modelability": 9, "reason": "It is a small place."}
        return {"name": name, "summary": f"{name} of a street.", "introduction": f"You keep the {name}."} | scores

    def methods(self, request: CompletionRequest) -> dict[str, Any]:
        names = re.search(r"Write these methods: (.*)", text_of(request))
        assert names
        written: list[dict[str, Any]] = [
            {"name": name, "imports": [], "source": without_docstring(METHODS[name])} for name in names[1].split(", ")
        ]
        return {"methods": written}

    def test(self, request: CompletionRequest) -> dict[str, Any]:
        found = re.search(r"Propose the next (\d+) calls", text_of(request))
        assert found
        done = text_of(request).count("; pass:") + text_of(request).count("; fail:")
        wanted = [CALLS[(done + number) % len(CALLS)] for number in range(int(found[1]))]
        return {
            "calls": [
                {"tool": tool, "arguments": arguments, "expected": expected, "why": "to see"}
                for tool, arguments, expected in wanted
            ]
        }

    def judge(self, request: CompletionRequest) -> dict[str, Any]:
        calls = json.loads(
            text_of(request).partition("where the one before it ended:\n\n")[2].partition("\n\nThe state")[0]
        )
        return {"verdicts": [{"call": one["call"], "verdict": "pass", "reason": "As documented."} for one in calls]}
