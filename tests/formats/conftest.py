"""A toy environment in the published form, small enough to be read in a minute."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Item = dict[str, Any]

SOURCE = '''\
from typing import Dict, List, Optional, TypedDict


class LampInfo(TypedDict):
    _id: str
    lit: bool
    color: str


class HarborLights:
    def __init__(self, init_config: dict):
        """The lamps of a harbor."""
        # Lamps: {_id: LampInfo}
        self.lamps: Dict[str, LampInfo] = {}

        # Constraints:
        # - A lamp that is not lit has no color.

    # ---- looking ----

    def list_lamps(self, color: Optional[str] = None) -> dict:
        """
        List the lamps.

        Args:
            color (str): Only lamps of this color.
        """
        lamps = [lamp for lamp in self.lamps.values() if color in (None, lamp["color"])]
        return {"success": True, "data": lamps}

    # ---- doing ----

    def light_lamp(self, _id: str, color: str = "white", *, note: str = "") -> dict:
        """Light a lamp."""
        if _id not in self.lamps:
            return {"success": False, "error": "no such lamp"}
        self.lamps[_id].update(lit=True, color=color)
        return {"success": True, "message": "lit " + self._label(_id)}

    def _label(self, _id: str) -> str:
        return "lamp " + _id
'''

METADATA: Item = {
    "env_id": "env_7_rl",
    "environment_summary": "Harbor lights",
    "environment_introduction": "The lamps that guide ships into a harbor.",
    "state_space_definition": [
        {"entity": "Lam", "attributes": "_id, lit, colo", "description": "A lamp on a pier."},
    ],
    "constraints_rules": ["A lamp that is not lit has no color."],
    "operation_list": [
        {"operation_name": "light_lamp", "operation_description": "Light it.", "operation_type": "state_change"},
        {"operation_name": "list_lamps", "operation_description": "List them.", "operation_type": "query"},
    ],
    "env_class_name": "HarborLights",
    "env_class_code": SOURCE,
    "env_class_def": "",
    "env_func_details": {"list_lamps": {}, "light_lamp": {}},
    "tools": [],
}

SCENARIO: Item = {
    "env_id": "env_7_rl",
    "env_class_name": "HarborLights",
    "task_id": "env_7_rl-task_1",
    "init_config": {"lamps": {"L1": {"_id": "L1", "lit": False, "color": ""}}, "init_config": {}},
    "task": "Light lamp L1 in red.",
    "checklist_with_func": [
        {
            "check_item": "Is L1 red?",
            "check_func": "def check_func(final_state):\n    return final_state['lamps']['L1']['color'] == 'red'",
        },
    ],
}


@pytest.fixture(scope="session")
def source() -> str:
    return SOURCE


@pytest.fixture
def metadata_item() -> Item:
    return copy.deepcopy(METADATA)


@pytest.fixture
def scenario_item() -> Item:
    return copy.deepcopy(SCENARIO)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Any], Path]:
    """Write data as JSON (text as it is) under a name and return the path."""

    def write(name: str, data: Any) -> Path:
        path = tmp_path / name
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        return path

    return write
