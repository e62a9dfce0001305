"""Toy bundles for the tests: a tea shop that behaves, and a class whose tools do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import Check
from envscaler_gym.manifest import Manifest, Provenance, ToolEntry
from envscaler_gym.scenario import Scenario, SolutionCall, StartState
from envscaler_gym.tools import public_methods

TEA_SHOP_ID = "toys/TeaShop-v0"
HOSTILE_ID = "toys/Hostile-v0"

TEA_SHOP_SOURCE = '''\
"""A shop that sells tea by the gram."""

import random
import uuid
from datetime import datetime
from typing import Any, Dict, List, Literal, Optional, TypedDict


class Origin(TypedDict):
    country: str
    year: int


class Tea(TypedDict):
    tea_id: str
    name: str
    grams: int
    tags: List[str]
    origin: Origin


class TeaShop:
    """State: teas and orders, both by id."""

    def __init__(self, init_config: Dict[str, Any]) -> None:
        del init_config
        self.teas: Dict[str, Tea] = {}
        self.orders: Dict[str, Dict[str, Any]] = {}

    def list_teas(self, tag: Optional[str] = None, limit: int = 50) -> Dict[str, Any]:
        """List the teas.

        Args:
            tag: Only those with this tag.
            limit: Longest list.

        Returns:
            The teas' names by id.
        """
        names = {key: tea["name"] for key, tea in self.teas.items() if tag is None or tag in tea["tags"]}
        return {"success": True, "data": dict(list(names.items())[: max(limit, 0)])}

    def get_tea(self, tea_id: str) -> Dict[str, Any]:
        """Return a tea."""
        if tea_id not in self.teas:
            return {"success": False, "error": "There is no such tea."}
        return {"success": True, "data": self.teas[tea_id]}

    def order_tea(self, tea_id: str, grams: int, *, note: str = None, rush: bool = False) -> Dict[str, Any]:
        """Order some tea.

        Args:
            tea_id: Which.
            grams: How much; at most what is there.
            note: A remark.
            rush: Whether it is urgent.
        """
        tea = self.teas.get(tea_id)
        if tea is None or not 0 < grams <= tea["grams"]:
            return {"success": False, "error": "Not that tea, or not that much of it."}
        tea["grams"] -= grams
        order_id = str(uuid.uuid4())
        self.orders[order_id] = {
            "tea_id": tea_id,
            "grams": grams,
            "note": note,
            "rush": rush,
            "at": datetime.now().isoformat(),
        }
        return {"success": True, "message": "Ordered.", "data": {"order_id": order_id}}

    def cancel_order(self, order_id: str) -> Dict[str, Any]:
        """Cancel an order."""
        order = self.orders.pop(order_id, None)
        if order is None:
            return {"success": False, "error": "There is no such order."}
        self.teas[order["tea_id"]]["grams"] += order["grams"]
        return {"success": True, "message": "Cancelled."}

    def restock(self, tea_id: str, bag: Literal[50, 100, 500], price: float = 0.0) -> Dict[str, Any]:
        """Put a bag of tea on the shelf."""
        if tea_id not in self.teas:
            return {"success": False, "error": "There is no such tea."}
        self.teas[tea_id]["grams"] += bag
        return {"success": True, "message": f"{bag} g for {price}."}

    def set_tags(self, tea_id: str, tags: List[str]) -> Dict[str, Any]:
        """Replace the tags of a tea."""
        if tea_id not in self.teas:
            return {"success": False, "error": "There is no such tea."}
        self.teas[tea_id]["tags"] = tags
        return {"success": True, "message": "Done."}

    def set_origin(self, tea_id: str, origin: Origin) -> Dict[str, Any]:
        """Replace the origin of a tea."""
        if tea_id not in self.teas:
            return {"success": False, "error": "There is no such tea."}
        self.teas[tea_id]["origin"] = origin
        return {"success": True, "message": "Done."}

    def annotate(self, tea_id: str, facts: Dict[str, Any]) -> Dict[str, Any]:
        """Add facts of any form to a tea."""
        if tea_id not in self.teas:
            return {"success": False, "error": "There is no such tea."}
        self.teas[tea_id].update(facts=facts)
        return {"success": True, "message": "Done."}

    def surprise(self) -> Dict[str, Any]:
        """Suggest some tea."""
        return {"success": True, "data": random.choice(sorted(self.teas))}

    def opening_hours(self) -> Dict[str, Any]:
        """Tell the time."""
        return {"success": True, "data": str(datetime.now())}

    def _audit(self) -> Dict[str, Any]:
        raise AssertionError("private: never called")
'''

HOSTILE_SOURCE = """\
import copy
import datetime
import threading


