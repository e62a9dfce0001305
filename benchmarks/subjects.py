"""What is measured: two bundles with 30 records per entity, and the same class without the library."""

from __future__ import annotations

import copy
import datetime
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import msgspec

from envscaler_gym import Bundle, Check, Manifest, Scenario, SolutionCall, StartState, load_bundle, registry
from envscaler_gym.manifest import Provenance, ToolEntry

__all__ = ["Bare", "Call", "Subject", "make_subjects"]

RECORDS = 30
"""Records per entity, at least."""

_PENDING = ("open", "ready", "waiting")
"""Statuses of records that stand in the way of others, and so are not multiplied."""

Call = tuple[str, dict[str, Any]]


class Subject(NamedTuple):
    """A bundle that is measured.

    Attributes:
        title: What it is, for the table.
        bundle: The bundle, with one start state and one scenario.
    """

    title: str
    bundle: Bundle

    @property
    def scenario(self) -> Scenario:
        """The scenario that is played."""
        return next(iter(self.bundle.scenarios.values()))

    @property
    def start_state(self) -> dict[str, Any]:
        """A copy of the start state."""
        return copy.deepcopy(dict(self.bundle.start_states[self.scenario.start_state].state))

    @property
    def calls(self) -> list[Call]:
        """The reference solution: look-ups, searches and state changes."""
        return [(call.name, dict(call.arguments)) for call in self.scenario.solution]

    def make(self) -> gym.Env[str, Any]:
        """Return an environment as ``gym.make`` wraps it."""
        return gym.make(self.bundle.id, trust=True)


def make_subjects(folder: Path) -> list[Subject]:
    """Write the bundles into a folder, register them, and return the mixed one and the trivial one.

    Args:
        folder: An empty folder.
    """
    subjects = [_library(), _stockroom()]
    for subject in subjects:
        subject.bundle.save(folder / subject.bundle.manifest.class_name)
    os.environ["ENVSCALER_PATH"] = str(folder)
    registry.register_all()
    return subjects


def _library() -> Subject:
    bundle = load_bundle(registry.SHIPPED / "library", verify=False)
    scenario = max(bundle.scenarios.values(), key=lambda scenario: len(scenario.solution))
    state = {name: _topped_up(table) for name, table in bundle.start_states[scenario.start_state].state.items()}
    small = Bundle(
        bundle.manifest.model_copy(update={"id": "benchmark/Library-v0"}),
        bundle.source,
        None,
        {scenario.start_state: StartState(id=scenario.start_state, state=state)},
        {scenario.id: scenario},
    )
    return Subject(f"Library, {_size(state)}, the {len(scenario.solution)} calls of {scenario.id!r}", small)


