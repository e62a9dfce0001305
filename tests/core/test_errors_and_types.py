"""Texts of errors, and the frozen values that pass between agent and environment."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envscaler_gym import errors
from envscaler_gym.errors import describe_error, did_you_mean, shorten
from envscaler_gym.types import Message, ToolCall, ToolResult, ToolSpec


class Silent:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Slippery(str):
    __slots__ = ()

    def __len__(self) -> int:
        raise RuntimeError("no length")


class SpeechlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_every_exception_has_the_one_base_and_stands_in_the_tree() -> None:
    for name in errors.__all__:
        value = getattr(errors, name)
        if isinstance(value, type):
            assert issubclass(value, errors.EnvScalerError)
            assert name in (errors.__doc__ or "")


@given(st.text(max_size=300) | st.binary(max_size=300) | st.lists(st.integers(), max_size=100))
def test_shortened_values_are_short_and_can_be_encoded(value: Any) -> None:
    assert len(shorten(value, 40)) <= 40 * 10  # an escaped lone surrogate takes six characters
    shorten(value).encode()


@pytest.mark.parametrize("make", [Silent, lambda: Slippery("x"), lambda: "\ud800", lambda: [Silent()]])
def test_odd_values_are_shortened_too(make: Callable[[], Any]) -> None:
    assert shorten(make()).encode()


def test_described_errors_are_short_and_can_be_encoded() -> None:
    assert describe_error(ValueError("x" * 10_000_000)) == "ValueError: " + "x" * 1988
    assert describe_error(SpeechlessError()) == "SpeechlessError: <whose str raised RuntimeError>"
    assert describe_error(ValueError("\ud800")).encode()


def test_near_names_are_suggested() -> None:
    assert did_you_mean("sel_item", ["sell_item", "buy"]) == " Did you mean 'sell_item'?"
    assert did_you_mean("zzz", ["sell_item"]) == ""
    assert did_you_mean(3, ["3"]) == ""


def test_values_are_frozen_and_picklable() -> None:
    call, message, result = ToolCall("f", {"a": 1}), Message("hi"), ToolResult("{}", True)
    spec = ToolSpec("f", "Does.", {"type": "object", "properties": {}}, "query")
    for value in (call, message, result, spec):
        assert pickle.loads(pickle.dumps(value)) == value
        field = "content" if value is message else "text" if value is result else "name"
        with pytest.raises((dataclasses.FrozenInstanceError, AttributeError)):
            setattr(value, field, "other")


def test_actions_and_openai_tools_share_nothing_with_their_origin() -> None:
    call = ToolCall("f", {"a": 1})
    call.to_action()["arguments"]["b"] = 2
    assert call.to_action() == {"name": "f", "arguments": {"a": 1}}
    assert Message("hi").to_action() == {"content": "hi"}
    spec = ToolSpec("f", "Does.", {"type": "object", "properties": {"a": {"type": "string"}}}, "query")
    spec.to_openai()["function"]["parameters"]["properties"].clear()
    assert spec.to_openai() == {
        "type": "function",
        "function": {
            "name": "f",
            "description": "Does.",
            "parameters": {"type": "object", "properties": {"a": {"type": "string"}}},
        },
    }


def test_shortened_values_hold_no_address_and_have_an_end() -> None:
    assert "0x" not in shorten(n for n in [1])
    assert "0x" not in describe_error(ValueError(object()))
    doubled: list[Any] = []
    for _ in range(60):
        doubled = [doubled, doubled]
    assert shorten(doubled).startswith("[[[[")
