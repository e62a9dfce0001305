"""Publication: an environment with its scenarios is put through every gate once more, named, and saved as a bundle.

What is saved is found by ``gym.make`` in every process that starts afterwards. Nobody has reviewed it, so its code runs
in workers until somebody has.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Annotated

from pydantic import Field

from envscaler_gym import registry
from envscaler_gym.bundle import ENVIRONMENT, Bundle, load_bundle
from envscaler_gym.data import Data
from envscaler_gym.errors import BundleError
from envscaler_gym.formats.saving import slug as slug_of
from envscaler_gym.llm.usage import Usage
from envscaler_gym.manifest import AssessmentRecord, Synthesis
from envscaler_gym.quality.check import check_bundle
from envscaler_gym.quality.reports import GateResult, QualityReport
from envscaler_gym.state import digest
from envscaler_gym.synthesis.artefacts import Artefact, Made
from envscaler_gym.synthesis.assessment import Assessment
from envscaler_gym.synthesis.scenarios.artefacts import GeneratedScenarios, Rejection
from envscaler_gym.synthesis.workshop import Desk, Workshop

__all__ = [
    "CheckedBundle",
    "Published",
    "assessment_record",
    "check_publication",
    "publish",
    "save_bundle",
    "synthesis_record",
]

LIBRARY = "envscaler"
"""Namespace of the environments that come with the library."""

NAMESPACE = "synthesized"
"""Namespace of what is made from those."""

_UNFINISHED = ".publishing"
_ROUNDS = 3  # times that scenarios with defects are taken out and the rest is tried again


class CheckedBundle(Data):
    """What the gates said of an environment, and what they left of it.

    Attributes:
        report: Of the last time that they were run.
        kept: Ids of the scenarios that are left.
        dropped: The other ones, with the reasons.
        reason: Why it cannot be published; empty where it can.
    """

    report: QualityReport
    kept: Annotated[tuple[str, ...], Field(strict=False)]
    dropped: Annotated[tuple[Rejection, ...], Field(strict=False)] = ()
    reason: str = ""


class Published(Data):
    """What became of a publication.

    Attributes:
        id: Gymnasium id under which it was published; the id that it was to have where it was not.
        path: Its folder; empty where it was not published.
        digest: Digest of the bundle; empty where it was not published.
        scenarios: Number of its scenarios.
        dropped: Scenarios that the gates found something in.
        findings: What the gates found in the end, a line each.
        reason: Why it was not published; empty where it was.
        note: What is worth knowing of name or place; mostly empty.
    """

    id: str
    path: str = ""
    digest: str = ""
    scenarios: int = 0
    dropped: Annotated[tuple[Rejection, ...], Field(strict=False)] = ()
    findings: Annotated[tuple[str, ...], Field(strict=False)] = ()
    reason: str = ""
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether it was published."""
        return not self.reason


async def publish(
    workshop: Workshop,
    slug: str,
    bundle: Bundle,
    generated: GeneratedScenarios,
    artefacts: Sequence[Artefact],
    *,
    answered: str,
    assessments: Sequence[Assessment] = (),
    out: Path | None = None,
) -> Published:
    """Put an environment through every gate, and save it where it passes.

    Scenarios that a gate finds something in are taken out and named; a finding about anything else keeps the
    environment from being published.

    Args:
        workshop: The run's workshop.
        slug: Name of the environment within the run.
        bundle: The environment.
        generated: Its scenarios.
        artefacts: What it was made from; those of its scenarios may be among them.
        answered: How the completions were answered, in a phrase: ``"by the models named here"``, ``"recorded from a
            batch file"``.
        assessments: What was said of its code while it was made, in order.
        out: Folder that is to hold the bundle's; ``None`` for the user's own, where ``gym.make`` finds it.

    Raises:
        IsolationUnavailable: The code is to run in a worker, and this machine cannot lock one down.
    """
    checked = (await check_publication(workshop, slug, bundle, generated)).value
    findings = tuple(f"{each.subject}: {each.defect}: {each.message}" for each in checked.report.findings)
    if checked.reason:
        return Published(id=bundle.id, dropped=checked.dropped, findings=findings, reason=checked.reason)
    record = synthesis_record((*artefacts, *generated.artefacts), answered)
    whole = _whole(bundle, generated)
    manifest = whole.manifest.model_copy(update={"synthesis": record, "graph": generated.graph})
    finished = replace(_only(whole, checked.kept), manifest=manifest)
    own = workshop.settings.namespace == LIBRARY and out is not None
    said = assessment_record(finished, assessments) if assessments else None
    path, note = save_bundle(finished, checked.report, out or registry.home() / "envs", said, own_names=own)
    saved = load_bundle(path)
    registry.register_all()
    return Published(
        id=saved.id,
        path=str(path),
        digest=saved.digest,
        scenarios=len(saved.scenarios),
        dropped=checked.dropped,
        note=note,
    )


