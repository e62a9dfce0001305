from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envscaler_gym.chat import parse_message


def openai(*calls: tuple[str, Any], content: Any = None) -> dict[str, Any]:
    tool_calls = [
        {"id": f"c{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for i, (name, arguments) in enumerate(calls)
    ]
    return {"role": "assistant", "content": content, "tool_calls": tool_calls}


@pytest.mark.parametrize("arguments", ['{"tea_id": "T1"}', {"tea_id": "T1"}])
def test_openai_calls_with_arguments_as_text_or_object(arguments: Any) -> None:
    turn = parse_message(openai(("get_tea", arguments), ("list_teas", ""), ("list_teas", None)))
    assert [(call.id, call.name, call.arguments) for call in turn.calls] == [
        ("c0", "get_tea", {"tea_id": "T1"}),
        ("c1", "list_teas", {}),
        ("c2", "list_teas", {}),
    ]
    assert not turn.format_errors


def test_text_with_thoughts_and_several_calls() -> None:
    turn = parse_message(
        '<think>Maybe <tool_call>{"name": "not_this"}</tool_call>?</think>Let me see.\n'
        '<tool_call>\n{"name": "get_tea", "arguments": {"tea_id": "T1"}}\n</tool_call>\n'
        '<tool_call>{"name": "list_teas"}</tool_call>'
    )
    assert turn.thinking.startswith("Maybe")
    assert turn.content == "Let me see."
    assert [(call.name, call.arguments) for call in turn.calls] == [("get_tea", {"tea_id": "T1"}), ("list_teas", {})]
    assert [call.id for call in turn.calls] == ["call_0", "call_1"]


def test_a_think_block_that_the_template_opened() -> None:
    turn = parse_message("I should look first.</think>Done.")
    assert (turn.thinking, turn.content, turn.format_errors) == ("I should look first.", "Done.", 0)


def test_thoughts_beside_the_content() -> None:
    turn = parse_message({"role": "assistant", "content": "Done.", "reasoning_content": "All is well."})
    assert (turn.thinking, turn.content) == ("All is well.", "Done.")


def test_content_in_parts() -> None:
    assert (
        parse_message({"content": [{"type": "text", "text": "Do"}, {"type": "text", "text": "ne."}]}).content == "Done."
    )


@pytest.mark.parametrize(
    ("message", "part"),
    [
        ("", "says nothing"),
        ("<think>and then I will", "says nothing"),
        ({"role": "assistant", "content": None}, "says nothing"),
        ({"role": "assistant", "content": 3}, "'content' is text or null, got 3"),
        ({"role": "assistant", "tool_calls": {"name": "x"}}, "'tool_calls' is an array"),
        (None, "A message is text or an object"),
        (["hello"], "A message is text or an object"),
    ],
)
def test_messages_without_a_form(message: object, part: str) -> None:
    turn = parse_message(message)
    assert part in turn.error
    assert turn.format_errors == 1
    assert not turn.calls


@pytest.mark.parametrize(
    ("message", "part"),
    [
        ('<tool_call>{"name": "get_tea"', "not closed"),
        ("<tool_call>get_tea(T1)</tool_call>", "is not JSON: Expecting value at line 1, column 1"),
        ("<tool_call>[1, 2]</tool_call>", '<tool_call> holds {"name"'),
        ('<tool_call>{"name": 7}</tool_call>', '<tool_call> holds {"name"'),
        ('<tool_call>{"name": "f", "arguments": [1]}</tool_call>', "The arguments of f are an object, got [1]"),
        ("<tool_call>" + "[" * 100_000 + "</tool_call>", "is not JSON"),
        (openai(("get_tea", "{tea_id: T1}")), "The arguments of get_tea are not JSON"),
        (openai(("get_tea", '"T1"')), "The arguments of get_tea are an object, got 'T1'"),
        ({"tool_calls": ["get_tea"]}, "A tool call is"),
        ({"tool_calls": [{"function": {"name": None}}]}, "A tool call is"),
    ],
)
def test_calls_without_a_form(message: object, part: str) -> None:
    turn = parse_message(message)
    assert [part in call.error for call in turn.calls] == [True]
    assert turn.calls[0].arguments is None
    assert turn.format_errors == 1


def test_a_bad_call_does_not_hide_a_good_one() -> None:
    turn = parse_message('<tool_call>oops</tool_call><tool_call>{"name": "list_teas"}</tool_call>')
    assert [bool(call.error) for call in turn.calls] == [True, False]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@given(json_values | st.text())
def test_nothing_that_can_be_said_raises(message: Any) -> None:
    for said in (message, {"content": message}, {"tool_calls": message}, f"<tool_call>{message}</tool_call>"):
        parse_message(said)


@given(st.text(min_size=1, max_size=10), st.dictionaries(st.text(max_size=5), json_values, max_size=3))
def test_a_call_written_in_either_form_is_read_back(name: str, arguments: dict[str, Any]) -> None:
    for said in (
        f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>",
        openai((name, json.dumps(arguments))),
    ):
        (call,) = parse_message(said).calls
        assert (call.name, call.arguments, call.error) == (name, arguments, "")
