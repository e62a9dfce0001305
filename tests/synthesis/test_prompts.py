"""Prompts are files that say which values they take."""

from __future__ import annotations

import pytest

from envscaler_gym.synthesis.prompts import all_prompts, load_prompt
from envscaler_gym.synthesis.prompts.template import Prompt


def test_all_prompts_can_be_read_and_are_whole() -> None:
    prompts = {prompt.name: prompt for prompt in all_prompts()}
    assert {"judge_tasks", "write_skeleton", "write_methods", "repair_code", "judge_calls"} <= set(prompts)
    assert len({prompt.digest for prompt in prompts.values()}) == len(prompts)
    for prompt in prompts.values():
        assert prompt.version >= 1
        assert "{{>" not in prompt.system + prompt.user
        assert prompt.placeholders, prompt.name


def test_conventions_are_put_in_and_values_in_their_places() -> None:
    prompt = load_prompt("write_methods")
    assert "A refusal leaves the state exactly as it was." in prompt.system
    values = {"skeleton": {"a": "{{outline}}"}, "outline": "OUTLINE", "helpers": "", "names": "x"}
    _, user = prompt.messages(values)
    assert '"a": "{{outline}}"' in user.content  # what a value says is no placeholder
    assert user.content.count("OUTLINE") == 1


def test_values_that_are_missing_or_too_many_are_errors() -> None:
    prompt = Prompt("p", 1, "System {{a}}", "User {{b}}")
    with pytest.raises(ValueError, match=r"takes \['a', 'b'\], got \['a', 'c'\]"):
        prompt.messages({"a": "1", "c": "2"})


def test_a_change_is_another_digest() -> None:
    assert Prompt("p", 1, "s", "u").digest != Prompt("p", 2, "s", "u").digest != Prompt("p", 2, "s", "U").digest
