"""What the tests of models share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from envscaler_gym.llm.model import ChatMessage, CompletionRequest


@pytest.fixture
def ask() -> Callable[..., CompletionRequest]:
    """Return a function that makes a request of one message."""

    def make(text: str = "Which tea?", **fields: Any) -> CompletionRequest:
        fields = {"model": "test", "purpose": "tests", "messages": (ChatMessage(role="user", content=text),), **fields}
        return CompletionRequest.model_validate(fields)

    return make
