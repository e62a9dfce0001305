"""A small environment whose scenarios are made in tests: neighbours who lend each other tools."""

from __future__ import annotations

import copy
from typing import Any

from envscaler_gym.bundle import Bundle
from envscaler_gym.manifest import Entity, Manifest, Provenance, ToolEntry
from envscaler_gym.scenario import StartState

SOURCE = '''\
"""Neighbours lend each other tools."""

from datetime import datetime, timedelta
from typing import Any, Dict, Literal, Optional, TypedDict


class Neighbour(TypedDict):
    neighbour_id: str
    name: str
    street: str


class Tool(TypedDict):
    tool_id: str
    name: str
    status: Literal["on_shelf", "lent", "broken"]


class Loan(TypedDict):
    loan_id: str
    tool_id: str
    neighbour_id: str
    status: Literal["open", "closed"]
    due_on: str


class ToolShed:
    """Neighbours, tools and loans, each by id."""

    def __init__(self, init_config: Optional[Dict[str, Any]] = None) -> None:
        del init_config
        self.neighbours: Dict[str, Neighbour] = {}
        self.tools: Dict[str, Tool] = {}
        self.loans: Dict[str, Loan] = {}

    def find_neighbours(self, name: str = "") -> Dict[str, Any]:
        """Find neighbours by name.

        Args:
            name: Part of the name, in any case; all of them when it is left out.
        """
        found = [dict(row) for row in self.neighbours.values() if name.lower() in row["name"].lower()]
        if not found:
            return {"success": False, "error": "Nobody has a name like that."}
        return {"success": True, "data": found}

    def find_tools(self, name: str = "") -> Dict[str, Any]:
        """Find tools by name.

        Args:
            name: Part of the name, in any case; all of them when it is left out.
        """
        found = [dict(row) for row in self.tools.values() if name.lower() in row["name"].lower()]
        if not found:
            return {"success": False, "error": "No tool has a name like that."}
        return {"success": True, "data": found}

    def list_loans(self, neighbour_id: str) -> Dict[str, Any]:
        """List the open loans of a neighbour.

        Args:
            neighbour_id: Whose.
        """
        if neighbour_id not in self.neighbours:
            return {"success": False, "error": "There is no such neighbour."}
        return {"success": True, "data": [dict(row) for row in self._open_loans(neighbour_id)]}

    def lend_tool(self, tool_id: str, neighbour_id: str, days: Literal[1, 3, 7]) -> Dict[str, Any]:
        """Lend a tool to a neighbour, who may have two at a time.

        Args:
            tool_id: Which tool; it must be on the shelf.
            neighbour_id: To whom.
            days: For how many days.
        """
        if tool_id not in self.tools or neighbour_id not in self.neighbours:
            return {"success": False, "error": "There is no such tool or neighbour."}
        if self.tools[tool_id]["status"] != "on_shelf":
            return {"success": False, "error": "The tool is not on the shelf."}
        if len(self._open_loans(neighbour_id)) >= 2:
            return {"success": False, "error": "The neighbour has two tools already."}
        loan_id = "LN-%03d" % (max([100] + [int(key[3:]) for key in self.loans]) + 1)
        self.loans[loan_id] = {
            "loan_id": loan_id,
            "tool_id": tool_id,
            "neighbour_id": neighbour_id,
            "status": "open",
            "due_on": (datetime.now() + timedelta(days=days)).date().isoformat(),
        }
        self.tools[tool_id]["status"] = "lent"
        return {"success": True, "message": "Lent as " + loan_id + "."}

    def return_tool(self, loan_id: str, broken: bool = False) -> Dict[str, Any]:
        """Take a tool back.

        Args:
            loan_id: Which loan; it must be open.
            broken: Whether the tool came back broken.
        """
        loan = self.loans.get(loan_id)
        if loan is None or loan["status"] != "open":
            return {"success": False, "error": "There is no such open loan."}
        loan["status"] = "closed"
        self.tools[loan["tool_id"]]["status"] = "broken" if broken else "on_shelf"
        return {"success": True, "message": "Taken back."}

    def _open_loans(self, neighbour_id: str) -> Any:
        return [
            row for row in self.loans.values() if row["neighbour_id"] == neighbour_id and row["status"] == "open"
        ]
'''

