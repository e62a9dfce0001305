"""Answers as data: a model is asked for JSON of a given form, and shown its mistakes until it fits."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from envscaler_gym.errors import BadOutput, ModelRefusal, shorten
from envscaler_gym.llm.model import ChatMessage, Completion, CompletionRequest, FailureKind, LanguageModel
from envscaler_gym.llm.usage import Ledger
from envscaler_gym.types import JSON

__all__ = ["complete_as", "find_json"]

T = TypeVar("T", bound=BaseModel)

_THINKING = re.compile(r"\A\s*<think(ing)?>.*?</think(ing)?>", re.DOTALL)
_START = re.compile(r"(\A[^{]*|^|```[\w-]*\s*)(?P<brace>{)", re.MULTILINE)
_MAX_STARTS = 50
"""Most places of a text at which JSON is looked for."""
_MAX_PROBLEMS = 12
"""Most problems of one answer that a model is shown."""


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(strict=False, parse_constant=_refuse)


async def complete_as(model: LanguageModel, request: CompletionRequest, form: type[T], *, repairs: int = 2) -> T:
    """Ask for an answer of a given form.

    An answer that is no JSON, does not fit, or was cut off is answered with what is wrong with it, at most ``repairs``
    times. Where ``model`` is a :class:`~envscaler_gym.llm.usage.Ledger`, it is told of every such answer.

    Args:
        model: The model.
        request: What to ask. Its ``response_schema`` is set from ``form``.
        form: The class of the answer.
        repairs: Most repairs.

    Returns:
        The answer, validated.

    Raises:
        BadOutput: The answer after the last repair was none either.
        ModelRefusal: The model declined.
        RunStopped: There was no answer.
        ValueError: ``repairs`` is negative.
    """
    asked = request.model_copy(update={"response_schema": form.model_json_schema()})
    for left in range(repairs, -1, -1):
        completion = await model.complete(asked)
        read = _read(completion, form)
        if not isinstance(read, _Problem):
            return read
        if isinstance(model, Ledger):
            model.note(asked, read.kind)
        if read.kind == "refusal":
            raise ModelRefusal(f"{_who(asked)} declined: {shorten(completion.text, 300)}")
        if left == 0 or read.final:
            last = f"the last answer was {read.kind}: {read.text}"
            raise BadOutput(f"{_who(asked)} gave no usable {form.__name__} after {repairs - left} repairs; {last}")
        asked = _repaired(asked, completion, read)
    raise ValueError(f"repairs must be at least 0; found {repairs}")


@dataclass(frozen=True, slots=True)
class _Problem:
    """Why an answer is not usable, in words for its writer, and whether these are of no use."""

    kind: FailureKind
    text: str
    final: bool = False


def _read(completion: Completion, form: type[T]) -> T | _Problem:
    if completion.finish_reason == "refusal":
        return _Problem("refusal", completion.text)
    if completion.finish_reason == "length" and not completion.text and not completion.completion_tokens:
        return _Problem("truncated", "the request fills the model's context, and leaves no room.", final=True)
    if completion.finish_reason == "length":
        written = f" after {completion.completion_tokens} tokens" if completion.completion_tokens else ""
        return _Problem("truncated", f"it was cut off{written}, at its longest.")
    if completion.tool_calls and not completion.text.strip():
        return _Problem("malformed", f"it called {shorten(completion.tool_calls[0].name)} instead of answering.")
    return _parse(completion.text, form)


def _parse(text: str, form: type[T]) -> T | _Problem:
    """Return the first JSON object of a text that fits, or why the first one does not."""
    first: _Problem | None = None
    for value in find_json(text):
        try:
            # As JSON, not as objects: strict classes take a list for a tuple only from JSON.
            return form.model_validate_json(json.dumps(value))
        except ValidationError as error:
            first = first or _Problem("wrong_schema", _describe(error))
    return first or _Problem("malformed", f"it holds no JSON object that can be read: {_syntax_error(text)}")


def find_json(text: str) -> list[dict[str, JSON]]:
    """Find the JSON objects in an answer, the last one first, since models draft before they answer.

    An object is looked for at the first brace, at braces that begin a line and after fences, but not within another. So
    the parts of an object that breaks off are not taken for answers. Newlines within strings are let pass.
    """
    text = _THINKING.sub("", text)
    found, end = [], 0
    for start in [match.start("brace") for match in islice(_START.finditer(text), _MAX_STARTS)]:
        if start < end:
            continue
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        found.append(value)
    return found[::-1]


def _syntax_error(text: str) -> str:
    """Return where the first object of a text breaks off."""
    start = text.find("{")
    if start < 0:
        return f"there is no object in {shorten(text)}"
    try:
        _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        return f"{error.msg} at {shorten(text[max(0, error.pos - 40) : error.pos + 40], 90)}"
    except (ValueError, RecursionError) as error:
        return str(error)
    return f"it is not at the beginning of a line in {shorten(text)}"


def _describe(error: ValidationError) -> str:
    """Return the problems of an answer, a line each, with the value that each is about."""
    problems = error.errors(include_url=False, include_context=False)
    lines = [
        f"- {'.'.join(map(str, problem['loc'])) or 'the answer'}: {problem['msg']} (found {shorten(problem['input'])})"
        for problem in problems[:_MAX_PROBLEMS]
    ]
    if len(problems) > _MAX_PROBLEMS:
        lines.append(f"- and {len(problems) - _MAX_PROBLEMS} more")
    return "it does not fit the schema:\n" + "\n".join(lines)


def _repaired(asked: CompletionRequest, completion: Completion, problem: _Problem) -> CompletionRequest:
    """Return the request that shows a model its answer and what is wrong with it."""
    if problem.kind == "truncated":
        wanted = "Answer again from the beginning, in full, and shorter: leave out whatever is not asked for."
    else:
        wanted = "Answer again with the whole JSON object, corrected, and nothing else."
    messages = (
        *asked.messages,
        ChatMessage(role="assistant", content=completion.text or "(no text)"),
        ChatMessage(role="user", content=f"That answer cannot be used: {problem.text}\n\n{wanted}"),
    )
    longest = asked.max_tokens
    if problem.kind == "truncated" and longest is not None:
        longest *= 2
    return asked.model_copy(update={"messages": messages, "max_tokens": longest})


def _who(request: CompletionRequest) -> str:
    return f"{request.model} ({request.purpose})" if request.purpose else request.model
