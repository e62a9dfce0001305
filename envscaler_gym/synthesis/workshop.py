"""Where stages work: a workshop for the run, and in it a desk for each piece of work."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

from pydantic import BaseModel

from envscaler_gym import __version__
from envscaler_gym.data import Data
from envscaler_gym.errors import BadOutput
from envscaler_gym.llm.model import ChatMessage, Completion, CompletionRequest, LanguageModel
from envscaler_gym.llm.structured import complete_as
from envscaler_gym.llm.usage import Ledger, Usage
from envscaler_gym.state import digest
from envscaler_gym.synthesis.artefacts import Artefact, Made, Shelf
from envscaler_gym.synthesis.events import Answered, Event, Finished, Started, Tried
from envscaler_gym.synthesis.prompts import all_prompts, load_prompt
from envscaler_gym.synthesis.settings import Settings
from envscaler_gym.synthesis.stages import Stage

__all__ = ["Desk", "Workshop"]

CORRECTIONS = 2
"""Most times that an answer is sent back because of what it says."""

A = TypeVar("A", bound=BaseModel)
D = TypeVar("D", bound=Data)
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Workshop:
    """What the stages share that work for one environment, or for discovery.

    Attributes:
        model: Answers.
        settings: What the run is asked for.
        shelf: Keeps what stages make.
        announce: Is told what happens.
        artefacts: What was made or found here, in order: where the result comes from.
        unfinished: Stages that ended without a result, in order.
    """

    model: LanguageModel
    settings: Settings
    shelf: Shelf
    announce: Callable[[Event], None] = lambda _: None
    artefacts: list[Artefact] = field(default_factory=list)
    unfinished: list[Stage] = field(default_factory=list)

    async def make(
        self,
        stage: Stage,
        subject: str,
        kind: type[D],
        work: Callable[[Desk], Awaitable[D]],
        *,
        parents: Sequence[str] = (),
        part: str = "",
    ) -> Made[D]:
        """Return what a stage makes: from the shelf if it was made before, otherwise by doing the work.

        Args:
            stage: The stage.
            subject: What it is about: the slug of an environment, or ``"run"``.
            kind: Type of the result.
            work: Makes it, at a desk; a deterministic function of its parents, the settings and the model's answers.
            parents: Digests of the artefacts that the work depends on, all of them.
            part: Tells apart results of one stage about one subject from the same parents.

        Raises:
            RunStopped: The model cannot be asked now.
            UnusableAnswer: The model's answers are of no use; the work cannot be done.
        """
        key = digest([_basis(self.settings), stage, subject, part, list(parents)])
        self.announce(Started(subject, stage, part))
        desk = Desk(self, stage, subject)
        usage = Usage()
        try:
            artefact = await self.shelf.find(key)
            if artefact is None:
                artefact = desk.artefact(key, part, await work(desk), parents)
                await self.shelf.keep(artefact)
            usage = artefact.usage
        except Exception:
            usage = desk.model.total
            self.unfinished.append(stage)
            raise
        finally:
            self.announce(Finished(subject, stage, part, key, usage))
        self.artefacts.append(artefact)
        return Made(kind.model_validate_json(json.dumps(artefact.content)), artefact)


class Desk:
    """Where one piece of work is done: it asks the model, and keeps account of that.

    Attributes:
        workshop: The run's workshop.
        stage: The stage.
        subject: What the work is about.
        model: The model, with this desk's account of it.
    """

    def __init__(self, workshop: Workshop, stage: Stage, subject: str) -> None:
        self.workshop = workshop
        self.stage: Stage = stage
        self.subject = subject
        self.model = Ledger(_Noted(self))
        self._exchanges: dict[str, Usage] = {}
        self._models: set[str] = set()
        self._prompts: dict[str, str] = {}

    @property
    def settings(self) -> Settings:
        """What the run is asked for."""
        return self.workshop.settings

    def request(self, prompt: str, *, attempt: int = 0, **values: object) -> CompletionRequest:
        """Return the request that a prompt makes for this stage's model.

        Args:
            prompt: Name of the prompt.
            attempt: Tells apart requests that are otherwise equal.
            values: Values of the prompt's placeholders: text, JSON or data classes.
        """
        loaded = load_prompt(prompt)
        self._prompts[loaded.name] = loaded.digest
        return CompletionRequest(
            model=self.settings.model_for(self.stage),
            messages=loaded.messages(values),
            temperature=self.settings.temperature,
            attempt=attempt,
            purpose=self.stage,
        )

    async def ask(
        self,
        prompt: str,
        answer: type[A],
        *,
        accept: Callable[[A], str | Awaitable[str]] = lambda _: "",
        attempt: int = 0,
        **values: object,
    ) -> A:
        """Ask for an answer of a given form.

        Args:
            prompt: Name of the prompt.
            answer: Class of the answer; its schema is sent along.
            accept: Says what is wrong with an answer that has the form, in words for the model, who is then asked
                again; an empty text where nothing is.
            attempt: Tells apart requests that are otherwise equal.
            values: Values of the prompt's placeholders.

        Raises:
            UnusableAnswer: Neither the first answer nor the corrected ones are of any use.
            RunStopped: The model cannot be asked now.
        """
        request = self.request(prompt, attempt=attempt, **values)
        problem = ""
        for _ in range(CORRECTIONS + 1):
            given = await complete_as(self.model, request, answer)
            verdict = accept(given)
            problem = verdict if isinstance(verdict, str) else await verdict
            if not problem:
                return given
            request = _sent_back(request, given, problem)
        raise BadOutput(f"{prompt} for {self.subject}: after {CORRECTIONS} corrections still: {problem}")

    async def compute(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run something that takes long in a thread; no more of these run at a time than there are cores."""
        return await asyncio.get_running_loop().run_in_executor(_threads(), lambda: function(*args, **kwargs))

    def progress(self, what: str, done: int, total: int) -> None:
        """Announce how much of a computation is done; a :data:`~envscaler_gym.quality.reports.Progress`."""
        self.workshop.announce(Tried(self.subject, self.stage, what, done, total))

    def note(self, request: CompletionRequest, completion: Completion) -> None:
        """Enter an exchange in this desk's account."""
        usage = Usage.of(completion)
        answer = completion.model_dump(mode="json", exclude={"failures"})
        self._exchanges[digest([request.digest, answer])] = usage
        self._models.add(request.model)
        self.workshop.announce(Answered(self.subject, self.stage, usage))

    def artefact(self, key: str, part: str, value: Data, parents: Sequence[str]) -> Artefact:
        """Return the artefact of what was made here."""
        return Artefact(
            stage=self.stage,
            subject=self.subject,
            part=part,
            key=key,
            content=value.model_dump(mode="json"),
            parents=tuple(parents),
            models=tuple(sorted(self._models)),
            prompts=dict(sorted(self._prompts.items())),
            exchanges=dict(sorted(self._exchanges.items())),
            usage=self.model.total,
        )


class _Noted:
    """The run's model, with every exchange entered at a desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def complete(self, request: CompletionRequest) -> Completion:
        completion = await self._desk.workshop.model.complete(request)
        self._desk.note(request, completion)
        return completion


def _sent_back(request: CompletionRequest, given: BaseModel, problem: str) -> CompletionRequest:
    """Return the request that shows a model its last answer and what is wrong with it."""
    reply = f"That cannot be used yet:\n\n{problem}\n\nPut it right, and give the whole answer again."
    said = ChatMessage(role="assistant", content=given.model_dump_json())
    return request.model_copy(
        update={"messages": (*request.messages[:2], said, ChatMessage(role="user", content=reply))}
    )


def _basis(settings: Settings) -> Any:
    return [__version__, settings.model_dump(mode="json"), _prompts_digest()]


@cache
def _prompts_digest() -> str:
    return digest([prompt.digest for prompt in all_prompts()])


@cache
def _threads() -> ThreadPoolExecutor:
    import_module("numpy.ma")  # it builds syntax trees when it is imported, which is no work for one of several threads
    return ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="synthesis")