def _topped_up(table: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return a table with copies of its closed records under keys of their own, until it has enough."""
    records = dict(table)
    closed = [(key, record) for key, record in table.items() if record.get("status") not in _PENDING]
    for number, (key, record) in enumerate(itertools.cycle(closed), 1):
        if len(records) >= RECORDS:
            return records
        prefix, _, digits = key.rpartition("-")
        new_key = f"{prefix}-{number:0{len(digits)}}" if digits.isdigit() else f"{key}-{number}"
        if new_key not in records:  # small numbers, so that the next id of the table stays what it is
            records[new_key] = {field: new_key if value == key else value for field, value in record.items()}
    return records


def _stockroom() -> Subject:
    keys = [f"{number:03}" for number in range(RECORDS)]
    state: dict[str, Any] = {
        name: {f"{name}-{key}": {"id": f"{name}-{key}", "name": f"{name} {key}", "note": "in use"} for key in keys}
        for name in ("shelves", "suppliers", "orders", "people")
    }
    state["parts"] = {
        f"P-{key}": {"part_id": f"P-{key}", "name": f"bolt {key}", "shelf_id": "S-1", "count": 4, "unit_cents": 25}
        for key in keys
    }
    look_ups = [SolutionCall(name="get_part", arguments={"part_id": f"P-{key}"}) for key in keys[:9]]
    change = SolutionCall(name="set_count", arguments={"part_id": "P-004", "count": 7})
    source = "def check_func(final_state):\n    return final_state['parts']['P-004']['count'] == 7\n"
    scenario = Scenario(
        id="count",
        start_state="shelves",
        task="Seven of P-004 were counted. Write it down.",
        checks=(Check(text="Were seven written down?", source=source),),
        solution=(*look_ups, change),
    )
    manifest = Manifest(
        id="benchmark/Stockroom-v0",
        class_name="Stockroom",
        tools=(
            ToolEntry(name="get_part", kind="query"),
            ToolEntry(name="find_parts", kind="query"),
            ToolEntry(name="set_count", kind="state_change"),
        ),
        provenance=Provenance(method="handwritten"),
    )
    bundle = Bundle(
        manifest,
        Path(__file__).with_name("stockroom.py").read_text(),
        None,
        {"shelves": StartState(id="shelves", state=state)},
        {scenario.id: scenario},
    )
    return Subject(f"Stockroom, {_size(state)}, 10 trivial calls", bundle)


def _size(state: dict[str, Any]) -> str:
    return f"{len(state)} entities, {sum(map(len, state.values()))} records"


class Bare:
    """The same class and checks without the library: the floor.

    The clock is the scenario's, standing still, since the calls depend on the day; reading it costs nothing here.

    Args:
        subject: Where class, start state and checks come from.
    """

    def __init__(self, subject: Subject) -> None:
        scenario = subject.scenario
        now = datetime.datetime.fromisoformat(scenario.clock)
        self.cls = _load_class(subject, now)
        self._state = msgspec.json.encode(subject.start_state)
        self._initial_state = msgspec.json.decode(self._state)
        self._calls = subject.calls
        self._checks = [_load_check(check.source, self._initial_state) for check in scenario.checks or ()]
        self._encode = msgspec.json.Encoder().encode

    def reset(self) -> Any:
        """Return a fresh instance in the start state, by the fastest way to copy that state."""
        state = msgspec.json.decode(self._state)
        return self.instance(state)

    def instance(self, state: dict[str, Any]) -> Any:
        """Return an instance that holds ``state`` itself."""
        try:
            instance = self.cls(state)
        except TypeError:
            instance = self.cls()
        vars(instance).update(state)
        return instance

    def bind(self, instance: Any) -> list[tuple[Callable[..., Any], dict[str, Any]]]:
        """Return the calls as bound methods with arguments."""
        return [(getattr(instance, name), copy.deepcopy(arguments)) for name, arguments in self._calls]

    def play(self, calls: list[tuple[Callable[..., Any], dict[str, Any]]]) -> None:
        """Make the calls and encode their results."""
        encode = self._encode
        for method, arguments in calls:
            encode(method(**arguments))

    def episode(self) -> float:
        """Make an instance, make the calls, run the checks, and return the fraction passed."""
        instance = self.reset()
        self.play([(getattr(instance, name), arguments) for name, arguments in self._calls])
        state = vars(instance)
        return sum(check(state) for check in self._checks) / len(self._checks)


def _load_class(subject: Subject, now: datetime.datetime) -> Any:
    class FrozenDatetime(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:  # noqa: ARG003 - datetime's signature
            return now

    class FrozenDate(datetime.date):
        @classmethod
        def today(cls) -> Any:
            return now.date()

    namespace: dict[str, Any] = {"__name__": "benchmark"}
    exec(subject.bundle.source, namespace)  # noqa: S102 - a shipped bundle
    for name, stand_in in (("datetime", FrozenDatetime), ("date", FrozenDate)):
        if name in namespace:
            namespace[name] = stand_in
    return namespace[subject.bundle.manifest.class_name]


def _load_check(source: str, initial_state: dict[str, Any]) -> Callable[[dict[str, Any]], bool]:
    namespace: dict[str, Any] = {"initial_state": initial_state}
    exec(source, namespace)  # noqa: S102 - a shipped bundle
    return namespace["check_func"]  # type: ignore[no-any-return]  # what the check protocol says it is