async def check_publication(
    workshop: Workshop, slug: str, bundle: Bundle, generated: GeneratedScenarios
) -> Made[CheckedBundle]:
    """Put an environment through every gate, wherever the workshop is; :func:`publish` then finds the result there.

    Raises:
        IsolationUnavailable: The code is to run in a worker, and this machine cannot lock one down.
    """
    whole = _whole(bundle, generated)
    return await workshop.make(
        "publication", slug, CheckedBundle, lambda desk: _check(desk, whole), parents=(whole.digest,)
    )


def _whole(bundle: Bundle, generated: GeneratedScenarios) -> Bundle:
    return replace(bundle, start_states=generated.start_states, scenarios=generated.scenarios, path=None)


async def _check(desk: Desk, bundle: Bundle) -> CheckedBundle:
    settings = desk.settings
    dropped: list[Rejection] = []
    for _ in range(_ROUNDS):
        report = await desk.compute(
            check_bundle, bundle, calls=settings.gate_calls, seed=settings.seed, on_progress=desk.progress
        )
        faulty = _faulty(report.gates, bundle)
        if not faulty:
            break
        dropped += [Rejection(kind="scenario", subject=name, reason=why) for name, why in faulty.items()]
        bundle = _only(bundle, [name for name in bundle.scenarios if name not in faulty])
        if not bundle.scenarios:
            break
    if not bundle.scenarios:
        reason = f"no scenario is left; {len(dropped)} were taken out by the gates"
    elif not report.passed:
        reason = "; ".join(f"{each.subject}: {each.defect}: {each.message}" for each in report.findings)
    else:
        reason = ""
    return CheckedBundle(report=report, kept=tuple(bundle.scenarios), dropped=tuple(dropped), reason=reason)


def _faulty(gates: Sequence[GateResult], bundle: Bundle) -> dict[str, str]:
    """Return why scenarios have to go, by id: what was found in them, or in the start state that they begin with."""
    found: dict[str, list[str]] = {}
    for finding in (finding for gate in gates for finding in gate.findings):
        found.setdefault(finding.subject, []).append(f"{finding.defect}: {finding.message}")
    return {
        scenario.id: "; ".join(problems)
        for scenario in bundle.scenarios.values()
        if (problems := [*found.get(scenario.id, []), *found.get(scenario.start_state, [])])
    }


def _only(bundle: Bundle, names: Sequence[str]) -> Bundle:
    """Return a bundle with some of its scenarios, and the start states that these need."""
    scenarios = {name: bundle.scenarios[name] for name in names}
    needed = {scenario.start_state for scenario in scenarios.values()}
    starts = {name: start for name, start in bundle.start_states.items() if name in needed}
    return replace(bundle, scenarios=scenarios, start_states=starts)


def synthesis_record(artefacts: Sequence[Artefact], answered: str) -> Synthesis:
    """Return what a manifest says of how its environment came about.

    Args:
        artefacts: Everything that it was made from; what occurs twice counts once.
        answered: How the completions were answered, in a phrase.
    """
    artefacts = list({artefact.digest: artefact for artefact in artefacts}.values())
    models: dict[str, set[str]] = {}
    for artefact in artefacts:
        if artefact.models:
            models.setdefault(artefact.stage, set()).update(artefact.models)
    exchanges = {name: usage for artefact in artefacts for name, usage in artefact.exchanges.items()}
    usage = Usage.sum(exchanges.values())  # each answer once, though several artefacts may be made from it
    return Synthesis(
        models={stage: ", ".join(sorted(names)) for stage, names in sorted(models.items())},
        prompts=dict(sorted({name: sha for artefact in artefacts for name, sha in artefact.prompts.items()}.items())),
        completions=digest(sorted(exchanges)),
        calls=usage.calls,
        cost_usd=None if usage.unpriced else round(usage.cost_usd, 6),
        answered=answered,
    )


