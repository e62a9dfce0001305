"""Syntax trees can be built in many threads."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import envscaler_gym
from envscaler_gym import registry, syntax
from envscaler_gym.syntax import parse, parse_expression


def test_trees_are_those_of_ast() -> None:
    source = registry.get_bundle("envscaler/Library-v0").source
    assert ast.dump(parse(source)) == ast.dump(ast.parse(source))
    assert ast.dump(parse_expression(" {'a': [1]}".strip())) == ast.dump(ast.parse("{'a': [1]}", mode="eval").body)
    with pytest.raises(SyntaxError):
        parse("def")
    with pytest.raises(SyntaxError):
        parse_expression("a = 1")


def test_threads_may_build_trees_at_once() -> None:
    sources = [registry.get_bundle(id_).source for id_ in registry.shipped_ids()]
    with ThreadPoolExecutor(8) as threads:
        trees = list(threads.map(parse, sources * 3))
    assert [len(tree.body) for tree in trees] == [len(ast.parse(source).body) for source in sources * 3]


def parse_by(monkeypatch: pytest.MonkeyPatch, function: Callable[..., Any]) -> None:
    """Have the library, and nothing else, build its trees by another function."""
    names = {name: getattr(ast, name) for name in ("AST", "Module", "Expression")}
    monkeypatch.setattr(syntax, "ast", SimpleNamespace(parse=function, **names))


def test_trees_are_built_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    building: list[int] = []
    most: list[int] = []

    def slow(*args: Any, **options: Any) -> Any:
        building.append(1)
        most.append(len(building))
        time.sleep(0.01)
        building.pop()
        return ast.parse(*args, **options)

    parse_by(monkeypatch, slow)
    with ThreadPoolExecutor(4) as threads:
        assert len(list(threads.map(parse, ["a = 1"] * 8))) == 8
    assert most == [1] * 8


def test_a_tree_that_another_package_disturbs_is_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter([SystemError("AST constructor recursion depth mismatch (before=1, after=2)")] * 3)

    def disturbed(*args: Any, **options: Any) -> Any:
        for failure in failures:
            raise failure
        return ast.parse(*args, **options)

    parse_by(monkeypatch, disturbed)
    assert len(parse("a = 1").body) == 1
    failures = iter([SystemError("something else")])
    with pytest.raises(SystemError, match="something else"):
        parse("a = 1")


def test_nothing_builds_trees_by_itself() -> None:
    package = Path(envscaler_gym.__file__).parent
    found = [
        path.name for path in package.rglob("*.py") if re.search(r"\bast\.parse\(", path.read_text("utf-8")) is not None
    ]
    assert found == ["syntax.py"]
