"""Manifests: what is known of an environment without running it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from envscaler_gym.data import Data
from envscaler_gym.types import JSON, ToolKind

__all__ = [
    "ID_PATTERN",
    "AssessmentRecord",
    "Effects",
    "Entity",
    "Manifest",
    "Provenance",
    "QualityRecord",
    "Synthesis",
    "ToolDependencies",
    "ToolEntry",
]

ID_PATTERN = r"^[A-Za-z0-9_:-]+/[A-Za-z0-9_.:-]+-v\d+$"
"""What a Gymnasium id looks like, with namespace and version."""


class Entity(Data):
    """One kind of record in the state.

    Attributes:
        name: State attribute that holds the records by key.
        record: Name of the record's TypedDict.
        key: Field of the record that repeats its key.
        attributes: Names of the record's fields, comma-separated, where the source gives no better.
        description: What a record stands for.
        references: Entity whose keys a field holds, by field.
        phrase: How a person names a record, with its fields in braces: ``"the {make} {model}"``, ``"{customer_id}'s
            car"``. What a field refers to is named in its turn. Empty: made from the fields that look like names.
    """

    name: str
    record: str | None = None
    key: str | None = None
    attributes: str | None = None
    description: str = ""
    references: Mapping[str, str] = {}
    phrase: str = ""


class ToolEntry(Data):
    """One line of the allow-list.

    Attributes:
        name: Name of the method.
        kind: ``"query"`` or ``"state_change"``.
        summary: One sentence, where it is not the docstring's.
        reads: State attributes that the tool reads.
        writes: State attributes that the tool writes.
        phrases: How a person asks for a call, each with the arguments in braces (``docs/tool_graph.md`` has the
            grammar): ``"lend {copy_id} to {member_id}"``. Empty: made from the tool's name.
    """

    name: str
    kind: ToolKind
    summary: str = ""
    reads: Annotated[tuple[str, ...], Field(strict=False)] = ()
    writes: Annotated[tuple[str, ...], Field(strict=False)] = ()
    phrases: Annotated[tuple[str, ...], Field(strict=False)] = ()


class Effects(Data):
    """What a tool was seen to do to the state.

    Attributes:
        adds: State attributes to which it added records.
        changes: State attributes of which it changed records.
        removes: State attributes from which it removed records.
    """

    adds: Annotated[tuple[str, ...], Field(strict=False)] = ()
    changes: Annotated[tuple[str, ...], Field(strict=False)] = ()
    removes: Annotated[tuple[str, ...], Field(strict=False)] = ()


class ToolDependencies(Data):
    """How the tools of an environment depend on each other, learnt by executing them.

    Attributes:
        source: SHA-256 of the ``environment.py`` that was executed; of any other, nothing is known.
        data: How often a value of one tool's result was seen to make another succeed: by the tool that takes it, by
            its parameter, by the tool that gives it.
        enables: How often a call was refused before another one and succeeded after it: by the tool that was refused,
            by the tool that enabled it.
        effects: What each state-changing tool was seen to do.
        shows: State attributes whose keys a tool's results show.
        random_keys: State attributes whose new records get keys that depend on the seed.
    """

    source: str
    data: Mapping[str, Mapping[str, Mapping[str, int]]] = {}
    enables: Mapping[str, Mapping[str, int]] = {}
    effects: Mapping[str, Effects] = {}
    shows: Mapping[str, Annotated[tuple[str, ...], Field(strict=False)]] = {}
    random_keys: Annotated[tuple[str, ...], Field(strict=False)] = ()


class Provenance(Data):
    """Where a bundle comes from.

    Attributes:
        method: How it was made.
        env_id: Its id in the published data, for imported ones.
    """

    method: Literal["handwritten", "imported", "synthesized"]
    env_id: str | None = None


class Synthesis(Data):
    """How a synthesized environment, or the scenarios added to one, came about.

    Attributes:
        models: Name of the model that was asked, by stage.
        prompts: Digest of each prompt that was used, by name.
        completions: Digest over the requests and answers that it was made from.
        calls: Number of these.
        cost_usd: Their price in US dollars; ``None`` where it is not known.
        answered: How they were answered, in a phrase.
    """

    models: Mapping[str, str]
    prompts: Mapping[str, str]
    completions: str
    calls: int
    cost_usd: float | None = None
    answered: str


class AssessmentRecord(Data):
    """What two agents said of an environment while it was made: one called its tools, the other judged each call.

    Attributes:
        source: SHA-256 of the ``environment.py`` that was judged last; of any other, nothing was said.
        calls: Number of calls that were judged of it.
        verdicts: Number of calls by verdict.
        pass_rate: Share of the calls that passed, 0 to 1.
        remarks: What was found wanting and is still so, a line each.
        repaired: What was found before, by gates or agents, and repaired, a line each.
    """

    source: str
    calls: int
    verdicts: Mapping[str, int]
    pass_rate: float
    remarks: Annotated[tuple[str, ...], Field(strict=False)] = ()
    repaired: Annotated[tuple[str, ...], Field(strict=False)] = ()


class QualityRecord(Data):
    """What the gates of :mod:`envscaler_gym.quality` found, as it is shipped with the bundle.

    Attributes:
        bundle: Digest of the bundle that was tried; the record of any other is void.
        passed: Whether every gate passed.
        seed: Seed of the generated calls.
        gates: Whether each gate passed, by name.
        figures: What was measured, by name: numbers of calls and mutants, kill rate, coverage and so on.
        assessment: What agents said of it while it was made, where they did.
    """

    bundle: str
    passed: bool
    seed: int
    gates: Mapping[str, bool]
    figures: Mapping[str, JSON] = {}
    assessment: AssessmentRecord | None = None


class Manifest(Data):
    """What is known of an environment without running it.

    Attributes:
        format: Version of the bundle format.
        id: Gymnasium id.
        class_name: Name of the synthesized class.
        summary: One phrase.
        introduction: One paragraph for the agent.
        rules: What always holds.
        entities: Kinds of records in the state.
        tools: The allow-list.
        provenance: Where the bundle comes from.
        digests: SHA-256 of each other file.
        quality: What the gates found, unless the bundle has changed since.
        synthesis: How it came about, where models made it.
        graph: How its tools depend on each other, where that was learnt.
    """

    format: Literal[1] = 1
    id: str = Field(pattern=ID_PATTERN)
    class_name: str
    summary: str = ""
    introduction: str = ""
    rules: Annotated[tuple[str, ...], Field(strict=False)] = ()
    entities: Annotated[tuple[Entity, ...], Field(strict=False)] = ()
    tools: Annotated[tuple[ToolEntry, ...], Field(strict=False, min_length=1)]
    provenance: Provenance
    digests: Mapping[str, str] = {}
    quality: QualityRecord | None = None
    synthesis: Synthesis | None = None
    graph: ToolDependencies | None = None
