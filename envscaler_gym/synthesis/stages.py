"""The names of the stages."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

__all__ = ["STAGES", "Stage"]

Stage: TypeAlias = Literal[
    "discovery",
    "skeleton",
    "code",
    "invariants",
    "assessment",
    "phrasing",
    "start-states",
    "tasks",
    "checks",
    "solver",
    "growth",
    "rewriting",
    "publication",
]
"""A step from artefacts to an artefact, in the order of a run. All but growth and publication may ask a model."""

STAGES: tuple[Stage, ...] = get_args(Stage)
