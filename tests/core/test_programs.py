"""Compiled classes: methods of every form, called by name, whatever their parameters are called."""

from __future__ import annotations

from typing import Any

import pytest

from envscaler_gym.ambient import Ambient, activate
from envscaler_gym.errors import LoadFailure, StateTooLarge
from envscaler_gym.world import InProcessWorld, Program

SOURCE = """\
import functools
import uuid

LOADED = str(uuid.uuid4())


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper


class Base:
    def inherited(self, x):
        return {"success": True, "data": ["Base", x]}


class C(Base):
    @logged
    def __init__(self, config):
        self.size = len(config)

    def plain(self, *, name="n", function="f"):
        return {"success": True, "data": [name, function, self.size]}

    @staticmethod
    def static(_instance, function=1):
        return {"success": True, "data": [_instance, function]}

    @classmethod
    def of_class(cls, instance, arguments=2):
        return {"success": True, "data": [cls.__name__, instance, arguments]}

    @logged
    def decorated(self, args=3):
        return {"success": True, "data": args}

    def anything(self, **others):
        return {"success": True, "data": others}

    def loaded(self):
        return {"success": True, "data": LOADED}

    not_callable = 5
"""
NAMES = ("inherited", "plain", "static", "of_class", "decorated", "anything", "loaded")


def world(source: str = SOURCE, names: tuple[str, ...] = NAMES, state: Any = None) -> InProcessWorld:
    made = InProcessWorld(Program.of(source, "C", names))
    made.load(state if state is not None else {"a": 1, "b": 2}, Ambient("2024-01-01", "s"))
    return made


@pytest.mark.parametrize(
    ("name", "arguments", "data"),
    [
        ("inherited", {"x": 1}, '["Base",1]'),
        ("plain", {"name": "a", "function": "b"}, '["a","b",2]'),
        ("static", {"_instance": 1, "function": 2}, "[1,2]"),
        ("of_class", {"instance": 1, "arguments": 2}, '["C",1,2]'),
        ("decorated", {"args": 1}, "1"),
        ("anything", {"name": 1, "arguments": 2, "instance": 3}, '{"name":1,"arguments":2,"instance":3}'),
    ],
)
def test_methods_of_every_form_are_called_by_name(name: str, arguments: dict[str, Any], data: str) -> None:
    assert world().call(name, arguments).text == f'{{"success":true,"data":{data}}}'


def test_loading_a_class_depends_on_nothing_that_ran_before() -> None:
    texts = []
    for mark in ("# one", "# two"):
        running = Ambient("2024-01-01", mark)
        activate(running)
        before = running.snapshot()
        texts.append(world(SOURCE + mark).call("loaded", {}).text)
        assert running.snapshot() == before
    assert texts[0] == texts[1]


@pytest.mark.parametrize("name", ["missing", "not_callable"])
def test_what_is_no_method_once_the_module_has_run_is_a_failure(name: str) -> None:
    with pytest.raises(LoadFailure, match=name):
        Program.of(SOURCE, "C", (name,))


@pytest.mark.parametrize("source", ["raise ValueError('x')", "import sys; sys.exit(1)", "class D: pass", "class C(:"])
def test_a_source_that_cannot_run_is_a_failure(source: str) -> None:
    with pytest.raises(LoadFailure, match="'C'"):
        Program.of(source, "C", ())


def test_a_class_without_attributes_is_a_failure() -> None:
    with pytest.raises((LoadFailure, StateTooLarge)):
        world("class C:\n    __slots__ = ('a', 'b')\n    def f(self): pass\n", ("f",), {"a": 1})


def test_worlds_of_one_program_share_no_state() -> None:
    source = "class C:\n    def __init__(self): self.items = []\n    def add(self, x): self.items.append(x)\n"
    state: dict[str, Any] = {"items": [[0]]}
    one, other = world(source, ("add",), state), world(source, ("add",), state)
    one.call("add", {"x": 1})
    assert one.state() == {"items": [[0], 1]}
    assert other.state() == state == {"items": [[0]]}
    one.state()["items"].clear()
    assert one.state() == {"items": [[0], 1]}
