"""Bundles that are hard on adapters: one that nobody has reviewed, and one whose names and texts get in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from envscaler_gym.bundle import Bundle
from envscaler_gym.scenario import Scenario
from tests import toys

AWKWARD_SOURCE = '''\
from typing import Any, Dict, List, Literal, Optional, TypedDict, Union


class Part(TypedDict):
    label: str
    sizes: List[int]


class Awkward:
    def __init__(self, init_config: Dict[str, Any]) -> None:
        self.parts: Dict[str, Any] = {}

    def reset(self, recipe: str, _id: str = "x") -> Dict[str, Any]:
        """Empty a shelf.

        Args:
            recipe: Which (choices: ["all", 7 of them])
            _id: Args: none. Returns: nothing.
                Raises: never
        """
        self.parts["reset"] = [recipe, _id]
        return {"success": True, "message": "Emptied."}

    def get_reward(self) -> Dict[str, Any]:
        """Raises: Returns: Args:"""
        return {"success": True, "data": [1, 2]}

    def renamed(
        self,
        part: Part,
        kind: Literal["a"] = "a",
        either: Union[int, str, None] = None,
        table: Optional[Dict[str, float]] = None,
        anything: Any = None,
    ) -> Dict[str, Any]:
        self.parts["renamed"] = [part, kind, either, table, anything]
        return {"success": True, "message": "Noted."}
'''


@pytest.fixture
def unreviewed(tmp_path: Path) -> str:
    """Return the folder of a tea shop that nobody has reviewed, so that it runs in a worker."""
    folder = tmp_path / "bundles" / "fresh_tea"
    toys.tea_shop("fresh/Tea-v0").save(folder)
    return str(folder)


def awkward_bundle() -> Bundle:
    """Return a bundle with tools named as what trainers call themselves, and docstrings that look like headings."""
    checks = (
        toys.check('return final_state["parts"].get("reset") == ["all", "x"]', "Is the shelf empty?"),
        toys.check(
            'return final_state["parts"].get("renamed") == [{"label": "l", "sizes": [1]}, "a", 3, {"f": 1.5}, None]',
            "Is the part noted?",
        ),
    )
    solution = toys.solution(
        ("reset", {"recipe": "all"}),
        ("get_reward", {}),
        ("renamed", {"part": {"label": "l", "sizes": [1]}, "either": 3, "table": {"f": 1.5}}),
    )
    scenario = Scenario(id="tidy", start_state="empty", task="Tidy up.", checks=checks, solution=solution)
    kinds = {"reset": "state_change", "renamed": "state_change"}
    return toys.make_bundle(AWKWARD_SOURCE, "Awkward", [scenario], {"empty": {"parts": {}}}, "awkward/Names-v0", kinds)


@pytest.fixture
def awkward(tmp_path: Path) -> str:
    """Return the folder of the bundle with the awkward names; it runs in a worker as well."""
    folder = tmp_path / "bundles" / "awkward"
    awkward_bundle().save(folder)
    return str(folder)
