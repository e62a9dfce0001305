"""Discovery: which environments tasks call for, and which of those are worth building.

The first stage of EnvScaler's SkelBuilder (arXiv 2601.05808): tasks are filtered, environments inferred and scored, and
near duplicates left out. No threshold is ever relaxed: where nothing passes, nothing is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated

from pydantic import Field

from envscaler_gym.data import Data
from envscaler_gym.errors import UnusableAnswer
from envscaler_gym.llm.together import together
from envscaler_gym.state import digest
from envscaler_gym.synthesis.artefacts import Made
from envscaler_gym.synthesis.config import TasksSource, TopicsSource
from envscaler_gym.synthesis.diversity import cluster, similarity_matrix
from envscaler_gym.synthesis.embedding import embed
from envscaler_gym.synthesis.settings import Settings
from envscaler_gym.synthesis.workshop import Desk, Workshop

__all__ = ["Described", "Discovery", "Dismissed", "discover"]

TASKS_PER_REQUEST = 20
EVIDENCE = 8
"""Most requests that a description or a skeleton is shown."""


class Described(Data):
    """An environment as discovery describes it.

    Attributes:
        slug: Its name within the run: lower case with underscores.
        name: Its name in words.
        summary: One phrase.
        introduction: One paragraph.
        usefulness: 1 to 10.
        modelability: 1 to 10.
        reason: What kept the scores from being higher.
        requests: Requests that it should serve.
        weight: Number of tasks that asked for it.
    """

    slug: str
    name: str
    summary: str
    introduction: str
    usefulness: int
    modelability: int
    reason: str
    requests: Annotated[tuple[str, ...], Field(strict=False)]
    weight: int


class Dismissed(Data):
    """Something that discovery left out.

    Attributes:
        what: A task, or the name of an environment.
        reason: Why.
    """

    what: str
    reason: str


class Discovery(Data):
    """What discovery found.

    Attributes:
        environments: Environments to build, best first.
        dismissed: Tasks and environments that were left out, with reasons.
        figures: How many there were at each step.
    """

    environments: Annotated[tuple[Described, ...], Field(strict=False)]
    dismissed: Annotated[tuple[Dismissed, ...], Field(strict=False)]
    figures: Mapping[str, int]


class TaskJudgement(Data):
    task: int
    stateful: bool
    domain_specific: bool
    environment: str
    reason: str


class TaskJudgements(Data):
    judgements: Annotated[tuple[TaskJudgement, ...], Field(strict=False)]


class EnvironmentDescription(Data):
    name: str = Field(min_length=2)
    summary: str
    introduction: str
    usefulness: int = Field(ge=1, le=10)
    modelability: int = Field(ge=1, le=10)
    reason: str


async def discover(workshop: Workshop, source: TasksSource | TopicsSource) -> Made[Discovery]:
    """Find the environments that tasks or topics call for.

    Raises:
        RunStopped: The model cannot be asked now.
    """
    work = partial(_discover, source)
    return await workshop.make("discovery", "run", Discovery, work, parents=[digest(source.model_dump(mode="json"))])


async def _discover(source: TasksSource | TopicsSource, desk: Desk) -> Discovery:
    dismissed: list[Dismissed] = []
    if isinstance(source, TasksSource):
        topics = await _topics_of(desk, source.tasks, dismissed)
        figures = {"tasks": len(source.tasks), "suitable tasks": sum(map(len, topics.values()))}
    else:
        topics = {topic: [] for topic in source.topics}
        figures = {"topics": len(topics)}
    answers = await together(_describe(desk, topic, requests) for topic, requests in topics.items())
    described = [answer for answer in answers if isinstance(answer, Described)]
    dismissed += [answer for answer in answers if isinstance(answer, Dismissed)]
    able = _passing(described, desk.settings, dismissed)
    different = await _representatives(desk, able, dismissed)
    chosen = different[: desk.settings.environments]
    dismissed += [
        Dismissed(what=left.name, reason=f"only the best {len(chosen)} environments are asked for")
        for left in different[len(chosen) :]
    ]
    figures |= {
        "environments": len(described),
        "above the thresholds": len(able),
        "different": len(different),
        "chosen": len(chosen),
    }
    return Discovery(environments=tuple(_with_slugs(chosen)), dismissed=tuple(dismissed), figures=figures)


async def _topics_of(desk: Desk, tasks: Sequence[str], dismissed: list[Dismissed]) -> dict[str, list[str]]:
    """Return the tasks that are fit for an environment, by its name."""
    groups = [tasks[start : start + TASKS_PER_REQUEST] for start in range(0, len(tasks), TASKS_PER_REQUEST)]
    judged = await together(_judge(desk, group) for group in groups)
    topics: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for task, judgement in zip(tasks, (one for group in judged for one in group), strict=True):
        if judgement.stateful and judgement.domain_specific and judgement.environment.strip():
            name = names.setdefault(_slug(judgement.environment), judgement.environment.strip())
            topics.setdefault(name, []).append(task)
        else:
            missing = [
                word
                for word, holds in (("stateful", judgement.stateful), ("domain-specific", judgement.domain_specific))
                if not holds
            ]
            why = f"not {' and not '.join(missing)}" if missing else "belongs to no environment"
            dismissed.append(Dismissed(what=task, reason=f"{why}: {judgement.reason}"))
    return topics


async def _judge(desk: Desk, tasks: Sequence[str]) -> Sequence[TaskJudgement]:
    def accept(given: TaskJudgements) -> str:
        wanted, got = list(range(1, len(tasks) + 1)), [judgement.task for judgement in given.judgements]
        return "" if got == wanted else f"Judge the tasks {wanted}, each once and in this order; got {got}."

    numbered = "\n\n".join(f"{number}. {task}" for number, task in enumerate(tasks, 1))
    try:
        return (await desk.ask("judge_tasks", TaskJudgements, accept=accept, tasks=numbered)).judgements
    except UnusableAnswer as error:
        why = f"could not be judged: {error}"
        return [
            TaskJudgement(task=number, stateful=False, domain_specific=False, environment="", reason=why)
            for number in range(1, len(tasks) + 1)
        ]


async def _describe(desk: Desk, topic: str, requests: Sequence[str]) -> Described | Dismissed:
    shown = requests[:EVIDENCE]
    listed = "\n".join(f"* {one}" for one in shown) or "none"
    try:
        given = await desk.ask("describe_environment", EnvironmentDescription, topic=topic, requests=listed)
    except UnusableAnswer as error:
        return Dismissed(what=topic, reason=f"could not be described: {error}")
    return Described(slug=_slug(given.name), requests=tuple(shown), weight=max(len(requests), 1), **given.model_dump())


def _passing(described: Iterable[Described], settings: Settings, dismissed: list[Dismissed]) -> list[Described]:
    """Return those above both thresholds, best first."""
    able = []
    for one in described:
        short = [
            f"{what} {score} is below {least}"
            for what, score, least in (
                ("usefulness", one.usefulness, settings.usefulness),
                ("modelability", one.modelability, settings.modelability),
            )
            if score < least
        ]
        if short:
            dismissed.append(Dismissed(what=one.name, reason=f"{' and '.join(short)}: {one.reason}"))
        else:
            able.append(one)
    return sorted(able, key=lambda one: (-(one.usefulness + one.modelability), -one.weight, one.slug))


async def _representatives(desk: Desk, able: Sequence[Described], dismissed: list[Dismissed]) -> list[Described]:
    """Return the best of each cluster of descriptions that say nearly the same, best first."""
    texts = [f"{one.name}. {one.summary} {one.introduction}" for one in able]
    if len(texts) < 2:
        return list(able)
    embedding = desk.settings.embedding_model
    if embedding is None:
        similarity = await desk.compute(similarity_matrix, texts)
    else:
        similarity = await embed(desk.workshop, texts, embedding)
    kept = []
    for members in cluster(similarity, desk.settings.similarity):
        best, *others = sorted(members)
        kept.append(best)
        dismissed += [
            Dismissed(
                what=able[other].name,
                reason=f"too similar to {able[best].name!r} (similarity {similarity[best][other]:.2f}, "
                f"clusters join at {desk.settings.similarity:g})",
            )
            for other in others
        ]
    return [able[index] for index in sorted(kept)]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_") or "environment"


def _with_slugs(described: Iterable[Described]) -> Iterable[Described]:
    """Yield descriptions with slugs that are unique."""
    taken: set[str] = set()
    for one in described:
        slug, number = one.slug, 2
        while slug in taken:
            slug, number = f"{one.slug}_{number}", number + 1
        taken.add(slug)
        yield one.model_copy(update={"slug": slug})