def assessment_record(bundle: Bundle, assessments: Sequence[Assessment]) -> AssessmentRecord:
    """Return what a quality record says of an environment's assessment.

    Args:
        bundle: The environment as it is published.
        assessments: Those of its code, in order; the last one passed, the others led to repairs.
    """
    last = assessments[-1]
    return AssessmentRecord(
        source=bundle.file_digests()[ENVIRONMENT],
        calls=len(last.rounds),
        verdicts=last.verdicts,
        pass_rate=round(last.pass_rate, 4),
        remarks=last.remarks,
        repaired=tuple(remark for each in assessments[:-1] for remark in each.remarks),
    )


def save_bundle(
    bundle: Bundle,
    report: QualityReport,
    folder: Path,
    assessment: AssessmentRecord | None = None,
    *,
    own_names: bool = False,
) -> tuple[Path, str]:
    """Save a bundle under the first free name, with its quality record.

    A bundle that is there already, equal in everything that makes an episode, is left as it is. Another one of the
    same id is never replaced: the same environment with other scenarios gets the next version, a different environment
    a number behind its name.

    Args:
        bundle: The bundle.
        report: What the gates said of it under its own id; the name is no part of what they look at.
        folder: Folder that is to hold the bundle's; made where it is missing.
        assessment: What agents said of it while it was made.
        own_names: Whether the library's own namespace may be kept: for those who make what comes with it.

    Returns:
        The bundle's folder, and a note where its name is not the one that was asked for.
    """
    own = folder == registry.home() / "envs"
    folder.mkdir(parents=True, exist_ok=True)
    for id_ in _names(bundle, folder, own_names):
        named = replace(bundle, manifest=bundle.manifest.model_copy(update={"id": id_, "quality": None}))
        quality = report.model_copy(update={"id": id_, "bundle": named.digest}).record()
        quality = quality.model_copy(update={"assessment": assessment})
        named = replace(named, manifest=named.manifest.model_copy(update={"quality": quality}))
        path = folder / _folder_name(id_)
        there = _there(id_, path)
        if any(other is None or other.digest != named.digest for other in there.values()):
            continue
        if path in there or (own and there):
            return next(iter(there)), f"{id_} was there already, and is the same"
        if _put(named, path):
            return path, "" if id_ == bundle.id else f"{bundle.id} is taken, so it is {id_}"
    raise AssertionError("there is always another name")


def _names(bundle: Bundle, folder: Path, own_names: bool) -> Iterator[str]:
    """Yield the ids that a bundle may have, the best first."""
    namespace, _, name = bundle.id.rpartition("/")
    name, _, version = name.rpartition("-v")
    namespace = NAMESPACE if namespace == LIBRARY and not own_names else namespace
    first = f"{namespace}/{name}-v{version}"
    yield first
    taken = [other for other in _there(first, folder / _folder_name(first)).values() if other is not None]
    if taken and taken[0].source == bundle.source:
        yield from (f"{namespace}/{name}-v{number}" for number in count(int(version) + 1))
    yield from (f"{namespace}/{name}{number}-v{version}" for number in count(2))


def _there(id_: str, path: Path) -> dict[Path, Bundle | None]:
    """Return what has an id already, or lies where it would lie, by place; ``None`` for what cannot be read."""
    places = [path] if path.exists() and not (path.is_dir() and not any(path.iterdir())) else []
    if id_ in registry.ids():
        places.append(registry.find(id_))
    found: dict[Path, Bundle | None] = {}
    for place in places:
        try:
            found[place] = load_bundle(place)
        except BundleError:
            found[place] = None
    return found


def _folder_name(id_: str) -> str:
    version = id_.rpartition("-v")[2]
    return slug_of(id_) + ("" if version == "0" else f"_v{version}")


def _put(bundle: Bundle, path: Path) -> bool:
    """Write a bundle to a folder, all of it or nothing; return False where something else is there by now."""
    workplace = path.parent / _UNFINISHED
    workplace.mkdir(exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=workplace))  # below the folder, where no registration looks
    try:
        bundle.save(unfinished)
        unfinished.chmod(0o755)
        unfinished.rename(path)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            return False
        raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        with contextlib.suppress(OSError):  # another publication is at work in it
            workplace.rmdir()
    return True
