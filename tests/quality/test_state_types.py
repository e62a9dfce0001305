"""The types of a state, read from the source of its class."""

from __future__ import annotations

from typing import Any

import pytest

from envscaler_gym.quality.state_types import StateTypes
from tests import toys

SOURCE = """\
from typing import Any, ClassVar, Dict, List, Literal, Optional, TypedDict, Union


class Room(TypedDict):
    floor: int
    price: float
    status: Literal["free", "taken"]
    guests: List[str]
    note: Optional[str]


class Base:
    opened: bool
    LIMIT: ClassVar[int] = 3
    TABLE: Dict[str, str] = {"a": "b"}

    def __init__(self, init_config):
        self.log: List[str] = []


class Hotel(Base):
    def __init__(self, init_config):
        super().__init__(init_config)
        self.rooms: Dict[str, Room] = {}
        self.anything = {}
        other = self
        local: int = 3

    def reset(self, place):
        self.clock: Union[str, int] = "now"
        place.foreign: int = 3
        self.late = 1
"""
ROOM = {"floor": 1, "price": 80.5, "status": "free", "guests": ["Ada"], "note": None}


@pytest.fixture
def types() -> StateTypes:
    return StateTypes(SOURCE, "Hotel")


def test_the_schema_has_every_attribute_of_instances(types: StateTypes) -> None:
    assert list(types.schema["properties"]) == ["opened", "log", "rooms", "anything", "clock"]
    assert "required" not in types.schema
    assert types.schema["properties"]["anything"] == {}
    assert types.schema["properties"]["log"] == {"type": "array", "items": {"type": "string"}}


def test_the_schema_of_records_stands_without_references(types: StateTypes) -> None:
    record = types.schema["properties"]["rooms"]["additionalProperties"]
    assert record["required"] == list(ROOM)
    assert record["properties"]["status"] == {"enum": ["free", "taken"], "type": "string"}
    assert record["properties"]["floor"] == {"type": "integer"}
    assert "$ref" not in str(types.schema)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"rooms": {"101": ROOM}, "log": ["x"], "opened": True, "clock": 3, "anything": [1, {"a": None}]},
        {"rooms": {"101": ROOM | {"price": 80}}},
        {"undeclared": {"a": 1}},
    ],
)
def test_a_state_that_fits_has_no_problems(types: StateTypes, state: dict[str, Any]) -> None:
    assert types.problems(state) == []


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ({"rooms": {"101": ROOM | {"floor": "1"}}}, "rooms['101'].floor: "),
        ({"rooms": {"101": ROOM | {"floor": True}}}, "rooms['101'].floor: "),
        ({"rooms": {"101": ROOM | {"guests": ["Ada", 3]}}}, "rooms['101'].guests[1]: "),
        ({"rooms": {"101": ROOM | {"status": "burnt"}}}, "rooms['101'].status: "),
        ({"rooms": {"101": ROOM | {"extra": 1}}}, "rooms['101'].extra: "),
        ({"rooms": {"101": {key: value for key, value in ROOM.items() if key != "note"}}}, "rooms['101'].note: "),
        ({"rooms": []}, "rooms: "),
        ({"log": [None]}, "log[0]: "),
        ({"anything": {1, 2}}, "anything: "),
        ({"anything": float("nan")}, "anything: "),
    ],
)
def test_a_problem_names_its_place(types: StateTypes, state: dict[str, Any], place: str) -> None:
    (problem,) = types.problems(state)
    assert problem.startswith(place)


def test_many_problems_are_cut_and_equal_ones_are_told_once(types: StateTypes) -> None:
    assert len(types.problems({"rooms": {str(n): 1 for n in range(100)}})) == 20


def test_a_state_that_holds_itself_is_a_problem(types: StateTypes) -> None:
    deep: list[Any] = []
    deep.append(deep)
    assert types.problems({"anything": deep})


def test_the_types_of_a_bundle_are_made_once() -> None:
    bundle = toys.tea_shop()
    assert StateTypes.of(bundle) is StateTypes.of(bundle)
    assert StateTypes.of(bundle).problems(toys.TEAS) == []
    assert list(StateTypes.of(bundle).schema["properties"]) == ["teas", "orders"]