class BadStr(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class Point:
    pass


class Hostile:
    shelf = "class attribute"

    def __init__(self, init_config):
        if init_config.get("explode"):
            raise RuntimeError("boom at load")
        self.items = {}

    def fine(self):
        return {"success": True, "data": len(self.items)}

    def put(self, key: str, value=None):
        self.items[key] = value
        return {"success": True, "data": self.items}

    def live(self):
        return self.items

    def boom(self):
        raise ValueError("boom")

    def unspeakable(self):
        raise BadStr

    def leave(self):
        raise SystemExit(3)

    def endless(self):
        return self.endless()

    def long_error(self):
        raise ValueError("x" * 5_000_000)

    def huge(self):
        return {"success": True, "data": "x" * 2_000_000}

    def huge_number(self):
        return {"success": True, "data": 10 ** 6000}

    def a_set(self):
        return {"success": True, "data": {"b", "a", "c", "long word"}}

    def dates(self):
        return {"success": True, "data": [datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12), 1j]}

    def an_object(self):
        return {"success": True, "data": Point()}

    def nothing(self):
        return None

    def odd_success(self):
        return {"success": 1}

    def surrogate(self):
        return {"success": True, "data": "\\ud800"}

    def cyclic(self):
        node = {"children": []}
        node["children"] += [{"parent": node}, {"parent": node}, {"parent": node}]
        return {"success": True, "data": node}

    def friends(self):
        people = [{"name": str(i), "friends": []} for i in range(30)]
        for person in people:
            person["friends"] = people
        return {"success": True, "data": people}

    def deep(self):
        value = []
        for _ in range(100_000):
            value = [value]
        return {"success": True, "data": value}

    def lock_up(self):
        self.lock = threading.Lock()
        return {"success": True}

    def dig(self):
        self.items["pit"] = []
        hole = self.items["pit"]
        for _ in range(100_000):
            hole.append([])
            hole = hole[0]
        return {"success": True}

    def share(self):
        record = {"count": 0}
        self.items["a"] = record
        self.items["b"] = record
        return {"success": True}

    def count(self):
        self.items["a"]["count"] += 1
        return {"success": True, "data": self.items["b"]["count"]}
