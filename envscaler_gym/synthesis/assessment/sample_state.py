"""The small state that an environment is tried on."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import partial

from envscaler_gym.bundle import Bundle
from envscaler_gym.data import Data
from envscaler_gym.errors import BadOutput
from envscaler_gym.quality.probing import make_prober
from envscaler_gym.state import digest
from envscaler_gym.syntax import parse
from envscaler_gym.synthesis.artefacts import Made
from envscaler_gym.synthesis.coding import Draft
from envscaler_gym.synthesis.coding.shell import outline
from envscaler_gym.synthesis.environment import draft_bundle
from envscaler_gym.synthesis.scenarios.state_problems import state_problems
from envscaler_gym.synthesis.skeleton import Skeleton
from envscaler_gym.synthesis.workshop import Desk, Workshop
from envscaler_gym.types import JSON

__all__ = ["CLOCK", "SampleState", "write_sample_state"]

CLOCK = "2025-06-10T09:00:00"
"""The time at which environments are assessed."""


class SampleState(Data):
    """The small state that an environment is tried on.

    Attributes:
        state: The state; empty where none could be had.
        problem: Why none could be had.
    """

    state: Mapping[str, JSON]
    problem: str = ""


class SampleStateDraft(Data):
    state: Mapping[str, JSON]


async def write_sample_state(
    workshop: Workshop, slug: str, skeleton: Made[Skeleton], draft: Draft
) -> Made[SampleState]:
    """Have a sample state written. It depends on types and invariants, so a repair of methods leaves it as it is.

    Raises:
        RunStopped: The model cannot be asked now.
    """
    parents = [skeleton.digest, digest(draft.invariants_source)]
    work = partial(_write, skeleton.value, draft)
    return await workshop.make("assessment", slug, SampleState, work, parents=parents, part="state")


async def _write(plan: Skeleton, draft: Draft, desk: Desk) -> SampleState:
    bundle = draft_bundle(plan, draft.source, draft.invariants_source, {}, desk.settings.namespace)

    async def accept(written: SampleStateDraft) -> str:
        problems = await desk.compute(_problems, bundle, written.state)
        return "\n".join(f"- {problem}" for problem in problems)

    try:
        written = await desk.ask(
            "write_sample_state",
            SampleStateDraft,
            accept=accept,
            skeleton=plan,
            outline=_records(outline(plan), plan),
            invariants=draft.invariants_source,
            clock=CLOCK,
        )
    except BadOutput as error:  # as likely the fault of an invariant as of the state
        return SampleState(state={}, problem=str(error))
    return SampleState(state=written.state)


def _problems(bundle: Bundle, state: Mapping[str, JSON]) -> Sequence[str]:
    with make_prober(bundle) as prober:
        return state_problems(bundle, prober, state, CLOCK, least=2 * len(bundle.manifest.entities))


def _records(source: str, plan: Skeleton) -> str:
    """Return the part of a module that declares records and attributes."""
    module = parse(source)
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    for node in classes:
        if node.name == plan.class_name:
            node.body = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
    return "\n\n".join(map(ast.unparse, classes))
