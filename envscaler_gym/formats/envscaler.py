"""The published EnvScaler data formats: what of a bundle their items can say (EnvScaler, arXiv 2601.05808).

Their metadata holds one item per environment and their scenario files one per task. Both directions share this
module: an import reads the plain keys with it, and an export reads back what it wrote and puts whatever the plain keys
could not say under the extra key :data:`EXTRA`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from envscaler_gym.errors import BundleError, shorten
from envscaler_gym.tools import public_methods
from envscaler_gym.types import JSON

__all__ = [
    "EXTRA",
    "class_source",
    "decode",
    "exact_json",
    "manifest_fields",
    "scenario_fields",
    "start_state_id",
    "structure",
]

EXTRA = "envscaler_gym"
"""Key of an item under which an export puts what the published format has no place for."""


def decode(text: str) -> JSON:
    """Decode JSON.

    Raises:
        BundleError: It is not JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"not JSON: {error}") from None


def exact_json(value: JSON) -> str:
    """Encode a value in the order of its keys, refusing what would not come back from a file as it was.

    Raises:
        BundleError: It holds NaN, an infinity or text that UTF-8 cannot encode.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (ValueError, RecursionError) as error:
        raise BundleError(f"holds what JSON cannot: {error}") from None
    return text


def structure(item: Mapping[str, JSON], key: str, kind: type[Any]) -> Any:
    """Return a list or object of an item, which some files hold as JSON text; empty where the key is missing.

    Raises:
        BundleError: It is something else.
    """
    value = item.get(key)
    if isinstance(value, str):
        try:
            value = decode(value)
            exact_json(value)
        except BundleError as error:
            raise BundleError(f"{key}: {error}") from None
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise BundleError(f"{key}: must be {'a list' if kind is list else 'an object'}, got {shorten(value)}")
    return value


def class_source(item: Mapping[str, JSON]) -> str:
    """Return the source that a metadata item carries.

    Raises:
        BundleError: It carries none.
    """
    source = item.get("env_class_code")
    if not isinstance(source, str) or not source.strip():
        raise BundleError(f"env_class_code: must be the source of a class, got {shorten(source)}")
    return source


def manifest_fields(item: Mapping[str, JSON], class_name: str, env_id: str) -> dict[str, JSON]:
    """Return the fields of a manifest that a metadata item gives; all but the id.

    Args:
        item: The item.
        class_name: Name of the class to use.
        env_id: Published id of the environment.

    Raises:
        BundleError: The source cannot be parsed or lacks the class, or the item is malformed.
    """
    operations = {str(o.get("operation_name")): o for o in _objects(item, "operation_list")}
    tools = []
    for name in public_methods(class_source(item), class_name):
        operation = operations.get(name, {})
        kind = "query" if operation.get("operation_type") == "query" else "state_change"
        tools.append({"name": name, "kind": kind, "summary": operation.get("operation_description") or ""})
    if not tools:
        raise BundleError(f"class {class_name!r} has no public methods, so there is nothing to call")
    return {
        "class_name": class_name,
        "summary": item.get("environment_summary") or "",
        "introduction": item.get("environment_introduction") or "",
        "rules": structure(item, "constraints_rules", list),
        "entities": [
            {
                "name": entity.get("entity"),
                "attributes": entity.get("attributes"),
                "description": entity.get("description") or "",
            }
            for entity in _objects(item, "state_space_definition")
        ],
        "tools": tools,
        "provenance": {"method": "imported", "env_id": env_id},
    }


def start_state_id(state: Mapping[str, JSON]) -> str:
    """Return the id of a start state that was given none: equal states, in equal order, have equal ids.

    Raises:
        BundleError: The state holds what JSON cannot.
    """
    return "start-" + hashlib.sha256(exact_json(state).encode()).hexdigest()[:16]


def scenario_fields(item: Mapping[str, JSON], state: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the fields of a scenario that a scenario item gives.

    Args:
        item: The item.
        state: Its start state.

    Raises:
        BundleError: The item is malformed, or its checklist is empty.
    """
    checks: list[JSON] | None = None
    if item.get("checklist_with_func") is not None:
        checks = [
            {"text": check.get("check_item") or "", "source": check.get("check_func")}
            for check in _objects(item, "checklist_with_func")
        ]
        if not checks:
            raise BundleError("checklist_with_func is empty: such a scenario cannot be graded; leave the key out")
    return {"id": item.get("task_id"), "start_state": start_state_id(state), "task": item.get("task"), "checks": checks}


def _objects(item: Mapping[str, JSON], key: str) -> list[dict[str, JSON]]:
    entries: list[dict[str, JSON]] = structure(item, key, list)
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise BundleError(f"{key}[{index}]: must be an object, got {shorten(entry)}")
    return entries
