"""A simulated user that a language model plays."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Any, TypeVar

from envscaler_gym.llm.model import ChatMessage, CompletionRequest, LanguageModel
from envscaler_gym.scenario import Scenario

__all__ = ["STOP", "LLMUser"]

STOP = "###STOP###"
"""What the model says to end the conversation, as in the published protocol (EnvScaler, arXiv 2601.05808)."""

_OPENING = "Hello! How can I help you today?"
_PROMPT = Path(__file__).with_name("user_prompt.md")
T = TypeVar("T")


class LLMUser:
    """Lets a language model be the user: ``env.unwrapped.user = LLMUser(model, name="openai/gpt-5")``.

    What it says is a function of the scenario and of what was said, as far as the model is one. Put a
    :class:`~envscaler_gym.llm.recorded.Recorded` model behind it, and episodes can be forked and replayed, and no turn
    is paid for twice.

    Args:
        model: Who completes the conversation.
        name: Name of the model, as litellm takes it.
        temperature: Of the sampling.
        template: Text of the system prompt with ``$task``, ``$facts`` and ``$stop``.
    """

    def __init__(
        self, model: LanguageModel, *, name: str, temperature: float | None = 0.0, template: str | None = None
    ) -> None:
        self._model = model
        self._name = name
        self._temperature = temperature
        self._template = Template(_PROMPT.read_text("utf-8") if template is None else template)

    def reply(self, scenario: Scenario, conversation: tuple[str, ...]) -> str | None:
        """Return the next turn; ``None`` when the model ends the conversation.

        Raises:
            ModelError: The model has no answer.
        """
        turns = (_OPENING, *conversation)
        messages = [ChatMessage(role="system", content=self._prompt(scenario))]
        messages += [
            ChatMessage(role="assistant" if number % 2 else "user", content=turn) for number, turn in enumerate(turns)
        ]
        request = CompletionRequest(
            model=self._name, messages=tuple(messages), temperature=self._temperature, purpose="user"
        )
        said = _wait_for(self._model.complete(request)).text.strip()
        if STOP in said and conversation:
            return None
        return said.replace(STOP, "").strip() or scenario.task

    def _prompt(self, scenario: Scenario) -> str:
        facts = "\n".join(f"- {fact}" for fact in scenario.facts.values()) or "- Nothing."
        wishes = "\n".join(f"{i}. {wish}" for i, wish in enumerate(scenario.requests, 1)) or scenario.task
        return self._template.substitute(task=wishes, facts=facts, stop=STOP)


@lru_cache(maxsize=1)
def _loop() -> asyncio.AbstractEventLoop:
    """Return an event loop that runs in a thread of its own: environments are stepped from inside of loops, too."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="envscaler-users", daemon=True).start()
    return loop


def _wait_for(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(coroutine, _loop()).result()
