"""State machines find planted defects, shrink them to the shortest program, and print one that shows them again."""

from __future__ import annotations

import ast
import re
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

import envscaler_gym
from envscaler_gym import registry
from envscaler_gym.bundle import Bundle, load_bundle
from envscaler_gym.errors import BundleError, ToolFailure, UnknownNameError
from envscaler_gym.quality import state_machine
from envscaler_gym.quality.defects import (
    Defect,
    InvariantViolated,
    OddResult,
    QueryChangedState,
    RefusalChangedState,
    StateOfOtherTypes,
    ToolRaised,
)
from envscaler_gym.quality.properties.machine import EnvironmentMachine
from envscaler_gym.quality.strategies import present
from envscaler_gym.scenario import Scenario
from tests import toys

SHOP = '''\
"""A shop that takes orders and ships them."""

import uuid
from typing import Any, Dict, Literal, TypedDict


class Item(TypedDict):
    item_id: str
    bought: int
    stock: int


class Order(TypedDict):
    order_id: str
    item_id: str
    status: Literal["placed", "shipped", "cancelled"]


class Shop:
    def __init__(self, init_config: Dict[str, Any]) -> None:
        del init_config
        self.items: Dict[str, Item] = {}
        self.orders: Dict[str, Order] = {}

    def list_items(self, limit: int = 10) -> Dict[str, Any]:
        """List the items."""
        return {"success": True, "data": list(self.items)[: max(limit, 0)]}

    def draw_label(
        self, item_id: str, size: int, color: str, price: float, note: str = "", bold: bool = False
    ) -> Dict[str, Any]:
        """Draw a label: a call with many arguments, which no defect needs."""
        if item_id not in self.items:
            return {"success": False, "error": "There is no such item."}
        return {"success": True, "data": [item_id, size, color, price, note, bold]}

    def write_off(self, item_id: str, count: int) -> Dict[str, Any]:
        """Write some of the stock off."""
        if item_id not in self.items or count <= 0:
            return {"success": False, "error": "Not that."}
        if count > self.items[item_id]["stock"]:
            return {"success": False, "error": "Not that many."}
        self.items[item_id]["stock"] -= count
        self.items[item_id]["bought"] -= count
        return {"success": True, "message": "Done."}

    def place(self, item_id: str) -> Dict[str, Any]:
        """Order an item."""
        if item_id not in self.items or not self.items[item_id]["stock"]:
            return {"success": False, "error": "There is none."}
        self.items[item_id]["stock"] -= 1
        order_id = str(uuid.uuid4())
        self.orders[order_id] = {"order_id": order_id, "item_id": item_id, "status": "placed"}
        return {"success": True, "data": {"order_id": order_id}}

    def ship(self, order_id: str) -> Dict[str, Any]:
        """Ship an order."""
        if order_id not in self.orders or self.orders[order_id]["status"] != "placed":
            return {"success": False, "error": "Nothing to ship."}
        self.orders[order_id]["status"] = "shipped"
        return {"success": True, "message": "Shipped."}

    def cancel(self, order_id: str) -> Dict[str, Any]:
        """Cancel an order."""
        if order_id not in self.orders or self.orders[order_id]["status"] in ("shipped", "cancelled"):
            return {"success": False, "error": "Too late."}
        order = self.orders[order_id]
        self.items[order["item_id"]]["stock"] += 1
        if order["status"] == "placed":
            order["status"] = "cancelled"
        return {"success": True, "message": "Cancelled."}
'''

INVARIANTS = '''\
def orders_name_items(state):
    """Every order names an item."""
    return [f"{key} does not" for key, row in state["orders"].items() if row["item_id"] not in state["items"]]


def stock_adds_up(state):
    """What was bought of an item is in stock, or went into an order that was not cancelled."""
    problems = []
    for key, item in state["items"].items():
        gone = sum(row["item_id"] == key and row["status"] != "cancelled" for row in state["orders"].values())
        if item["stock"] + gone != item["bought"]:
            problems.append(f"{item['stock']} of {key} and {gone} orders, {item['bought']} bought")
    return problems
'''

START = {
    "items": {
        "I-1": {"item_id": "I-1", "bought": 5, "stock": 5},
        "I-2": {"item_id": "I-2", "bought": 2, "stock": 2},
    },
    "orders": {},
}

