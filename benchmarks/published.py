"""The loop of the published EnvScaler code, written anew from its description (arXiv 2601.05808).

At every step: parse the message, dispatch with ``getattr``, take the ``repr`` of the result, copy the whole state
before and after and walk both for differences.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.subjects import Bare, Subject

__all__ = ["PublishedLoop"]


class PublishedLoop:
    """One world and its loop.

    Args:
        subject: What is played.
        bare: Where the class comes from.
    """

    def __init__(self, subject: Subject, bare: Bare) -> None:
        self._config = subject.start_state
        self._cls: Callable[..., Any] = bare.cls
        self._checks = [check.source for check in subject.scenario.checks or ()]
        self.messages = [_message(name, arguments) for name, arguments in subject.calls]
        self.reset()

    def reset(self) -> None:
        """Build the instance and set every top-level key of the configuration on it."""
        config = copy.deepcopy(self._config)
        try:
            self._instance = self._cls(config)
        except TypeError:
            self._instance = self._cls()
        for key, value in config.items():
            setattr(self._instance, key, value)
        self._initial_state = self._state()

    def step(self, message: Mapping[str, Any]) -> tuple[str, list[str]]:
        """Run a message's tool call.

        Args:
            message: An assistant message with one tool call whose arguments are JSON text.

        Returns:
            The observation and what changed.
        """
        call = message["tool_calls"][0]["function"]
        arguments = json.loads(call["arguments"])
        before = self._state()
        result = getattr(self._instance, call["name"])(**arguments)
        after = self._state()
        return repr(result), _differences(before, after, "")

    def play(self) -> None:
        """Play the reference solution."""
        for message in self.messages:
            self.step(message)

    def grade(self) -> float:
        """Run every check's source over the final state and return the fraction passed."""
        final_state = self._state()
        passed = 0
        for source in self._checks:
            namespace: dict[str, Any] = {"initial_state": self._initial_state}
            exec(source, namespace)  # noqa: S102 - a shipped bundle
            passed += namespace["check_func"](final_state) is True
        return round(passed / len(self._checks), 4)

    def _state(self) -> dict[str, Any]:
        return copy.deepcopy({k: v for k, v in vars(self._instance).items() if not k.startswith("__")})


def _message(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": "", "tool_calls": [{"function": function}]}


def _differences(before: Any, after: Any, path: str) -> list[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        found = [f"{path}.{key} removed" for key in before if key not in after]
        found += [f"{path}.{key} added" for key in after if key not in before]
        for key, old in before.items():
            if key in after:
                found += _differences(old, after[key], f"{path}.{key}")
        return found
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [
            change
            for index, (old, new) in enumerate(zip(before, after, strict=True))
            for change in _differences(old, new, f"{path}[{index}]")
        ]
    return [] if before == after else [f"{path}: {before!r} -> {after!r}"]
