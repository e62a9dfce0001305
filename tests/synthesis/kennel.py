"""A kennel: a small environment whose dependencies between tools are known, in two versions of its ids."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from envscaler_gym.bundle import Bundle
from envscaler_gym.manifest import Entity, Manifest, Provenance, ToolEntry
from envscaler_gym.registry import get_bundle
from envscaler_gym.scenario import Scenario, StartState
from envscaler_gym.synthesis.graph import ToolGraph, learn_graph
from envscaler_gym.tools import public_methods

SOURCE = '''\
"""A kennel that looks after dogs."""

import uuid
from datetime import datetime
from typing import Any, Dict, List, Optional, TypedDict


class Owner(TypedDict):
    owner_id: str
    name: str
    email: str


class Dog(TypedDict):
    dog_id: str
    owner_id: str
    name: str
    breed: str


class Stay(TypedDict):
    stay_id: str
    dog_id: str
    nights: int
    status: str
    note: Optional[str]
    booked_at: str


class Kennel:
    def __init__(self, init_config: Dict[str, Any]) -> None:
        del init_config
        self.owners: Dict[str, Owner] = {}
        self.dogs: Dict[str, Dog] = {}
        self.stays: Dict[str, Stay] = {}

    def find_owners(self, name: str) -> Dict[str, Any]:
        """Find owners by a part of the name."""
        found = [dict(owner) for owner in self.owners.values() if name.lower() in owner["name"].lower()]
        return {"success": True, "data": found}

    def list_dogs(self, owner_id: str) -> Dict[str, Any]:
        """List the dogs of an owner."""
        if owner_id not in self.owners:
            return {"success": False, "error": "There is no such owner."}
        return {"success": True, "data": [dict(dog) for dog in self.dogs.values() if dog["owner_id"] == owner_id]}

    def list_stays(self, dog_id: str) -> Dict[str, Any]:
        """List the stays of a dog."""
        if dog_id not in self.dogs:
            return {"success": False, "error": "There is no such dog."}
        return {"success": True, "data": [dict(stay) for stay in self.stays.values() if stay["dog_id"] == dog_id]}

    def lost_and_found(self, dog_id: str) -> Dict[str, Any]:
        """Say where a dog was found; nobody ever knows."""
        return {"success": False, "error": f"Nobody has seen {dog_id}."}

    def book_stay(self, dog_id: str, nights: int, note: Optional[str] = None) -> Dict[str, Any]:
        """Book a stay.

        Args:
            dog_id: The dog.
            nights: How many nights, 1 to 9.
            note: What to look out for.
        """
        if dog_id not in self.dogs or not 1 <= nights <= 9:
            return {"success": False, "error": "Not that dog, or not so long."}
        stay: Stay = {
            "stay_id": NEW_ID,
            "dog_id": dog_id,
            "nights": nights,
            "status": "booked",
            "note": note,
            "booked_at": datetime.now().isoformat(timespec="seconds"),
        }
        self.stays[stay["stay_id"]] = stay
        return {"success": True, "message": "Booked.", "data": dict(stay)}

    def check_in(self, stay_id: str) -> Dict[str, Any]:
        """Take a dog in."""
        return self._move(stay_id, "booked", "here")

    def check_out(self, stay_id: str) -> Dict[str, Any]:
        """Give a dog back."""
        return self._move(stay_id, "here", "over")

    def _move(self, stay_id: str, before: str, after: str) -> Dict[str, Any]:
        stay = self.stays.get(stay_id)
        if stay is None or stay["status"] != before:
            return {"success": False, "error": f"No stay {stay_id} that is {before}."}
        stay["status"] = after
        return {"success": True, "message": f"Now {after}.", "data": dict(stay)}
'''

NUMBERED = 'f"ST-{len(self.stays) + 1:04d}"'
RANDOM = "str(uuid.uuid4())"

INVARIANTS = '''\
"""The rules of the kennel."""


def every_stay_is_a_dogs(state):
    """Every stay is of a dog that the kennel knows."""
    return [key for key, stay in state["stays"].items() if stay["dog_id"] not in state["dogs"]]
'''

CHANGES = ("book_stay", "check_in", "check_out")


def state() -> dict[str, Any]:
    """Return a fresh start state: three owners, two of the same name, four dogs, two stays."""
    owners = {"OW-1": ("Ada Berg", "ada@example.org"), "OW-2": ("Bo Lind", "bo@example.org")}
    owners["OW-3"] = ("Ada Berg", "berg@example.org")
    dogs = {"DG-1": ("OW-1", "Rex"), "DG-2": ("OW-1", "Fly"), "DG-3": ("OW-2", "Rex"), "DG-4": ("OW-3", "Kit")}
    stays = {"ST-0001": ("DG-1", "booked"), "ST-0002": ("DG-3", "booked")}
    return {
        "owners": {key: {"owner_id": key, "name": name, "email": email} for key, (name, email) in owners.items()},
        "dogs": {
            key: {"dog_id": key, "owner_id": owner, "name": name, "breed": "collie"}
            for key, (owner, name) in dogs.items()
        },
        "stays": {
            key: {
                "stay_id": key,
                "dog_id": dog,
                "nights": 2,
                "status": status,
                "note": "Barks at the postman",
                "booked_at": "2025-08-30T10:00:00",
            }
            for key, (dog, status) in stays.items()
        },
    }


def kennel(new_id: str = NUMBERED, *, entities: bool = True, phrases: bool = False) -> Bundle:
    """Return the bundle.

    Args:
        new_id: Source of the expression that makes the key of a new stay.
        entities: Whether the manifest describes the records; otherwise they have to be read off the state.
        phrases: Whether the manifest says how people ask for calls.
    """
    source = SOURCE.replace("NEW_ID", new_id)
    said = {"book_stay": ("book {nights} nights for {dog_id}<, noting {note}>",)} if phrases else {}
    described = (
        Entity(name="owners", record="Owner", key="owner_id"),
        Entity(
            name="dogs", record="Dog", key="dog_id", references={"owner_id": "owners"}, phrase="{owner_id}'s {name}"
        ),
        Entity(name="stays", record="Stay", key="stay_id", references={"dog_id": "dogs"}),
    )
    manifest = Manifest(
        id="toys/Kennel-v0",
        class_name="Kennel",
        summary="A kennel.",
        introduction="You run a kennel. Amounts are in cents (250 is 2.50 euros).",
        rules=("Every stay is of a dog that the kennel knows.",),
        entities=described if entities else (),
        tools=tuple(
            ToolEntry(name=name, kind="state_change" if name in CHANGES else "query", phrases=said.get(name, ()))
            for name in public_methods(source, "Kennel")
        ),
        provenance=Provenance(method="synthesized"),
    )
    starts = {name: StartState(id=name, state=state()) for name in ("summer", "autumn")}
    first, second = (
        Scenario(id=f"in-{name}", start_state=name, task="Look around.", clock="2025-09-01T09:00:00") for name in starts
    )
    scenarios = {first.id: first, second.id: second.model_copy(update={"split": "test"})}
    return Bundle(manifest, source, INVARIANTS, starts, scenarios)


@lru_cache
def shipped_graph(name: str) -> ToolGraph:
    """Return the graph of a shipped bundle, learnt once for all tests."""
    return learn_graph(get_bundle(name))