Planted = tuple[str, str, type[Defect], list[tuple[str, dict[str, Any]]]]
PLANTED: dict[str, Planted] = {
    "raises for some arguments": (
        "list(self.items)[: max(limit, 0)]",
        "list(self.items)[: max(limit, 0)] if limit >= 0 else 1 // 0",
        ToolRaised,
        [("list_items", {"limit": -1})],
    ),
    "writes before it refuses": (
        'if count > self.items[item_id]["stock"]:\n',
        'if count > self.items[item_id]["stock"]:\n            self.items[item_id]["stock"] = 0\n',
        RefusalChangedState,
        [("write_off", {"item_id": "I-1", "count": 6})],
    ),
    "a query writes": (
        '"""List the items."""\n',
        '"""List the items."""\n        self.items.pop("I-2" if limit > 2 else "", None)\n',
        QueryChangedState,
        [("list_items", {})],
    ),
    "answers in another form": (
        '{"success": True, "message": "Shipped."}',
        '{"ok": True}',
        OddResult,
        [("place", {"item_id": "I-1"}), ("ship", {"order_id": ...})],
    ),
    "stores another type": (
        '["status"] = "cancelled"',
        '["status"] = None',
        StateOfOtherTypes,
        [("place", {"item_id": "I-1"}), ("cancel", {"order_id": ...})],
    ),
    "an invariant breaks after three calls": (
        'in ("shipped", "cancelled")',
        '== "cancelled"',
        InvariantViolated,
        [("place", {"item_id": "I-1"}), ("ship", {"order_id": ...}), ("cancel", {"order_id": ...})],
    ),
}
"""What to replace by what in the shop, the defect that this makes, and the shortest program that shows it."""

MODEST = settings(max_examples=50, stateful_step_count=20, phases=[Phase.generate, Phase.shrink])
THOROUGH = settings(MODEST, max_examples=1000)  # ends with the first failure


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., Bundle]:
    """Return a function that saves a shop in which something is replaced."""

    def make(old: str = "", new: str = "", **changes: Any) -> Bundle:
        assert old in SHOP
        bundle = toys.make_bundle(
            SHOP.replace(old, new) if old else SHOP,
            "Shop",
            [Scenario(id="a", start_state="full", task="Look around.", **changes)],
            {"full": START},
            "toys/Shop-v0",
            dict.fromkeys(("write_off", "place", "ship", "cancel"), "state_change"),
        )
        folder = tmp_path / "shop"
        Bundle(bundle.manifest, bundle.source, INVARIANTS, bundle.start_states, bundle.scenarios).save(folder)
        return load_bundle(folder)

    return make


def failure(machine: type[EnvironmentMachine], kind: type[BaseException] = Defect) -> BaseException:
    with pytest.raises(kind) as caught:
        run_state_machine_as_test(machine, settings=THOROUGH)
    return caught.value


def program_of(error: BaseException) -> str:
    (program,) = [note for note in error.__notes__ if note.startswith("import gymnasium")]
    return program