INVARIANTS = '''\
"""The rules of the tool shed."""

from typing import Any, Dict, List


def own_ids(state: Dict[str, Any]) -> List[str]:
    """Every record is filed under its own id, and every id it names belongs to a record."""
    problems = []
    for table, field in (("neighbours", "neighbour_id"), ("tools", "tool_id"), ("loans", "loan_id")):
        for key, row in state.get(table, {}).items():
            if row.get(field) != key:
                problems.append(f"{table}[{key!r}] says {row.get(field)!r}.")
    for key, row in state.get("loans", {}).items():
        if row.get("tool_id") not in state.get("tools", {}):
            problems.append(f"loans[{key!r}] names no tool.")
        if row.get("neighbour_id") not in state.get("neighbours", {}):
            problems.append(f"loans[{key!r}] names no neighbour.")
    return problems


def lent_tools(state: Dict[str, Any]) -> List[str]:
    """Exactly the lent tools are named by an open loan, and each by one only."""
    named = [row.get("tool_id") for row in state.get("loans", {}).values() if row.get("status") == "open"]
    return [
        f"tools[{key!r}] is {row.get('status')!r} and has {named.count(key)} open loans."
        for key, row in state.get("tools", {}).items()
        if named.count(key) != (row.get("status") == "lent")
    ]


def two_at_a_time(state: Dict[str, Any]) -> List[str]:
    """No neighbour has more than two open loans."""
    named = [row.get("neighbour_id") for row in state.get("loans", {}).values() if row.get("status") == "open"]
    return [f"{key!r} has {named.count(key)} tools." for key in state.get("neighbours", {}) if named.count(key) > 2]
'''

RULES = (
    "Every record is filed under its own id, and every id it names belongs to a record.",
    "Exactly the lent tools are named by an open loan, and each by one only.",
    "No neighbour has more than two open loans.",
)
CLOCK = "2025-05-05T10:00:00"


def state(street: str = "Mill Lane") -> dict[str, Any]:
    """Return a start state that keeps every rule."""
    people = {"N-07": "Ada Byrne", "N-11": "Ben Okafor", "N-12": "Ada Marsh", "N-20": "Cleo Quinn", "N-23": "Dov Stern"}
    things = {"T-31": "hedge trimmer", "T-32": "tile saw", "T-40": "long ladder", "T-41": "short ladder"}
    things |= {"T-55": "belt sander", "T-60": "wheelbarrow"}
    lent, broken = {"T-32", "T-40", "T-60"}, {"T-55"}
    return {
        "neighbours": {key: {"neighbour_id": key, "name": name, "street": street} for key, name in people.items()},
        "tools": {
            key: {
                "tool_id": key,
                "name": name,
                "status": "lent" if key in lent else "broken" if key in broken else "on_shelf",
            }
            for key, name in things.items()
        },
        "loans": {
            "LN-101": _loan("LN-101", "T-32", "N-11", "2025-05-04"),
            "LN-102": _loan("LN-102", "T-40", "N-11", "2025-05-09"),
            "LN-103": _loan("LN-103", "T-31", "N-20", "2025-04-20", "closed"),
            "LN-104": _loan("LN-104", "T-60", "N-20", "2025-05-06"),
        },
    }


def _loan(loan_id: str, tool_id: str, neighbour_id: str, due_on: str, status: str = "open") -> dict[str, Any]:
    return {
        "loan_id": loan_id,
        "tool_id": tool_id,
        "neighbour_id": neighbour_id,
        "status": status,
        "due_on": due_on,
    }


def bundle(id: str = "toys/ToolShed-v0", **states: dict[str, Any]) -> Bundle:  # noqa: A002 - the field's name
    """Return the environment without scenarios, which nobody has reviewed."""
    entities = (
        Entity(name="neighbours", record="Neighbour", key="neighbour_id", description="People of the street."),
        Entity(name="tools", record="Tool", key="tool_id", description="What can be lent."),
        Entity(
            name="loans",
            record="Loan",
            key="loan_id",
            description="What is lent to whom.",
            references={"tool_id": "tools", "neighbour_id": "neighbours"},
        ),
    )
    tools = (
        ToolEntry(name="find_neighbours", kind="query", reads=("neighbours",)),
        ToolEntry(name="find_tools", kind="query", reads=("tools",)),
        ToolEntry(name="list_loans", kind="query", reads=("loans",)),
        ToolEntry(name="lend_tool", kind="state_change", reads=("tools", "neighbours"), writes=("loans", "tools")),
        ToolEntry(name="return_tool", kind="state_change", reads=("loans",), writes=("loans", "tools")),
    )
    manifest = Manifest(
        id=id,
        class_name="ToolShed",
        summary="Neighbours lend each other tools.",
        introduction="You keep the tool shed of a street, from which neighbours borrow tools, two at a time.",
        rules=RULES,
        entities=entities,
        tools=tools,
        provenance=Provenance(method="synthesized"),
    )
    starts = {key: StartState(id=key, state=copy.deepcopy(value)) for key, value in states.items()}
    return Bundle(manifest, SOURCE, INVARIANTS, starts, {})
