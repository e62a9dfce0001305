"""The stockroom of a workshop: a synthesized class whose tools do next to nothing, so that a step is all overhead."""

from typing import Any, Dict, TypedDict


class PartRecord(TypedDict):
    """A kind of part and how many lie on its shelf."""

    part_id: str
    name: str
    shelf_id: str
    count: int
    unit_cents: int


class Stockroom:
    """Every public method is a tool."""

    def __init__(self) -> None:
        """Start with empty tables."""
        self.parts: Dict[str, PartRecord] = {}
        self.shelves: Dict[str, Dict[str, Any]] = {}
        self.suppliers: Dict[str, Dict[str, Any]] = {}
        self.orders: Dict[str, Dict[str, Any]] = {}
        self.people: Dict[str, Dict[str, Any]] = {}

    def get_part(self, part_id: str) -> Dict[str, Any]:
        """Read a part.

        Args:
            part_id: The part's id.
        """
        part = self.parts.get(part_id)
        if part is None:
            return {"success": False, "error": f"No part {part_id!r}."}
        return {"success": True, "data": dict(part)}

    def find_parts(self, shelf_id: str) -> Dict[str, Any]:
        """List the parts on a shelf.

        Args:
            shelf_id: The shelf's id.
        """
        return {"success": True, "data": [dict(part) for part in self.parts.values() if part["shelf_id"] == shelf_id]}

    def set_count(self, part_id: str, count: int) -> Dict[str, Any]:
        """Write down how many of a part there are.

        Args:
            part_id: The part's id.
            count: The new number.
        """
        if part_id not in self.parts:
            return {"success": False, "error": f"No part {part_id!r}."}
        self.parts[part_id]["count"] = count
        return {"success": True, "message": f"{part_id}: {count} counted."}