def calls_of(program: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the calls in a printed program, with ``...`` for ids that were generated."""
    steps = [
        ast.literal_eval(node.args[0])
        for node in ast.walk(ast.parse(program))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "step"
    ]
    return [
        (step["name"], {name: ... if name == "order_id" else value for name, value in step["arguments"].items()})
        for step in steps
    ]


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_planted_defect_is_found_shrunk_and_shown_again(planted: Planted, shop: Callable[..., Bundle]) -> None:
    old, new, kind, shortest = planted
    bundle = shop(old, new)
    error = failure(state_machine(bundle, trust=True))
    program = program_of(error)
    assert type(error) is kind
    assert calls_of(program) == shortest
    assert program.splitlines()[-1].startswith(f"# {kind.__name__}: ")
    with pytest.raises((AssertionError, ToolFailure)):
        exec(program, {})
    shop()  # the same folder, without the defect
    exec(program, {"print": print})


def test_the_twin_without_defects_passes(shop: Callable[..., Bundle]) -> None:
    run_state_machine_as_test(state_machine(shop(), trust=True), settings=MODEST)


def test_code_that_nobody_has_reviewed_runs_in_workers(
    shop: Callable[..., Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_state_machine_as_test(state_machine(shop()), settings=settings(MODEST, max_examples=5))
    old, new, kind, shortest = PLANTED["writes before it refuses"]
    error = failure(state_machine(shop(old, new)))
    assert type(error) is kind
    assert calls_of(program_of(error)) == shortest
    monkeypatch.setitem(START["items"]["I-2"], "stock", 7)
    error = failure(state_machine(shop()), InvariantViolated)
    assert "trust" not in program_of(error)
    with pytest.raises(AssertionError, match="stock_adds_up"):
        exec(program_of(error), {})


@pytest.mark.parametrize("environment", registry.shipped_ids())
def test_shipped_environments_pass(environment: str) -> None:
    run_state_machine_as_test(state_machine(environment), settings=settings(MODEST, max_examples=25))


def test_equal_settings_find_equal_programs(shop: Callable[..., Bundle]) -> None:
    bundle = shop(*PLANTED["a query writes"][:2])
    first, second = (program_of(failure(state_machine(bundle, trust=True))) for _ in range(2))
    assert first == second


def test_a_program_may_be_longer_than_the_episode(shop: Callable[..., Bundle]) -> None:
    old, new, _, shortest = PLANTED["answers in another form"]
    program = program_of(failure(state_machine(shop(old, new, max_steps=1), trust=True)))
    assert len(calls_of(program)) == len(shortest) == 2
    with pytest.raises(AssertionError, match="ok"):
        exec(program, {})


@pytest.mark.parametrize(
    ("field", "value", "kind"), [("stock", 7, InvariantViolated), ("item_id", 7, StateOfOtherTypes)]
)
def test_a_start_state_that_is_wrong_takes_no_call(
    field: str, value: object, kind: type[Defect], shop: Callable[..., Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(START["items"]["I-2"], field, value)
    error = failure(state_machine(shop(), trust=True), kind)
    assert calls_of(program_of(error)) == []
    with pytest.raises(AssertionError):
        exec(program_of(error), {})


def test_a_subclass_adds_invariants_and_rules(shop: Callable[..., Bundle]) -> None:
    class Rules(state_machine(shop(), trust=True)):  # type: ignore[misc]  # made at run time
        @rule(item_id=present("item_id"), count=st.integers(1, 3))
        def write_off_from_the_second(self, item_id: str, count: int) -> None:
            assert item_id in self.initial_state["items"]
            if item_id == "I-2":
                stock = self.state["items"][item_id]["stock"]
                result = self.call("write_off", item_id=item_id, count=count)
                assert result["success"] == (count <= stock)

        @invariant()
        def something_is_left(self) -> None:
            assert self.scenario.id == "a"
            assert self.state["items"]["I-2"]["stock"], "nothing is left"

    error = failure(Rules, AssertionError)
    program = program_of(error)
    assert program.endswith("# AssertionError: nothing is left\n")
    calls = calls_of(program)
    assert calls in ([("write_off", {"item_id": "I-2", "count": 2})], [("place", {"item_id": "I-2"})] * 2)
    exec(program, {})  # the environment itself is sound


def test_known_defects_can_be_let_pass_and_tools_left_out(shop: Callable[..., Bundle]) -> None:
    old, new, *_ = PLANTED["answers in another form"]
    bundle = shop()
    source = bundle.source.replace(old, new).replace(*PLANTED["raises for some arguments"][:2])
    both = Bundle(bundle.manifest, source, INVARIANTS, bundle.start_states, bundle.scenarios)
    machine = state_machine(both, ignore=[OddResult], trust=True)
    assert type(failure(machine)) is ToolRaised

    class WithoutListing(machine):  # type: ignore[misc, valid-type]  # made at run time
        list_items = None

    run_state_machine_as_test(WithoutListing, settings=settings(MODEST, max_examples=30))
    with pytest.raises(ValueError, match="ToolRaised cannot be ignored"):
        state_machine(both, ignore=[ToolRaised])


def test_the_test_case_runs_under_unittest(shop: Callable[..., Bundle]) -> None:
    case = state_machine(shop(*PLANTED["a query writes"][:2]), trust=True).TestCase
    case.settings = MODEST
    result = unittest.TestResult()
    unittest.TestSuite([case()]).run(result)
    assert result.testsRun == 1
    assert len(result.failures) == 1
    assert "QueryChangedState" in result.failures[0][1]


def test_tools_may_have_the_names_of_what_a_machine_has() -> None:
    source = "class Odd:\n" + "".join(
        f"    def {name}(self, name: str = 'x'):\n        return {{'success': True, 'data': name}}\n"
        for name in ("teardown", "bundle", "call", "state", "start", "scenario", "rules")
    )
    scenario = Scenario(id="s", start_state="s", task="Look.")
    machine = state_machine(toys.make_bundle(source, "Odd", [scenario], {"s": {}}), trust=True)
    called: set[str] = set()

    class Recording(machine):  # type: ignore[misc, valid-type]  # made at run time
        def teardown(self) -> None:
            called.update(call.name for call in self.calls)
            super().teardown()

    run_state_machine_as_test(Recording, settings=settings(MODEST, max_examples=30))
    assert called == {"teardown", "bundle", "call", "state", "start", "scenario", "rules"}


def test_calls_of_the_user_are_checked(shop: Callable[..., Bundle]) -> None:
    machine = state_machine(shop(), trust=True)()
    machine.start("a")
    assert machine.call("write_off", item_id="I-1", count=1) == {"success": True, "message": "Done."}
    assert machine.state["items"]["I-1"]["stock"] == 4
    assert machine.initial_state["items"]["I-1"]["stock"] == 5
    with pytest.raises(UnknownNameError, match="Did you mean 'write_off'"):
        machine.call("write_of", item_id="I-1", count=1)
    with pytest.raises(ValueError, match="required argument 'count' is missing"):
        machine.call("write_off", item_id="I-1")
    assert [call.name for call in machine.calls] == ["write_off"]


def test_there_must_be_something_to_begin_with() -> None:
    with pytest.raises(UnknownNameError):
        state_machine("envscaler/Nowhere-v0")
    with pytest.raises(BundleError, match="has no scenarios"):
        state_machine(toys.make_bundle(SHOP, "Shop", [], {}))


def test_hypothesis_is_imported_only_where_it_is_needed(run_python: Callable[..., str]) -> None:
    code = """
import sys
import envscaler_gym.quality
assert "hypothesis" not in sys.modules
sys.modules["hypothesis"] = None
for statement in ("from envscaler_gym.quality import state_machine", "import envscaler_gym.quality.strategies"):
    try:
        exec(statement)
    except ImportError as error:
        print(error)
"""
    assert run_python(code).splitlines() == ['Property tests need Hypothesis: pip install "envscaler-gym[testing]"'] * 2


def test_an_attribute_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'state_machines'"):
        _ = envscaler_gym.quality.state_machines


ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "property_testing.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)


def test_the_page_keeps_its_promise_of_ten_lines() -> None:
    assert "ten lines" in DOCS.splitlines()[0]
    assert len([line for line in BLOCKS[0].splitlines() if line]) <= 10
    assert set(re.findall(r"\| `([A-Z]\w+)` \|", DOCS)) == {kind.__name__ for *_, kind, _ in PLANTED.values()}


@pytest.mark.parametrize("block", BLOCKS)
def test_the_code_on_the_page_runs(block: str) -> None:
    names: dict[str, Any] = {}
    exec(block, names)
    few = settings(MODEST, max_examples=10)
    machines = [v for v in names.values() if isinstance(v, type) and issubclass(v, EnvironmentMachine)]
    tests = [v for name, v in names.items() if name.startswith("test_")]
    assert len(machines) + len(tests) == 1
    for machine in machines:
        run_state_machine_as_test(machine, settings=few)
    for test in tests:
        few(test)()


def test_the_first_example_on_the_page_fails_where_a_payment_is_changed() -> None:
    names: dict[str, Any] = {}
    exec(BLOCKS[0].replace("payments", "books").replace("== payment", "is None"), names)
    assert "was changed" in str(failure(names["Desk"], AssertionError))


def test_the_example_runs_and_prints_a_program_that_runs(run_python: Callable[..., str]) -> None:
    path = ROOT / "examples" / "property_test.py"
    printed = run_python(f"import runpy; runpy.run_path({str(path)!r})")
    assert "the desk does what it must" in printed
    program = printed[printed.index("import gymnasium") :]
    assert len(calls_of(program)) == 1
    exec(program, {})
