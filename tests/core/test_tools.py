"""Tools derived from source: every annotation, default and form of method, and the check of arguments."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envscaler_gym.errors import BundleError
from envscaler_gym.tools import InvalidArguments, Tool, Toolset, public_methods
from tests import toys

HEAD = """\
import datetime
from typing import *

Tag = Literal["hot", "cold"]
Tags = List[Tag]


class Place(TypedDict):
    city: str
    zip: Optional[int]


class Loose(TypedDict, total=False):
    color: str
    place: Place


class Mixed(Loose):
    name: str
    size: NotRequired[int]


class Node(TypedDict):
    value: int
    children: List["Node"]


class Plain:
    pass


"""


def tool(parameters: str, body: str = "pass", head: str = HEAD, before: str = "") -> Tool:
    """Return the tool of a method with these parameters."""
    source = f"{head}class C:\n    {before}\n    def f({parameters}):\n        {body}\n"
    return Toolset(source, "C", (("f", "query"),))["f"]


def accepts(one: Tool, value: Any) -> bool:
    try:
        one.validate({"x": value})
    except InvalidArguments:
        return False
    return True


PLACE = {"city": "Oslo", "zip": None}
JUNK = [None, True, 0, 7, 1.5, "s", [], ["s"], [1], {}, {"a": 1}, PLACE]

CASES: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("str", {"type": "string"}, ["s"]),
    ("int", {"type": "integer"}, [0, 7]),
    ("float", {"type": "number"}, [0, 7, 1.5]),
    ("bool", {"type": "boolean"}, [True]),
    ("None", {"type": "null"}, [None]),
    ("Optional[str]", {"anyOf": [{"type": "string"}, {"type": "null"}]}, [None, "s"]),
    ("str | None", {"anyOf": [{"type": "string"}, {"type": "null"}]}, [None, "s"]),
    ("Union[int, str]", {"anyOf": [{"type": "integer"}, {"type": "string"}]}, [0, 7, "s"]),
    ("'int | str'", {"anyOf": [{"type": "integer"}, {"type": "string"}]}, [0, 7, "s"]),
    ("'Optional[\"str\"]'", {"anyOf": [{"type": "string"}, {"type": "null"}]}, [None, "s"]),
    ("List", {"type": "array", "items": {}}, [[], ["s"], [1]]),
    ("list[str]", {"type": "array", "items": {"type": "string"}}, [[], ["s"]]),
    ("typing.List[int]", {"type": "array", "items": {"type": "integer"}}, [[], [1]]),
    ("Sequence[str]", {"type": "array", "items": {"type": "string"}}, [[], ["s"]]),
    ("Set[str]", {"type": "array", "items": {"type": "string"}}, [[], ["s"]]),
    ("Tuple[int, ...]", {"type": "array", "items": {"type": "integer"}}, [[], [1]]),
    (
        "Tuple[int, str]",
        {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]}},
        [[], ["s"], [1]],
    ),
    ("Tuple[()]", {"type": "array", "items": {}}, [[], ["s"], [1]]),
    ("Dict", {"type": "object", "additionalProperties": {}}, [{}, {"a": 1}, PLACE]),
    ("Dict[str, Any]", {"type": "object", "additionalProperties": {}}, [{}, {"a": 1}, PLACE]),
    ("Dict[str, int]", {"type": "object", "additionalProperties": {"type": "integer"}}, [{}, {"a": 1}]),
    ("Mapping[int, int]", {"type": "object", "additionalProperties": {"type": "integer"}}, [{}, {"a": 1}]),
    ("Literal['s', 7]", {"enum": ["s", 7]}, [7, "s"]),
    ("Literal[-1, 7]", {"enum": [-1, 7], "type": "integer"}, [7]),
    ("Literal[7]", {"const": 7, "type": "integer"}, [7]),
    ("Literal[True]", {"const": True, "type": "boolean"}, [True]),
    ("Literal[b's']", {}, JUNK),
    ("Tag", {"enum": ["hot", "cold"], "type": "string"}, []),
    ("Tags", {"type": "array", "items": {"enum": ["hot", "cold"], "type": "string"}}, [[]]),
    ("Annotated[int, 'a note']", {"type": "integer"}, [0, 7]),
    ("datetime.date", {"type": "string"}, ["s"]),
    ("datetime.datetime", {"type": "string"}, ["s"]),
    ("Any", {}, JUNK),
    ("object", {}, JUNK),
    ("Plain", {}, JUNK),
    ("Whatever", {}, JUNK),
    ("whatever.Else[3]", {}, JUNK),
    ("3", {}, JUNK),
    ("'not an annotation'", {}, JUNK),
    ("'nul \\0'", {}, JUNK),
    ("Optional[()]", {}, JUNK),
    (
        "Place",
        {
            "type": "object",
            "properties": {"city": {"type": "string"}, "zip": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
            "required": ["city", "zip"],
            "additionalProperties": False,
        },
        [PLACE],
    ),
]


@pytest.mark.parametrize(("annotation", "schema", "accepted"), CASES, ids=[case[0] for case in CASES])
def test_an_annotation_gives_schema_and_check(annotation: str, schema: dict[str, Any], accepted: list[Any]) -> None:
    one = tool(f"self, x: {annotation}")
    shown = dict(one.spec.parameters["properties"]["x"])
    if schema == {"type": "object", "additionalProperties": {}}:
        assert shown.pop("additionalProperties") in ({}, True)
        del schema["additionalProperties"]
    assert shown == schema
    assert [value for value in JUNK if accepts(one, value)] == accepted
    assert one.spec.parameters["required"] == ["x"]


def test_a_missing_annotation_takes_any_json() -> None:
    one = tool("self, x")
    assert one.spec.parameters["properties"]["x"] == {}
    assert all(accepts(one, value) for value in JUNK)
    assert not accepts(one, float("nan"))
    assert not accepts(one, {1: 2})
    assert not accepts(one, object())
    assert not accepts(one, (1,))


def test_typed_dicts_say_what_is_required() -> None:
    one = tool("self, x: Mixed")
    schema = one.spec.parameters["properties"]["x"]
    assert schema["required"] == ["name"]
    assert list(schema["properties"]) == ["color", "place", "name", "size"]
    assert accepts(one, {"name": "n", "place": PLACE})
    assert not accepts(one, {"name": "n", "place": {"city": "Oslo"}})
    assert not accepts(one, {"name": "n", "extra": 1})
    assert not accepts(one, {"color": "red"})


def test_a_type_may_contain_itself() -> None:
    one = tool("self, x: Node")
    assert accepts(one, {"value": 1, "children": [{"value": 2, "children": []}]})
    assert not accepts(one, {"value": 1, "children": {}})
    json.dumps(one.spec.parameters)


def test_types_that_cannot_be_are_any() -> None:
    head = "from typing import *\nA = List['B']\nB = List['A']\nclass D(E, TypedDict): pass\nclass E(D): pass\n"
    for name in ("A", "B", "D", "E"):
        assert accepts(tool(f"self, x: {name}", head=head), {} if name > "C" else [[]])


@pytest.mark.parametrize(
    ("parameter", "default"),
    [
        ("x: str = 'a'", "a"),
        ("x: int = -1", -1),
        ("x=None", None),
        ("x: list = []", []),
        ("x: dict = {'a': [1]}", {"a": [1]}),
        ("x: Tuple[int, ...] = (1, 2)", [1, 2]),
        ("*, x: int = 3", 3),
    ],
)
def test_defaults_are_shown_and_make_a_parameter_optional(parameter: str, default: Any) -> None:
    one = tool(f"self, {parameter}")
    assert one.spec.parameters.get("required", []) == []
    assert one.spec.parameters["properties"]["x"]["default"] == default
    assert json.loads(json.dumps(one.spec.to_openai(), allow_nan=False)) == one.spec.to_openai()
    assert one.validate({}) == {}


@pytest.mark.parametrize("default", ["1e999", "{1, 2}", "b'x'", "1j", "...", "{[]: 1}", "LIMIT", "print()"])
def test_defaults_that_json_lacks_are_not_shown(default: str) -> None:
    one = tool(f"self, x: int = {default}")
    assert "default" not in one.spec.parameters["properties"]["x"]
    assert one.validate({}) == {}
    json.dumps(one.spec.to_openai(), allow_nan=False)


def test_none_as_default_makes_a_type_optional() -> None:
    one = tool("self, x: str = None")
    assert one.spec.parameters["properties"]["x"] == {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    assert [value for value in JUNK if accepts(one, value)] == [None, "s"]


def test_keyword_only_parameters_may_be_required() -> None:
    one = tool("self, *, x: int")
    assert one.spec.parameters["required"] == ["x"]
    assert one.signature == "f(x: integer)"


def test_other_keywords_are_checked_and_copied_too() -> None:
    one = tool("self, x: int, **others")
    inner = [1]
    checked = one.validate({"x": 1, "y": {"deep": inner}})
    checked["y"]["deep"].append(2)
    assert inner == [1]
    assert one.spec.parameters["additionalProperties"] in (True, {})
    for bad in ({"x": 1, "y": float("nan")}, {"x": 1, "y": object()}, {"x": 1, "self": 2}, {"x": 1, "y": "\ud800"}):
        with pytest.raises(InvalidArguments):
            one.validate(bad)


def test_positional_extras_cannot_be_sent() -> None:
    one = tool("self, x: int, *rest")
    assert list(one.spec.parameters["properties"]) == ["x"]
    with pytest.raises(InvalidArguments):
        one.validate({"x": 1, "rest": []})


def test_positional_only_parameters_are_refused() -> None:
    with pytest.raises(BundleError, match=r"environment.py:34: tool 'f' has positional-only parameters"):
        tool("self, x, /")


METHODS = """\
from functools import cached_property


