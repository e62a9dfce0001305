"""What the metadata repeats of a class's source."""

from __future__ import annotations

import ast

import pytest

from envscaler_gym.formats.class_source import class_definition, field_names, function_details
from envscaler_gym.tools import method_nodes

SOURCE = '''\
import math
from typing import TypedDict


class Base:
    def ping(self) -> dict:
        return {}


class Row(TypedDict, total=False):
    a: int
    b: str


class Table(Base):
    """A table."""

    limit = 3

    def first(self):
        return {}

    # about second
    @staticmethod
    def second(x, *rest: int, y=math.pi, **more) -> "dict":
        """
        Second.

        More.
        """
        return {}

    def __init__(self):
        self.rows = {}
        # - rows are few

    async def later(self): ...
    # the end
'''


def test_a_definition_keeps_state_and_drops_methods() -> None:
    definition = class_definition(SOURCE, "Table")
    kept = SOURCE[: SOURCE.index("    def first")] + SOURCE[SOURCE.index("\n    def __init__") :]
    assert definition == kept.replace("    async def later(self): ...\n", "")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_python_counts_them(newline: str) -> None:
    source = "class A:\n    def __init__(self):\n        self.x = '\u2028\x0c'\n\n    def f(self):\n        pass\n"
    definition = class_definition(source.replace("\n", newline), "A")
    assert definition == "class A:\n    def __init__(self):\n        self.x = '\u2028\x0c'\n"


def test_a_class_of_methods_only_can_still_be_parsed() -> None:
    definition = class_definition(
        "class A:\n    @staticmethod\n    def f():\n        pass\n\n    def g(self):\n        pass\n", "A"
    )
    assert definition == "class A:\n    pass\n"


def test_the_last_class_of_a_name_counts() -> None:
    source = "class A:\n    x = 1\n\n\nclass A:\n    y = 2\n\n    def f(self):\n        pass\n"
    assert class_definition(source, "A") == "class A:\n    x = 1\n\n\nclass A:\n    y = 2\n"


def test_details_of_a_method() -> None:
    details = function_details(SOURCE, method_nodes(SOURCE, "Table")["second"])
    assert details["signature"] == {
        "parameters": [
            {"name": "x", "type": "Any", "default": None, "kind": "positional-or-keyword"},
            {"name": "rest", "type": "int", "default": None, "kind": "var-positional"},
            {"name": "y", "type": "Any", "default": "math.pi", "kind": "keyword-only"},
            {"name": "more", "type": "Any", "default": None, "kind": "var-keyword"},
        ],
        "return": "'dict'",
    }
    assert details["doc"] == "Second.\n\nMore."
    assert details["source_code"].startswith("    @staticmethod\n    def second(")
    assert details["source_code"].endswith('"""\n        return {}')


def test_self_is_no_parameter() -> None:
    details = function_details(SOURCE, method_nodes(SOURCE, "Table")["first"])
    assert details["signature"] == {"parameters": [], "return": "Any"}
    assert details["doc"] == ""


def test_inherited_methods_have_details() -> None:
    details = function_details(SOURCE, method_nodes(SOURCE, "Table")["ping"])
    assert ast.parse(details["source_code"].strip()).body[0].lineno == 1


def test_fields_of_a_record() -> None:
    assert field_names(SOURCE, "Row") == ["a", "b"]
    assert field_names(SOURCE, "Absent") == []
    assert field_names(SOURCE, None) == []