"""

TEAS: dict[str, Any] = {
    "teas": {
        "T-1": {
            "tea_id": "T-1",
            "name": "Sencha",
            "grams": 500,
            "tags": ["green"],
            "origin": {"country": "Japan", "year": 2024},
        },
        "T-2": {
            "tea_id": "T-2",
            "name": "Assam",
            "grams": 120,
            "tags": ["black", "strong"],
            "origin": {"country": "India", "year": 2023},
        },
    },
    "orders": {},
}


def check(body: str, text: str = "Does it hold?") -> Check:
    """Return a check whose function has the given body."""
    return Check(text=text, source="def check_func(final_state):\n    " + body.replace("\n", "\n    ") + "\n")


def solution(*calls: tuple[str, dict[str, Any]]) -> tuple[SolutionCall, ...]:
    """Return the calls of a reference solution."""
    return tuple(SolutionCall(name=name, arguments=arguments) for name, arguments in calls)


def make_bundle(
    source: str,
    class_name: str,
    scenarios: Sequence[Scenario],
    start_states: Mapping[str, Mapping[str, Any]],
    id: str = "toys/Some-v0",  # noqa: A002 - the field's name
    kinds: Mapping[str, Any] | None = None,
) -> Bundle:
    """Return a bundle of a class whose public methods are its tools, queries unless ``kinds`` says otherwise."""
    names = public_methods(source, class_name)
    tools = tuple(ToolEntry(name=name, kind=(kinds or {}).get(name, "query")) for name in names)
    manifest = Manifest(id=id, class_name=class_name, tools=tools, provenance=Provenance(method="handwritten"))
    states = {key: StartState(id=key, state=state) for key, state in start_states.items()}
    return Bundle(manifest, source, None, states, {scenario.id: scenario for scenario in scenarios})


SENCHA_ORDERED = 'return any(o["tea_id"] == "T-1" and o["grams"] == 100 for o in final_state["orders"].values())'
SENCHA_GONE = 'return final_state["teas"]["T-1"]["grams"] == initial_state["teas"]["T-1"]["grams"] - 100'
ASSAM_KEPT = 'return final_state["teas"]["T-2"] == initial_state["teas"]["T-2"]'
ASSAM_BIG = 'return final_state["teas"]["T-2"]["grams"] == 220'
ORDER_SENCHA = ("order_tea", {"tea_id": "T-1", "grams": 100, "note": "gift"})


def tea_shop(id: str = TEA_SHOP_ID) -> Bundle:  # noqa: A002 - the field's name
    """Return a bundle with scenarios of every kind: easy to hard, guarded, spoken, partly true, and ungraded."""
    ordered = (check(SENCHA_ORDERED, "Is 100 g of Sencha ordered?"), check(SENCHA_GONE, "Is it off the shelf?"))
    kept = (check(ASSAM_KEPT, "Is the Assam untouched?"),)
    restocked = (check(ASSAM_BIG, "Is the Assam restocked?"),)
    scenarios = (
        Scenario(
            id="order-sencha",
            start_state="shop",
            task="Order 100 g of Sencha.",
            checks=ordered,
            guards=kept,
            solution=solution(("list_teas", {"tag": "green"}), ORDER_SENCHA),
            difficulty="easy",
            max_steps=8,
        ),
        Scenario(
            id="restock-assam",
            start_state="shop",
            task="Put 100 g of Assam on the shelf.",
            checks=restocked,
            solution=solution(("restock", {"tea_id": "T-2", "bag": 100})),
            difficulty="medium",
            split="test",
            clock="2024-02-29T23:59:58",
        ),
        Scenario(
            id="both",
            start_state="shop",
            task="Order 100 g of Sencha and put 100 g of Assam on the shelf.",
            requests=("I would like 100 g of Sencha.", "And put 100 g of Assam on the shelf."),
            checks=(*ordered, *restocked),
            solution=solution(ORDER_SENCHA, ("restock", {"tea_id": "T-2", "bag": 100})),
            difficulty="hard",
        ),
        Scenario(
            id="partly-true",
            start_state="shop",
            task="Order 100 g of Sencha; leave the Assam alone.",
            checks=(*ordered, *kept),
            solution=solution(ORDER_SENCHA),
        ),
        Scenario(id="ungraded", start_state="shop", task="Look around."),
    )
    changing = ("order_tea", "cancel_order", "restock", "set_tags", "set_origin", "annotate")
    kinds = dict.fromkeys(changing, "state_change")
    return make_bundle(TEA_SHOP_SOURCE, "TeaShop", scenarios, {"shop": TEAS}, id, kinds)


def hostile(id: str = HOSTILE_ID) -> Bundle:  # noqa: A002 - the field's name
    """Return a bundle whose tools raise, return what is no JSON, and spoil the state."""
    checks = (check('return "done" in final_state["items"]'),)
    scenarios = (
        Scenario(id="calm", start_state="empty", task="Try what you like.", checks=checks, max_steps=10),
        Scenario(id="unloadable", start_state="bomb", task="Nothing can be done.", checks=checks, split="test"),
    )
    start_states: dict[str, dict[str, Any]] = {"empty": {"items": {}}, "bomb": {"items": {}, "explode": True}}
    return make_bundle(HOSTILE_SOURCE, "Hostile", scenarios, start_states, id)
