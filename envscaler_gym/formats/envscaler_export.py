"""Bundles into the published EnvScaler data formats."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import BundleError
from envscaler_gym.formats.class_source import class_definition, field_names, function_details
from envscaler_gym.formats.envscaler import EXTRA, manifest_fields, scenario_fields
from envscaler_gym.manifest import Entity, Manifest
from envscaler_gym.scenario import Scenario
from envscaler_gym.tools import method_nodes
from envscaler_gym.types import JSON

__all__ = ["ExportedFiles", "export_envscaler"]


class ExportedFiles(NamedTuple):
    """The files of an export.

    Attributes:
        metadata: The environments, by ``env_id``.
        scenarios: The list of their scenarios.
    """

    metadata: Path
    scenarios: Path


def export_envscaler(bundles: Iterable[Bundle], folder: Path) -> ExportedFiles:
    """Write bundles in the published EnvScaler formats, without loss.

    The published keys say what they can to tools made for those formats. The rest (solutions, guards, splits, clocks,
    ids, ...) stands under one more key, ``"envscaler_gym"``, from which an import makes equal bundles.

    Args:
        bundles: The bundles.
        folder: Folder for ``env_metadata.json`` and ``scenario_metadata.json``, which are replaced; made where it is
            missing.

    Raises:
        BundleError: Two bundles have the same id.
    """
    metadata: dict[str, JSON] = {}
    scenarios: list[JSON] = []
    ids: set[str] = set()
    task_ids: set[str] = set()
    for bundle in bundles:
        if bundle.id in ids:
            raise BundleError(f"{bundle.id!r} is to be exported twice; an import could keep only one of them")
        ids.add(bundle.id)
        env_id = _free(bundle.manifest.provenance.env_id or re.sub(r"\W+", "_", bundle.id), metadata)
        metadata[env_id] = _environment_item(bundle, env_id)
        for scenario in bundle.scenarios.values():
            named = scenario.id if scenario.id.startswith(env_id) else f"{env_id}-{scenario.id}"
            task_id = _free(named, task_ids)
            task_ids.add(task_id)
            scenarios.append(_scenario_item(bundle, scenario, env_id, task_id))
    folder.mkdir(parents=True, exist_ok=True)
    files = ExportedFiles(folder / "env_metadata.json", folder / "scenario_metadata.json")
    for path, data in zip(files, (metadata, scenarios), strict=True):
        path.write_bytes((json.dumps(data, ensure_ascii=False, indent=2) + "\n").encode())
    return files


def _environment_item(bundle: Bundle, env_id: str) -> dict[str, JSON]:
    manifest, source = bundle.manifest, bundle.source
    nodes = method_nodes(source, manifest.class_name)
    details = {tool.name: function_details(source, nodes[tool.name]) for tool in manifest.tools}
    item: dict[str, JSON] = {
        "env_id": env_id,
        "environment_summary": manifest.summary,
        "environment_introduction": manifest.introduction,
        "state_space_definition": [_entity(entity, source) for entity in manifest.entities],
        "constraints_rules": list(manifest.rules),
        "operation_list": [
            {
                "operation_name": tool.name,
                "operation_description": tool.summary or details[tool.name]["doc"].partition("\n")[0],
                "operation_type": tool.kind,
            }
            for tool in manifest.tools
        ],
        "env_class_name": manifest.class_name,
        "env_class_code": source,
        "env_class_def": class_definition(source, manifest.class_name),
        "env_func_details": details,
        "tools": [_tool(spec.to_openai(), details[spec.name]["doc"]) for spec in bundle.tools.specs],
    }
    plain = Manifest.model_validate({"id": bundle.id, **manifest_fields(item, manifest.class_name, env_id)})
    extra: dict[str, JSON] = {"manifest": {"id": bundle.id, **_difference(manifest, plain)}}
    if bundle.invariants_source is not None:
        extra["invariants"] = bundle.invariants_source
    carried = dict.fromkeys(scenario.start_state for scenario in bundle.scenarios.values())
    if list(carried) != list(bundle.start_states):
        extra["start_states"] = {
            start.id: None if start.id in carried else start.state for start in bundle.start_states.values()
        }
    return item | {EXTRA: extra}


def _entity(entity: Entity, source: str) -> dict[str, JSON]:
    attributes = entity.attributes
    if attributes is None:
        attributes = ", ".join(field_names(source, entity.record))
    return {"entity": entity.name, "attributes": attributes, "description": entity.description}


def _tool(tool: dict[str, JSON], docstring: str) -> dict[str, JSON]:
    """Give a tool the published form: the whole docstring, and ``required`` also where nothing is."""
    tool["function"]["description"] = docstring
    tool["function"]["parameters"].setdefault("required", [])
    return tool


def _scenario_item(bundle: Bundle, scenario: Scenario, env_id: str, task_id: str) -> dict[str, JSON]:
    state = bundle.start_states[scenario.start_state].state
    item: dict[str, JSON] = {
        "env_id": env_id,
        "env_class_name": bundle.manifest.class_name,
        "task_id": task_id,
        "init_config": state,
        "task": scenario.task,
    }
    if scenario.checks is not None:
        item["checklist_with_func"] = [
            {"check_item": check.text, "check_func": check.source} for check in scenario.checks
        ]
    extra = _difference(scenario, Scenario.model_validate(scenario_fields(item, state)))
    return item | ({EXTRA: extra} if extra else {})


def _difference(model: Manifest | Scenario, plain: Manifest | Scenario) -> dict[str, JSON]:
    """Return the fields in which a model differs from what the plain keys say."""
    known: Mapping[str, JSON] = plain.model_dump(mode="json")
    return {name: value for name, value in model.model_dump(mode="json").items() if value != known[name]}


def _free(name: str, taken: Container[str]) -> str:
    """Return a name, with a number behind it where it is taken."""
    number, free = 2, name
    while free in taken:
        number, free = number + 1, f"{name}_{number}"
    return free
