"""The pipeline of one environment, from its description to everything that a bundle is saved from."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import EnvScalerError, RunStopped, UnusableAnswer, describe_error
from envscaler_gym.quality.reports import Finding
from envscaler_gym.synthesis.artefacts import Artefact, Made
from envscaler_gym.synthesis.assessment import Assessment, assess
from envscaler_gym.synthesis.coding import Draft, repair_draft, write_draft
from envscaler_gym.synthesis.discovery import Described
from envscaler_gym.synthesis.environment import draft_bundle
from envscaler_gym.synthesis.outcomes import Outcome
from envscaler_gym.synthesis.phrasing import write_phrases
from envscaler_gym.synthesis.planning import write_skeleton
from envscaler_gym.synthesis.publication import check_publication
from envscaler_gym.synthesis.scenarios import GeneratedScenarios, generate_scenarios
from envscaler_gym.synthesis.skeleton import Skeleton
from envscaler_gym.synthesis.stages import Stage
from envscaler_gym.synthesis.workshop import Workshop
from envscaler_gym.types import JSON

__all__ = ["Job", "Produced", "Rejected", "produce"]

T = TypeVar("T")

_TOLD = 5  # findings that a rejection names


class Rejected(EnvScalerError):
    """An environment does not pass, and never will in this run.

    Attributes:
        stage: The stage at which that was found out.
        figures: What is worth knowing of it.
    """

    def __init__(self, stage: Stage, reason: str, figures: Mapping[str, JSON] | None = None) -> None:
        super().__init__(reason)
        self.stage: Stage = stage
        self.figures = dict(figures or {})


@dataclass(frozen=True, slots=True)
class Job:
    """An environment to be produced.

    Attributes:
        slug: Its name within the run.
        described: What is known of a new one; ``None`` for one that exists.
        bundle: One that exists, and gets more scenarios.
        parent: Digest of what it comes from.
    """

    slug: str
    described: Described | None
    bundle: Bundle | None
    parent: str


@dataclass(frozen=True, slots=True)
class Produced:
    """What came out of a pipeline.

    Attributes:
        slug: Name of the environment within the run.
        outcome: What became of it, where that is decided; otherwise it is to be published.
        bundle: The environment.
        generated: Its scenarios.
        artefacts: What it was made from.
        assessments: What was said of its code, in order; the last one passed, the others led to repairs.
        figures: What is worth knowing of it.
    """

    slug: str
    outcome: Outcome | None = None
    bundle: Bundle | None = None
    generated: GeneratedScenarios | None = None
    artefacts: tuple[Artefact, ...] = ()
    assessments: tuple[Assessment, ...] = ()
    figures: Mapping[str, JSON] | None = None


async def produce(workshop: Workshop, job: Job) -> Produced:
    """Take an environment through all stages up to its publication. Never raises: whatever happens is an outcome.

    Args:
        workshop: A workshop of its own.
        job: The environment.
    """
    try:
        return await _produce(workshop, job)
    except Rejected as error:
        outcome = Outcome(
            subject=job.slug, status="rejected", stage=error.stage, reason=str(error), figures=error.figures
        )
    except RunStopped as error:
        outcome = Outcome(subject=job.slug, status="stopped", stage=_stage(workshop), reason=str(error))
    except Exception as error:  # one environment's misfortune is not that of the others
        frame = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{describe_error(error)} ({Path(frame.filename).name}:{frame.lineno}, in {frame.name})"
        outcome = Outcome(subject=job.slug, status="failed", stage=_stage(workshop), reason=reason)
    return Produced(job.slug, outcome)


async def _produce(workshop: Workshop, job: Job) -> Produced:
    comparisons: dict[str, dict[str, str]] | None = None
    assessments: list[Assessment] = []
    figures: dict[str, JSON] = {}
    parents = [job.parent]
    if job.bundle is not None:
        bundle = job.bundle
    else:
        assert job.described is not None  # a job has one of the two
        skeleton, draft, assessments = await _build(workshop, job.described, job.parent)
        plan = skeleton.value
        phrasing = await write_phrases(workshop, job.slug, skeleton)
        code, namespace = draft.value, workshop.settings.namespace
        bundle = draft_bundle(plan, code.source, code.invariants_source, {}, namespace, phrasing.value)
        comparisons = {
            entity.name: {attribute.name: attribute.comparison for attribute in entity.attributes}
            for entity in plan.entities
        }
        figures = {
            "rounds": assessments[-1].verdicts,
            "repairs": len(assessments) - 1,
            "tools": len(plan.operations),
        }
        parents = [skeleton.digest, draft.digest, phrasing.digest]
    generated = await generate_scenarios(workshop, job.slug, bundle, comparisons, parents)
    new = len(generated.scenarios) - len(bundle.scenarios)
    figures |= {"scenarios": new, "rejected scenarios": len(generated.rejected)}
    if not new:
        reasons = "; ".join(f"{left.kind} {left.subject}: {left.reason}" for left in generated.rejected[:_TOLD])
        raise Rejected("tasks", f"not one scenario held up: {reasons or 'none was made'}", figures)
    await check_publication(workshop, job.slug, bundle, generated)
    return Produced(job.slug, None, bundle, generated, tuple(workshop.artefacts), tuple(assessments), figures)


async def _build(
    workshop: Workshop, described: Described, parent: str
) -> tuple[Made[Skeleton], Made[Draft], list[Assessment]]:
    """Return skeleton and code of an environment that has passed assessment, with the assessments up to it.

    Code that passes with some calls judged failures is repaired, too, as long as there are repairs left; what had the
    fewest of them is taken, and its quality record says what was found.

    Raises:
        Rejected: It has not, after every repair; or a stage had no usable answer.
    """
    slug = described.slug
    skeleton = await _at("skeleton", write_skeleton(workshop, described, parent))
    draft = await _at("code", write_draft(workshop, slug, skeleton))
    repairs = workshop.settings.repairs
    assessments: list[Assessment] = []
    good: tuple[Made[Draft], list[Assessment]] | None = None
    for number in range(repairs + 1):
        assessment = await _at("assessment", assess(workshop, slug, skeleton, draft))
        assessments.append(assessment)
        if assessment.passed:
            if good is None or assessment.failures <= good[1][-1].failures:
                good = draft, list(assessments)
            if not assessment.failures:
                break
        if number == repairs or not assessment.findings:  # rounds that came to nothing name nothing to mend
            break
        try:
            draft = await _at("code", repair_draft(workshop, slug, skeleton, draft, assessment.findings, number))
        except Rejected:
            if good is None:
                raise
            break
    if good is not None:
        return skeleton, *good
    told = "".join(f"\n{_told(finding)}" for finding in assessment.findings[:_TOLD])
    figures = {"rounds": assessment.verdicts, "repairs": number}
    raise Rejected("assessment", f"after {number} repairs {assessment.summary}{told}", figures)


async def _at(stage: Stage, result: Awaitable[T]) -> T:
    try:
        return await result
    except UnusableAnswer as error:
        raise Rejected(stage, str(error)) from error


def _told(finding: Finding) -> str:
    return f"{finding.subject}: {finding.defect}: {finding.message}"


def _stage(workshop: Workshop) -> str:
    """Return the stage at which something happened."""
    return workshop.unfinished[0] if workshop.unfinished else "scenarios"
