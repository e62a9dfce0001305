"""A model that says what it is told to say, for tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from pydantic import BaseModel

from envscaler_gym.errors import MissingCompletion, shorten
from envscaler_gym.llm.model import Completion, CompletionRequest
from envscaler_gym.state import to_json
from envscaler_gym.types import JSON

__all__ = ["Answer", "Scripted"]

Answer: TypeAlias = Completion | BaseModel | Mapping[str, JSON] | str | Exception
"""A completion; or what its text is to be, as it stands or as JSON; or an exception to raise."""


class Scripted:
    """A model that answers from a list, or by a function of the request.

    Args:
        answers: Answers in the order in which they are given, whatever is asked; or a function that makes them.

    Attributes:
        requests: Every request so far.
    """

    def __init__(self, answers: Iterable[Answer] | Callable[[CompletionRequest], Answer]) -> None:
        self.requests: list[CompletionRequest] = []
        self._function = answers if callable(answers) else _Taken(answers)

    async def complete(self, request: CompletionRequest) -> Completion:
        """Answer a request.

        Raises:
            MissingCompletion: The list has no more answers.
        """
        self.requests.append(request)
        answer = self._function(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Completion):
            return answer
        if isinstance(answer, BaseModel):
            answer = answer.model_dump_json()
        text = answer if isinstance(answer, str) else to_json(answer)
        return Completion(text=text, model=request.model)


class _Taken:
    """The answers of a list, one after another."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        self._answers = deque(answers)
        self._given = 0

    def __call__(self, request: CompletionRequest) -> Answer:
        if not self._answers:
            asked = shorten(request.messages[-1].content)
            raise MissingCompletion(
                f"the script has no more than {self._given} answers; {request.purpose!r} asks for one more: {asked}"
            )
        self._given += 1
        return self._answers.popleft()
