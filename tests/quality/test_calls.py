"""Generated arguments: valid, repeatable, and good enough to get somewhere."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from envscaler_gym import registry
from envscaler_gym.bundle import Bundle
from envscaler_gym.quality.worlds.calls import CallMaker
from envscaler_gym.quality.worlds.memory import Known, Memory, patched, variants
from envscaler_gym.quality.worlds.tool_sources import tool_sources
from envscaler_gym.tools import InvalidArguments, Tool
from tests import toys

CLOCK = "2025-03-01T12:00:00"


def drawn(bundle: Bundle, seed: int, count: int) -> list[tuple[str, object]]:
    maker = CallMaker(bundle, random.Random(seed))
    start = next(iter(bundle.start_states.values()))
    memory = Memory(Known(start.state), CLOCK)
    names = [name for _ in range(count) for name in bundle.tools]
    return [(name, maker.arguments(name, memory)) for name in names]


@pytest.mark.parametrize("id_", [toys.TEA_SHOP_ID, "envscaler/Library-v0", "envscaler/RepairShop-v0"])
def test_arguments_get_through_validation(id_: str) -> None:
    bundle = registry.get_bundle(id_)
    calls = drawn(bundle, 0, 30)
    assert all(arguments is not None for _, arguments in calls)
    for name, arguments in calls:
        assert bundle.tools[name].validate(arguments) == arguments


def test_equal_seeds_draw_equal_arguments_and_others_others() -> None:
    bundle = toys.tea_shop()
    assert drawn(bundle, 1, 20) == drawn(bundle, 1, 20)
    assert drawn(bundle, 1, 20) != drawn(bundle, 2, 20)


def test_values_come_from_the_state_and_from_elsewhere() -> None:
    ids = Counter(
        arguments["tea_id"]
        for name, arguments in drawn(toys.tea_shop(), 0, 200)
        if name == "get_tea" and isinstance(arguments, dict)
    )
    known = ids["T-1"] + ids["T-2"]
    assert 100 < known < 200
    assert len(ids) > 5


def test_arguments_of_one_call_belong_together() -> None:
    state = {"loans": {f"L{n}": {"loan_id": f"L{n}", "copy_id": f"C{n}", "member_id": f"M{n}"} for n in range(40)}}
    memory = Memory(Known(state), CLOCK)
    view = memory.view(["copy_id", "member_id"], random.Random(0))
    assert view["copy_id"][1:] == view["member_id"][1:] == view["loan_id"][1:]


def test_fresh_records_and_those_that_they_name_are_remembered() -> None:
    memory = Memory(Known({"teas": {"T-1": {"name": "Sencha"}}, "orders": {}}), CLOCK)
    assert memory.change(b'[["orders","O-1",{"tea_id":"T-1","grams":5}]]') == [
        ("orders", "O-1", None, {"tea_id": "T-1", "grams": 5})
    ]
    rng = random.Random(0)
    views = [memory.view(["order_id"], rng) for _ in range(50)]
    assert {"order_id": "O-1", "tea_id": "T-1", "name": "Sencha"}.items() <= max(views, key=len).items()
    assert memory.change(b'[["orders","O-1"]]') == []
    assert memory.change(b'[["orders","O-1",{"grams":1}]]')[0][2] is None


def test_patches_of_another_form_are_dropped() -> None:
    for patch in (b"nonsense", b"[" * 5000, b'{"a": 1}'):
        assert list(patched(patch)) == []
    assert list(patched(b'[1, ["a"], [1, "b", 2], ["a", 1, 2], ["a", null, 3], ["a", "b"], ["a","b",1,2]]')) == [
        ["a", None, 3],
        ["a", "b"],
    ]


def test_a_parameter_may_refer_to_shorter_names() -> None:
    assert list(variants("new_copy_ids")) == ["new_copy_ids", "new_copy_id", "copy_ids", "copy_id", "ids", "id"]


def test_validation_is_tried_with_what_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = toys.tea_shop()
    maker = CallMaker(bundle, random.Random(0))
    memory = Memory(Known(toys.TEAS), CLOCK)
    assert {maker.complaint("order_tea", memory) for _ in range(60)} == {""}

    def validate(self: Tool, arguments: object) -> object:
        if arguments == {}:
            raise InvalidArguments
        raise ZeroDivisionError

    monkeypatch.setattr(maker, "arguments", lambda *_: {})
    monkeypatch.setattr(Tool, "validate", validate)
    assert maker.complaint("order_tea", memory).startswith("validation raises ZeroDivisionError for no_such_parameter=")


def test_the_source_says_what_a_tool_compares_with_and_whether_it_refuses() -> None:
    source = """\
KINDS = ("red", "blue")


def _refuse(text):
    return {"success": False, "error": text}


class Shop:
    LIMIT = 7

    def paint(self, color):
        if color == "purple":
            return _refuse("a long sentence that nobody compares with anything at all")
        return self._done()

    def look(self):
        return self._done()

    def guess(self, ok):
        return dict(success=ok, data=1)

    def _done(self):
        return {"success": True, "data": 1}
"""
    sources = tool_sources(toys.make_bundle(source, "Shop", (), {}))
    assert {name: found.can_refuse for name, found in sources.items()} == {"paint": True, "look": False, "guess": True}
    assert list(sources["paint"].functions) == ["Shop.paint", "Shop._done", "_refuse"]
    assert list(sources["paint"].texts) == ["purple", "red", "blue"]
    assert list(sources["paint"].numbers) == [7]
    assert list(sources["look"].texts) == ["red", "blue"]
