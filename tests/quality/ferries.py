"""A small typed bundle with references, invariants, a solution, checks and guards, and nothing wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import Check
from envscaler_gym.manifest import Entity, Manifest, Provenance, ToolEntry
from envscaler_gym.quality.reports import GateResult
from envscaler_gym.scenario import Scenario, StartState
from tests.toys import check, solution

SOURCE = '''\
from datetime import datetime
from typing import Any, Dict, Literal, Optional, TypedDict


class Ferry(TypedDict):
    ferry_id: str
    name: str
    seats: int
    price: float


class Traveller(TypedDict):
    traveller_id: str
    name: str


class Ticket(TypedDict):
    ticket_id: str
    traveller_id: str
    ferry_id: str
    seats: int
    total: float
    status: Literal["open", "boarded", "cancelled"]
    note: Optional[str]
    booked_at: str


class Ferries:
    def __init__(self, init_config: Dict[str, Any]) -> None:
        self.ferries: Dict[str, Ferry] = {}
        self.travellers: Dict[str, Traveller] = {}
        self.tickets: Dict[str, Ticket] = {}

    def list_ferries(self) -> Dict[str, Any]:
        """List the ferries."""
        return {"success": True, "data": [dict(ferry) for ferry in self.ferries.values()]}

    def find_traveller(self, name: str) -> Dict[str, Any]:
        """Find a traveller with his tickets.

        Args:
            name: Part of the name.
        """
        found = [t for t in self.travellers.values() if name.lower() in t["name"].lower()]
        if not found:
            return {"success": False, "error": "Nobody has that name."}
        tickets = [dict(t) for t in self.tickets.values() if t["traveller_id"] == found[0]["traveller_id"]]
        return {"success": True, "data": {**found[0], "tickets": tickets}}

    def book_ticket(self, traveller_id: str, ferry_id: str, seats: int) -> Dict[str, Any]:
        """Book seats on a ferry."""
        if traveller_id not in self.travellers or ferry_id not in self.ferries:
            return {"success": False, "error": "There is no such traveller or ferry."}
        if not 0 < seats <= self.ferries[ferry_id]["seats"]:
            return {"success": False, "error": "There are not so many seats."}
        ticket_id = f"TKT-{len(self.tickets) + 1:03}"
        self.ferries[ferry_id]["seats"] -= seats
        self.tickets[ticket_id] = {
            "ticket_id": ticket_id,
            "traveller_id": traveller_id,
            "ferry_id": ferry_id,
            "seats": seats,
            "total": seats * self.ferries[ferry_id]["price"],
            "status": "open",
            "note": None,
            "booked_at": datetime.now().isoformat(timespec="seconds"),
        }
        return {"success": True, "data": dict(self.tickets[ticket_id])}

    def cancel_ticket(self, ticket_id: str) -> Dict[str, Any]:
        """Cancel an open ticket."""
        ticket = self.tickets.get(ticket_id)
        if ticket is None or ticket["status"] != "open":
            return {"success": False, "error": "There is no such open ticket."}
        ticket["status"] = "cancelled"
        self.ferries[ticket["ferry_id"]]["seats"] += ticket["seats"]
        return {"success": True, "message": "Cancelled."}

    def drop_ticket(self, ticket_id: str) -> Dict[str, Any]:
        """Delete a cancelled ticket."""
        if self.tickets.get(ticket_id, {}).get("status") != "cancelled":
            return {"success": False, "error": "There is no such cancelled ticket."}
        del self.tickets[ticket_id]
        return {"success": True, "message": "Deleted."}
'''

INVARIANTS = '''\
from collections import Counter


def references_resolve(state):
    """Every ticket is of a traveller and for a ferry that exist."""
    return [
        f"{key} has a dangling reference."
        for key, ticket in state["tickets"].items()
        if ticket["traveller_id"] not in state["travellers"] or ticket["ferry_id"] not in state["ferries"]
    ]


def totals_add_up(state):
    """A ticket costs what its seats cost."""
    return [
        f"{key} costs {ticket['total']}."
        for key, ticket in state["tickets"].items()
        if ticket["total"] != ticket["seats"] * state["ferries"].get(ticket["ferry_id"], {}).get("price", 0)
    ]


def at_most_three_open(state):
    """A traveller has at most three open tickets."""
    held = Counter(ticket["traveller_id"] for ticket in state["tickets"].values() if ticket["status"] == "open")
    return [f"{key} has {count} open tickets." for key, count in held.items() if count > 3]
'''

RULES = (
    "Every ticket is of a traveller and for a ferry that exist.",
    "A ticket costs what its seats cost.",
    "A traveller has at most three open tickets.",
)


def ticket(key: str, traveller: str, ferry: str, seats: int, price: float, status: str = "open") -> dict[str, Any]:
    return {
        "ticket_id": key,
        "traveller_id": traveller,
        "ferry_id": ferry,
        "seats": seats,
        "total": seats * price,
        "status": status,
        "note": None,
        "booked_at": "2025-08-30T10:00:00",
    }


HARBOR: dict[str, Any] = {
    "ferries": {
        "F-AM": {"ferry_id": "F-AM", "name": "Morning boat", "seats": 20, "price": 12.0},
        "F-NN": {"ferry_id": "F-NN", "name": "Noon boat", "seats": 15, "price": 11.5},
        "F-PM": {"ferry_id": "F-PM", "name": "Evening boat", "seats": 8, "price": 15.5},
    },
    "travellers": {
        "TR-1": {"traveller_id": "TR-1", "name": "Ines Marin"},
        "TR-2": {"traveller_id": "TR-2", "name": "Olaf Berg"},
        "TR-3": {"traveller_id": "TR-3", "name": "Kofi Mensah"},
    },
    "tickets": {
        "TKT-001": ticket("TKT-001", "TR-2", "F-AM", 2, 12.0),
        "TKT-002": ticket("TKT-002", "TR-3", "F-PM", 1, 15.5),
        "TKT-003": ticket("TKT-003", "TR-3", "F-NN", 1, 11.5),
        "TKT-004": ticket("TKT-004", "TR-2", "F-NN", 3, 11.5, "cancelled"),
        "TKT-005": ticket("TKT-005", "TR-1", "F-NN", 2, 11.5, "cancelled"),
        "TKT-006": ticket("TKT-006", "TR-1", "F-AM", 1, 12.0, "boarded"),
    },
}

NEW_TICKETS = """\
now, old = final_state["tickets"], initial_state["tickets"]
got = [(t["traveller_id"], t["ferry_id"], t["seats"], t["total"], t["status"], t["note"])
       for key, t in now.items() if key not in old]
