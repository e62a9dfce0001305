"""An environment on its way to being a bundle."""

from __future__ import annotations

from collections.abc import Mapping

from envscaler_gym.bundle import Bundle
from envscaler_gym.data import Data
from envscaler_gym.manifest import Entity, Manifest, Provenance, ToolEntry
from envscaler_gym.scenario import StartState
from envscaler_gym.synthesis.phrasing import Phrasing
from envscaler_gym.synthesis.skeleton import EntityPlan, Skeleton
from envscaler_gym.types import JSON

__all__ = ["BuiltEnvironment", "draft_bundle", "manifest_of"]


class BuiltEnvironment(Data):
    """An environment whose code has passed assessment.

    Attributes:
        slug: Its name within the run: lower case with underscores, the folder of its bundle.
        skeleton: What it was made from.
        source: Source of the synthesized class's module.
        invariants_source: Source of the invariants.
        start_state: The small state that it was assessed on.
    """

    slug: str
    skeleton: Skeleton
    source: str
    invariants_source: str
    start_state: Mapping[str, JSON]


def manifest_of(skeleton: Skeleton, namespace: str, phrasing: Phrasing | None = None) -> Manifest:
    """Return the manifest of a skeleton's environment."""
    records = {one.entity: one.phrase for one in phrasing.records} if phrasing else {}
    tools = {one.tool: one.phrases for one in phrasing.tools} if phrasing else {}
    return Manifest(
        id=f"{namespace}/{skeleton.class_name}-v0",
        class_name=skeleton.class_name,
        summary=skeleton.summary,
        introduction=skeleton.introduction,
        # What can be seen in a state has an invariant each; the other rules stand in the operations' descriptions.
        rules=tuple(rule.text for rule in skeleton.rules if rule.kind == "state"),
        entities=tuple(_entity(plan, records.get(plan.name, "")) for plan in skeleton.entities),
        tools=tuple(
            ToolEntry(
                name=operation.name,
                kind=operation.kind,
                reads=operation.reads,
                writes=operation.writes,
                phrases=tools.get(operation.name, ()),
            )
            for operation in skeleton.operations
        ),
        provenance=Provenance(method="synthesized"),
    )


def _entity(plan: EntityPlan, phrase: str) -> Entity:
    references = {attribute.name: attribute.references for attribute in plan.attributes if attribute.references}
    return Entity(
        name=plan.name,
        record=plan.record,
        key=plan.key,
        description=plan.description,
        references=references,
        phrase=phrase,
    )


def draft_bundle(
    skeleton: Skeleton,
    source: str,
    invariants_source: str | None,
    states: Mapping[str, Mapping[str, JSON]],
    namespace: str,
    phrasing: Phrasing | None = None,
) -> Bundle:
    """Return a bundle without scenarios, as the gates take it.

    Args:
        skeleton: What the environment was made from.
        source: Source of the synthesized class's module.
        invariants_source: Source of the invariants.
        states: Start states by id.
        namespace: Namespace of its id.
        phrasing: How people speak of it.
    """
    starts = {name: StartState(id=name, state=state) for name, state in states.items()}
    return Bundle(manifest_of(skeleton, namespace, phrasing), source, invariants_source, starts, {})
