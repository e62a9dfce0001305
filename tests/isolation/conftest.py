"""A toy environment that behaves in every good and bad way, and worlds and bundles made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import Check
from envscaler_gym.isolation import IsolatedWorld, Limits, WorkerProgram
from envscaler_gym.manifest import Manifest, Provenance, ToolEntry
from envscaler_gym.scenario import Scenario, StartState
from envscaler_gym.tools import public_methods

TOY = """\
import datetime
import random
import time
import uuid
from collections import defaultdict
from decimal import Decimal

LOADS = []


class Toy:
    def __init__(self, init_config: dict):
        self.items = {}
        LOADS.append(1)

    def put(self, key: str, value: str) -> dict:
        self.items[key] = value
        return {"success": True, "message": "put " + key}

    def get(self, key: str) -> dict:
        if key not in self.items:
            return {"success": False, "error": "nothing under " + key}
        return {"success": True, "data": self.items[key]}

    def echo(self, value: object) -> dict:
        return {"success": True, "data": value, "type": type(value).__name__}

    def loads(self) -> dict:
        return {"success": True, "data": len(LOADS)}

    def now(self) -> dict:
        parsed = datetime.datetime.strptime("2024-02-03", "%Y-%m-%d")
        drawn = [str(uuid.uuid4()), random.random()]
        return {"success": True, "data": [datetime.datetime.now(), time.time(), parsed, *drawn]}

    def store_oddities(self) -> dict:
        self.items["now"] = datetime.datetime.now()
        self.items["tuple"] = (1, (2.5, None))
        self.items["set"] = {"b", "a"}
        self.items["big"] = 10**40
        self.items["keys"] = {1: "one", (1, 2): "pair"}
        self.items["nan"] = float("inf")
        self.items["text"] = "\\ud800"
        self.items["default"] = defaultdict(list, {"a": [1]})
        self.items["decimal"] = Decimal("1.10")
        self.items["$"] = {"$": ["tuple", [1]]}
        return {"success": True, "data": self.items}

    def append_default(self) -> dict:
        self.items["default"]["new"].append(1)
        now = self.items["now"]
        return {"success": True, "data": now.isoformat(), "same": isinstance(now, datetime.datetime)}

    def sets(self) -> dict:
        return {"success": True, "data": {str(n) for n in range(30)}}

    def say(self) -> dict:
        print("x" * 3000)
        return {"success": True}

    def reach(self) -> dict:
        try:
            import os
        except ImportError as error:
            return {"success": False, "error": str(error)[:60]}
        return {"success": True, "data": os.getpid()}

    def fail(self) -> dict:
        raise KeyError("missing")

    def fail_badly(self) -> dict:
        class Odd(BaseException):
            pass
        raise Odd("odd")

    def spin(self) -> dict:
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass

    def sleep(self) -> dict:
        time.sleep(3600)
        return {"success": True}

    def grow(self) -> dict:
        kept = []
        while True:
            kept.append("x" * 1_000_000)

    def grow_stubbornly(self) -> dict:
        kept = []
        while True:
            try:
                kept.append([0] * 1_000_000)
            except MemoryError:
                pass

    def long_reply(self) -> dict:
        return {"success": True, "data": "x" * (1 << 20)}

    def grow_state(self, size: int) -> dict:
        self.items["big"] = "x" * size
        return {"success": True}

    def many_in_state(self, size: int) -> dict:
        self.items["many"] = [{} for _ in range(size)]
        return {"success": True}

    def nest(self, depth: int) -> dict:
        for _ in range(depth):
            self.items = {"inner": self.items}
        return {"success": True}

    def loop_state(self) -> dict:
        self.items["self"] = self.items
        return {"success": True}

    def store_object(self) -> dict:
        self.items["object"] = object
        return {"success": True}

    def _system(self):
        classes = ().__class__.__base__.__subclasses__()
        return [c for c in classes if c.__name__ == "_wrap_close"][0].__init__.__globals__

    def leave(self, status: int) -> dict:
        self._system()["_exit"](status)
        return {"success": True}

    def write(self, data: str, times: int) -> dict:
        raw = bytes.fromhex(data) * times
        while raw:
            raw = raw[self._system()["write"](3, raw):]
        return {"success": True}

    def touch(self, path: str) -> dict:
        system = self._system()
        problems = []
        for name, arguments in (
            ("open", (path, 0o102)), ("fork", ()), ("listdir", ("/",)), ("kill", (1, 0)), ("dup", (3,)),
            ("system", ("true",)), ("pipe", ()), ("setuid", (0,)),
        ):
            try:
                problems.append([name, repr(system[name](*arguments))])
            except OSError as error:
                problems.append([name, error.errno])
        return {"success": True, "data": problems}
"""


@pytest.fixture
def toy_tools() -> tuple[str, ...]:
    return tuple(public_methods(TOY, "Toy"))


@pytest.fixture
def make_world() -> Iterator[Callable[..., IsolatedWorld]]:
    """Make worlds that are closed at the end: of the toy, or of another source with a class ``Toy``."""
    worlds: list[IsolatedWorld] = []

    def make(source: str = TOY, **limits: Any) -> IsolatedWorld:
        program = WorkerProgram(source, "Toy", tuple(public_methods(source, "Toy")))
        worlds.append(IsolatedWorld(program, Limits.of(limits)))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., str]:
    """Save a bundle and return its path."""

    def make(source: str = TOY, checks: tuple[str, ...] = (), guards: tuple[str, ...] = ()) -> str:
        names = public_methods(source, "Toy")
        manifest = Manifest(
            id="toys/Toy-v0",
            class_name="Toy",
            tools=tuple(ToolEntry(name=name, kind="state_change") for name in names),
            provenance=Provenance(method="handwritten"),
        )
        scenario = Scenario(
            id="first",
            start_state="empty",
            task="Put something under 'a'.",
            checks=tuple(Check(text=f"check {n}", source=check) for n, check in enumerate(checks)) or (PASSES,),
            guards=tuple(Check(text=f"guard {n}", source=guard) for n, guard in enumerate(guards)),
        )
        start = StartState(id="empty", state={"items": {"start": "here"}})
        bundle = Bundle(manifest, source, None, {"empty": start}, {"first": scenario})
        folder = tmp_path / "toy"
        bundle.save(folder)
        return str(folder)

    return make


PASSES = Check(
    text="Is there an item?", source="def check_func(final_state):\n    return len(final_state['items']) > 0\n"
)