"""
BOOKED = check(NEW_TICKETS + 'return got == [("TR-1", "F-PM", 2, 31.0, "open", None)]', "Is the ticket booked?")
CANCELLED = check(
    'return {k: t["status"] for k, t in final_state["tickets"].items() if t["traveller_id"] == "TR-2"} '
    '== {"TKT-001": "cancelled"}',
    "Is Olaf's open ticket cancelled?",
)
SEATS = check(
    'return [f["seats"] for _, f in sorted(final_state["ferries"].items())] == [22, 15, 6]',
    "Are the seats taken and given back?",
)
DROPPED = check(
    'return "TKT-004" not in final_state["tickets"] and "TKT-005" in final_state["tickets"]', "Is his old one deleted?"
)
OTHERS_KEPT = check(
    'return all(final_state["tickets"].get(k) == t for k, t in initial_state["tickets"].items() '
    'if k not in ("TKT-001", "TKT-004"))',
    "Are all other tickets unchanged?",
)
TRAVELLERS_KEPT = check(
    'return final_state["travellers"] == initial_state["travellers"]', "Are the travellers unchanged?"
)

FIND_INES = ("find_traveller", {"name": "Ines"})
FIND_OLAF = ("find_traveller", {"name": "Olaf"})
BOOK = ("book_ticket", {"traveller_id": "TR-1", "ferry_id": "F-PM", "seats": 2})
CANCEL = ("cancel_ticket", {"ticket_id": "TKT-001"})
DROP = ("drop_ticket", {"ticket_id": "TKT-004"})

SCENARIO = Scenario(
    id="evening-boat",
    start_state="harbor",
    task="Ines Marin wants two seats on the evening boat. Cancel Olaf Berg's open ticket and delete his old one.",
    checks=(BOOKED, CANCELLED, SEATS, DROPPED),
    guards=(OTHERS_KEPT, TRAVELLERS_KEPT),
    solution=solution(("list_ferries", {}), FIND_INES, BOOK, FIND_OLAF, CANCEL, DROP),
    clock="2025-09-01T09:00:00",
    max_steps=12,
)
ENTITIES = (
    Entity(name="ferries", record="Ferry", key="ferry_id"),
    Entity(name="travellers", record="Traveller", key="traveller_id"),
    Entity(
        name="tickets",
        record="Ticket",
        key="ticket_id",
        references={"traveller_id": "travellers", "ferry_id": "ferries"},
    ),
)
TOOLS = {
    "list_ferries": "query",
    "find_traveller": "query",
    "book_ticket": "state_change",
    "cancel_ticket": "state_change",
    "drop_ticket": "state_change",
}


def bundle(
    *scenarios: Scenario,
    source: str = SOURCE,
    invariants: str | None = INVARIANTS,
    rules: Sequence[str] = RULES,
    method: Any = "handwritten",
    **states: Mapping[str, Any],
) -> Bundle:
    """Return the bundle, with other scenarios, source, invariants, rules or start states where they are given."""
    kinds: Any = TOOLS
    manifest = Manifest(
        id="toys/Ferries-v0",
        class_name="Ferries",
        rules=tuple(rules),
        entities=ENTITIES,
        tools=tuple(ToolEntry(name=name, kind=kind) for name, kind in kinds.items()),
        provenance=Provenance(method=method),
    )
    starts = {name: StartState(id=name, state=state) for name, state in ({"harbor": HARBOR} | states).items()}
    chosen = scenarios or (SCENARIO,)
    return Bundle(manifest, source, invariants, starts, {scenario.id: scenario for scenario in chosen})


def scenario(**changes: Any) -> Scenario:
    """Return the scenario with other fields."""
    return SCENARIO.model_copy(update=changes)


def with_checks(*checks: Check) -> Scenario:
    """Return the scenario with other checks."""
    return scenario(checks=checks)


def with_source(old: str, new: str, *scenarios: Scenario) -> Bundle:
    """Return the bundle with something else in its source."""
    assert SOURCE.count(old) == 1
    return replace(bundle(*scenarios), source=SOURCE.replace(old, new))


def with_state(**tables: Any) -> dict[str, Any]:
    """Return the start state with other records."""
    return HARBOR | {name: HARBOR[name] | records for name, records in tables.items()}


def defects(result: GateResult) -> dict[str, list[str]]:
    """Return the subjects of a gate's findings by their defects."""
    found: dict[str, list[str]] = {}
    for finding in result.findings:
        found.setdefault(finding.defect, []).append(finding.subject)
    return found