class Base:
    def inherited(self): "From the base."
    def overridden(self, old): "Old."
    def hidden(self): "Made a property below."


class C(Base):
    alias = Base.inherited

    def __init__(self): pass
    def _private(self): pass
    def overridden(self, new: int): "New."

    @property
    def hidden(self): pass

    @cached_property
    def also_hidden(self): pass

    @hidden.setter
    def hidden(self, value): pass

    @staticmethod
    def static(x: int): pass

    @classmethod
    def of_class(cls, x: int): pass

    @log_property_access
    def decorated(self): pass

    async def later(self): pass
"""


def test_tools_are_the_public_methods() -> None:
    assert public_methods(METHODS, "C") == ["inherited", "overridden", "static", "of_class", "decorated"]
    tools = Toolset(METHODS, "C", tuple((name, "query") for name in public_methods(METHODS, "C")))
    assert [spec.name for spec in tools.specs] == list(tools)
    assert list(tools["overridden"].spec.parameters["properties"]) == ["new"]
    assert tools["overridden"].spec.description == "New."
    assert list(tools["static"].spec.parameters["properties"]) == ["x"]
    assert list(tools["of_class"].spec.parameters["properties"]) == ["x"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("_private", "no public method '_private'"),
        ("__init__", "no public method '__init__'"),
        ("hidden", "no public method 'hidden'"),
        ("later", "no public method 'later'"),
        ("overriden", "Did you mean 'overridden'"),
    ],
)
def test_only_public_methods_may_be_listed(name: str, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        Toolset(METHODS, "C", ((name, "query"),))


def test_a_tool_may_be_listed_once() -> None:
    with pytest.raises(BundleError, match="'static' twice"):
        Toolset(METHODS, "C", (("static", "query"), ("static", "state_change")))


@pytest.mark.parametrize("source", ["class C(:", "x\0y", "(" * 10_000, "class D: pass"])
def test_a_source_that_is_no_class_is_one_line_of_error(source: str) -> None:
    with pytest.raises(BundleError) as caught:
        public_methods(source, "C")
    assert len(str(caught.value).splitlines()) == 1


DOCSTRING = '''"""Find things.

        Looks everywhere.

        Args:
            x (str): What to look
                for.
            y: Where: any place.

        Returns:
            Things.
        """'''


def test_docstrings_describe_tool_and_parameters() -> None:
    spec = tool("self, x: str, y: Place, z=0", DOCSTRING).spec
    assert spec.description == "Find things.\n\nLooks everywhere.\n\nReturns:\n    Things."
    assert spec.parameters["properties"]["x"] == {"type": "string", "description": "What to look for."}
    assert spec.parameters["properties"]["y"]["description"] == "Where: any place."
    assert "description" not in spec.parameters["properties"]["z"]


@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from(["Args:", "  x: a", "x", "", "    y", ":param x: d"])).map("\n".join)
)
def test_any_docstring_will_do(text: str) -> None:
    assert tool("self, x: str", ascii(text)).spec.name == "f"


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    one = tool("self")
    assert one.spec.parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    assert one.validate({}) == {}
    assert one.signature == "f()"


def test_openai_form_holds_the_schema() -> None:
    spec = tool("self, title: str, properties: int = 0").spec
    function = spec.to_openai()["function"]
    assert function["name"] == "f"
    assert list(function["parameters"]["properties"]) == ["title", "properties"]


SHOP = toys.tea_shop().tools


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "get_tea",
            {},
            "Invalid arguments for 'get_tea': required argument 'tea_id' is missing. Expected get_tea(tea_id: string).",
        ),
        ("get_tea", {"teaid": "x"}, "unknown argument 'teaid'. Did you mean 'tea_id'?"),
        ("get_tea", {"tea_id": 3}, "argument 'tea_id': input should be a valid string, got 3"),
        ("get_tea", [], "got []. Expected"),
        ("restock", {"tea_id": "T", "bag": 60}, "argument 'bag': input should be 50, 100 or 500, got 60"),
        ("set_origin", {"tea_id": "T", "origin": {"country": "X"}}, "required argument 'origin.year' is missing"),
        ("set_origin", {"tea_id": "T", "origin": {"country": "X", "year": 1, "z": 2}}, "unknown argument 'origin.z'"),
        ("order_tea", {"tea_id": "x" * 100_001, "grams": 1}, "at most 100000 characters"),
        ("order_tea", {"tea_id": "T", "grams": 10**200}, "argument 'grams'"),
        ("restock", {"tea_id": "T", "bag": 50, "price": float("inf")}, "finite number"),
        ("annotate", {"tea_id": "T", "facts": {"a": 10**200}}, "argument 'facts.a'"),
    ],
)
def test_refusals_say_what_was_wrong_and_what_is_allowed(name: str, arguments: Any, message: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        SHOP[name].validate(arguments)
    text = str(caught.value)
    assert message in text
    assert len(text) < 1000
    assert len(text.splitlines()) == 1
    assert text.endswith(f"Expected {SHOP[name].signature}.")


def test_many_problems_are_cut_short() -> None:
    with pytest.raises(InvalidArguments, match="and 95 more"):
        SHOP["set_tags"].validate({"tea_id": "T", "tags": list(range(100))})


def test_checked_arguments_are_copies() -> None:
    origin, tags = {"country": "X", "year": 1}, ["a"]
    facts: dict[str, Any] = {"deep": [{}]}
    for name, field, value in (
        ("set_origin", "origin", origin),
        ("set_tags", "tags", tags),
        ("annotate", "facts", facts),
    ):
        arguments = {"tea_id": "T", field: value}
        checked = SHOP[name].validate(arguments)
        assert checked == arguments
        assert checked is not arguments
        assert checked[field] is not value
    checked = SHOP["annotate"].validate({"tea_id": "T", "facts": facts})
    assert checked["facts"]["deep"][0] is not facts["deep"][0]


class Text(str):
    __slots__ = ()


class Wild(list[Any]):
    def __iter__(self) -> Any:
        raise RuntimeError("not iterable")


class WildDict(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no items")

    def __iter__(self) -> Any:
        raise RuntimeError("not iterable")


def test_subclasses_are_made_plain() -> None:
    checked = SHOP["annotate"].validate(
        {"tea_id": Text("T"), "facts": {Text("k"): [Text("v"), WildDict(a=1), Wild([1])]}}
    )
    assert checked == {"tea_id": "T", "facts": {"k": ["v", {"a": 1}, [1]]}}
    assert type(checked["tea_id"]) is str
    assert type(next(iter(checked["facts"]))) is str
    assert [type(item) for item in checked["facts"]["k"]] == [str, dict, list]


def test_arguments_without_end_are_refused_in_finite_time() -> None:
    ring: list[Any] = []
    ring += [ring, ring, ring]
    doubled: Any = []
    for _ in range(31):
        doubled = [doubled, doubled]
    for value in (ring, doubled):
        with pytest.raises(InvalidArguments):
            SHOP["annotate"].validate({"tea_id": "T", "facts": {"x": value}})
    with pytest.raises(InvalidArguments):
        SHOP["set_tags"].validate({"tea_id": "T", "tags": ring})


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=5)
    | st.binary(max_size=3)
    | st.sampled_from(["T-1", 50, 10**4000, object(), Text("x"), Wild([1]), WildDict(a=1), {1}, "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(st.characters(codec=None), max_size=3) | st.integers() | st.none(), inner, max_size=3)
    ),
)
names = st.sampled_from(["tea_id", "grams", "note", "rush", "bag", "price", "tags", "origin", "facts", "tag", "\ud800"])


@given(st.sampled_from(sorted(SHOP)), junk | st.dictionaries(names, junk, max_size=4))
def test_any_junk_is_accepted_or_refused(name: str, arguments: Any) -> None:
    try:
        checked = SHOP[name].validate(arguments)
    except InvalidArguments as error:
        str(error).encode()
    else:
        assert agrees(checked, SHOP[name].spec.parameters)
        json.dumps(checked, allow_nan=False).encode()


valid_values = {
    "tea_id": st.text(max_size=4),
    "grams": st.integers(-(10**30), 10**30),
    "note": st.none() | st.text(max_size=4),
    "rush": st.booleans(),
    "bag": st.sampled_from([50, 100, 500]),
    "price": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5),
    "tags": st.lists(st.text(max_size=3)),
    "tag": st.none() | st.text(max_size=4),
    "limit": st.integers(),
    "order_id": st.text(max_size=4),
    "origin": st.fixed_dictionaries({"country": st.text(max_size=3), "year": st.integers()}),
    "facts": st.dictionaries(st.text(max_size=3), st.none() | st.integers() | st.lists(st.text(max_size=2))),
}


@given(st.sampled_from(sorted(SHOP)), st.data())
def test_what_fits_the_schema_is_accepted_unchanged(name: str, data: st.DataObject) -> None:
    schema = SHOP[name].spec.parameters
    required = {key: valid_values[key] for key in schema.get("required", [])}
    optional = {key: valid_values[key] for key in schema["properties"] if key not in required}
    arguments = data.draw(st.fixed_dictionaries(required, optional=optional))
    assert agrees(arguments, schema)
    assert SHOP[name].validate(copy.deepcopy(arguments)) == arguments


@given(st.sampled_from(sorted(SHOP)), st.dictionaries(names, junk, max_size=4))
def test_what_does_not_fit_the_schema_is_refused(name: str, arguments: Any) -> None:
    if not agrees(arguments, SHOP[name].spec.parameters):
        with pytest.raises(InvalidArguments):
            SHOP[name].validate(arguments)


def agrees(value: Any, schema: Any) -> bool:
    """Return whether a value fits the part of JSON schema that tools use."""
    if "anyOf" in schema:
        return any(agrees(value, option) for option in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        options = schema.get("enum", [schema.get("const")])
        return any(type(value) is type(option) and value == option for option in options)
    match schema.get("type"):
        case "object":
            if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
                return False
            properties = schema.get("properties", {})
            others = schema.get("additionalProperties", True)
            return set(schema.get("required", [])) <= set(value) and all(
                agrees(item, properties[key])
                if key in properties
                else bool(others is not False and (others is True or agrees(item, others)))
                for key, item in value.items()
            )
        case "array":
            return isinstance(value, list) and all(
                agrees(list.__getitem__(value, i), schema["items"]) for i in range(len(value))
            )
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case _:
            return True


def test_a_toolset_is_shared_hashable_and_picklable() -> None:
    same = toys.tea_shop().tools
    assert same is SHOP
    assert copy.deepcopy(SHOP) is SHOP
    assert pickle.loads(pickle.dumps(SHOP)) == SHOP
    assert hash(SHOP) == hash(same)
    assert toys.hostile().tools != SHOP
    assert SHOP.get("__init__") is None
    assert "_audit" not in SHOP


def test_annotations_that_expand_without_end_are_an_error() -> None:
    levels = range(40)
    doubling = "".join(f"class T{i}(TypedDict):\n    a: 'T{i + 1}'\n    b: 'T{i + 1}'\n" for i in levels)
    diamonds = "class T0(TypedDict):\n    a: int\nclass U0(T0):\n    pass\n" + "".join(
        f"class T{i + 1}(T{i}, U{i}):\n    pass\nclass U{i + 1}(T{i}, U{i}):\n    pass\n" for i in levels
    )
    for records, name in ((doubling, "T0"), (diamonds, "T40")):
        tool = f"class Some:\n    def tool(self, x: {name}) -> dict:\n        return {{}}\n"
        with pytest.raises(BundleError, match="expand to more than 4000 types"):
            Toolset(f"from typing import TypedDict\n{records}{tool}", "Some", (("tool", "query"),))
