"""Bundles: the folder that holds one environment, read and written.

::

    <slug>/
      environment.py    the synthesized class
      invariants.py     its rules as functions of a state (optional)
      manifest.json     identity, introduction, rules, entities, tools, provenance, digests
      scenarios.jsonl   start states and scenarios, one JSON object a line

Reading a bundle runs none of its code.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from envscaler_gym.data import Data
from envscaler_gym.deltas import apply_delta, delta
from envscaler_gym.errors import BundleError, ScenarioError, did_you_mean, shorten
from envscaler_gym.manifest import Manifest, QualityRecord
from envscaler_gym.positions import line_of
from envscaler_gym.scenario import Scenario, StartState
from envscaler_gym.state import digest
from envscaler_gym.tools import Toolset
from envscaler_gym.types import JSON

__all__ = [
    "ENVIRONMENT",
    "FILES",
    "INVARIANTS",
    "MANIFEST",
    "SCENARIOS",
    "Bundle",
    "explain_validation",
    "load_bundle",
    "unknown_files",
    "write_file",
]

ENVIRONMENT = "environment.py"
INVARIANTS = "invariants.py"
MANIFEST = "manifest.json"
SCENARIOS = "scenarios.jsonl"
FILES = (ENVIRONMENT, INVARIANTS, MANIFEST, SCENARIOS)
"""The files that a bundle may hold; ``invariants.py`` may be missing."""

_NO_PART_OF_EPISODES: Any = {
    "digests": True,
    "quality": True,
    "synthesis": True,
    "graph": True,
    "tools": {"__all__": {"phrases"}},
    "entities": {"__all__": {"phrase"}},
}
"""What a manifest says without making any difference to an episode."""


@dataclass(frozen=True)
class Bundle:
    """An environment as data.

    Attributes:
        manifest: What is known of it.
        source: Source of the synthesized class's module.
        invariants_source: Source of the invariants; ``None`` where there are none.
        start_states: Start states by id.
        scenarios: Scenarios by id, in the order of the file.
        path: Folder that it was read from; ``None`` for one that was never saved.
    """

    manifest: Manifest
    source: str
    invariants_source: str | None
    start_states: Mapping[str, StartState]
    scenarios: Mapping[str, Scenario]
    path: Path | None = None

    @property
    def id(self) -> str:
        """The Gymnasium id."""
        return self.manifest.id

    @cached_property
    def tools(self) -> Toolset:
        """The tools, derived from the source without running it."""
        allowed = tuple((entry.name, entry.kind) for entry in self.manifest.tools)
        return Toolset.of(self.source, self.manifest.class_name, allowed)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything that makes an episode: code, checks, scenarios and manifest."""
        manifest = self.manifest.model_dump(mode="json", exclude=_NO_PART_OF_EPISODES)
        return digest([manifest, self.file_digests()])

    @property
    def quality(self) -> QualityRecord | None:
        """What the gates found in exactly this bundle; ``None`` where it was not tried or has changed since."""
        record = self.manifest.quality
        return record if record is not None and record.bundle == self.digest else None

    def file_digests(self) -> dict[str, str]:
        """Return the SHA-256 of each file but the manifest, as it would be written."""
        return {name: _sha256(text) for name, text in self._texts().items()}

    def scenario(self, scenario_id: str) -> Scenario:
        """Return a scenario.

        Raises:
            ScenarioError: There is none of that id.
        """
        try:
            return self.scenarios[scenario_id]
        except (KeyError, TypeError):
            raise ScenarioError(
                f"{self.id} has no scenario {shorten(scenario_id)}.{did_you_mean(scenario_id, self.scenarios)} "
                f"Its {len(self.scenarios)} scenarios begin with {list(self.scenarios)[:3]}."
            ) from None

    def save(self, folder: Path) -> None:
        """Write the bundle, with fresh digests. Each file is replaced at once, the manifest last.

        Args:
            folder: The bundle's folder; made where it is missing.
        """
        folder.mkdir(parents=True, exist_ok=True)
        texts = self._texts()
        for name, text in texts.items():
            write_file(folder / name, text)
        if self.invariants_source is None:
            (folder / INVARIANTS).unlink(missing_ok=True)
        manifest = self.manifest.model_copy(update={"digests": {name: _sha256(text) for name, text in texts.items()}})
        dumped = manifest.model_dump(mode="json", exclude_defaults=True) | {"format": manifest.format}
        write_file(folder / MANIFEST, json.dumps({"format": None} | dumped, indent=2, ensure_ascii=False) + "\n")

    def _texts(self) -> dict[str, str]:
        lines = [*_start_state_lines(self.start_states.values()), *map(_line, self.scenarios.values())]
        texts = {ENVIRONMENT: self.source, SCENARIOS: "".join(line + "\n" for line in lines)}
        if self.invariants_source is not None:
            texts[INVARIANTS] = self.invariants_source
        return texts


def load_bundle(folder: Path, *, verify: bool = True) -> Bundle:
    """Read a bundle.

    Args:
        folder: The bundle's folder.
        verify: Whether the files must have the digests that the manifest gives.

    Raises:
        BundleError: A file is missing, unknown, malformed or changed; the message names file, line and field.
    """
    if not folder.is_dir():
        raise BundleError(f"{folder}: no such folder; a bundle is a folder with {', '.join(FILES)}")
    unknown = unknown_files(folder)
    if unknown:
        raise BundleError(f"{folder / unknown[0]}: unknown file; a bundle holds only {', '.join(FILES)}")
    manifest = _read_manifest(folder / MANIFEST)
    source = _read(folder / ENVIRONMENT)
    invariants = _read(folder / INVARIANTS) if (folder / INVARIANTS).exists() else None
    start_states, scenarios = _read_scenarios(folder / SCENARIOS)
    if verify:
        _verify(folder, manifest)
    bundle = Bundle(manifest, source, invariants, start_states, scenarios, folder)
    try:
        tools = bundle.tools  # parses the source and compares it with the allow-list
    except BundleError as error:
        raise BundleError(f"{folder / MANIFEST}: {error}") from None
    for scenario in scenarios.values():
        for call in scenario.solution:
            if call.name not in tools:
                raise BundleError(
                    f"{folder / SCENARIOS}: scenario {shorten(scenario.id)}: solution: there is no tool "
                    f"{shorten(call.name)}.{did_you_mean(call.name, tools)}"
                )
    return bundle


def unknown_files(folder: Path) -> list[str]:
    """List what lies in a bundle's folder and should not, sorted; Python's caches are overlooked."""
    return sorted(path.name for path in folder.iterdir() if path.name not in (*FILES, "__pycache__"))


def explain_validation(error: ValidationError) -> str:
    """Describe the first problem of a pydantic error in one line: ``field: message, got value``."""
    problem = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(map(str, problem["loc"])) or "value"
    message = problem["msg"][0].lower() + problem["msg"][1:]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    got = "" if problem["type"] == "missing" else f", got {shorten(problem['input'])}"
    return f"{field}: {message}{got}{more}"


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: is not UTF-8: {error}") from None


def _read_manifest(path: Path) -> Manifest:
    text = _read(path)
    _parse(text, str(path))
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        line = line_of(text, error.errors(include_url=False)[0]["loc"])
        raise BundleError(f"{path}:{line}: {explain_validation(error)}") from None


def _parse(text: str, where: str, line: int = 0) -> JSON:
    """Parse JSON that begins on a line of a file; ``0`` where the text is the whole file."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise BundleError(f"{where}:{line or error.lineno}: not JSON: {error.msg} at column {error.colno}") from None
    except (RecursionError, ValueError) as error:  # nested too deep, NaN, or an integer of thousands of digits
        raise BundleError(f"{where}{f':{line}' if line else ''}: cannot be read: {error}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _read_scenarios(path: Path) -> tuple[dict[str, StartState], dict[str, Scenario]]:
    start_states: dict[str, StartState] = {}
    scenarios: dict[str, Scenario] = {}
    for number, line in enumerate(_read(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        data = _parse(line, str(path), number)
        kind = data.get("kind") if isinstance(data, dict) else None
        try:
            if kind == "start_state":
                start = StartState.model_validate(_whole(data, start_states))
                _add(start_states, start.id, start, where)
            elif kind == "scenario":
                scenario = Scenario.model_validate(data)
                _add(scenarios, scenario.id, scenario, where)
                if scenario.start_state not in start_states:
                    raise BundleError(
                        f"{where}: start_state: no start state {shorten(scenario.start_state)} above this line; "
                        f"there are {shorten(list(start_states), 200)}"
                    )
            else:
                raise BundleError(f"{where}: kind: must be 'start_state' or 'scenario', got {shorten(kind)}")
        except ValidationError as error:
            raise BundleError(f"{where}: {explain_validation(error)}") from None
        except ValueError as error:
            raise BundleError(f"{where}: {error}") from None
    return start_states, scenarios


def _whole(data: dict[str, JSON], above: Mapping[str, StartState]) -> dict[str, JSON]:
    """Return a start state's fields with the whole state, where the line has what sets it apart from one above."""
    if "based_on" not in data:
        return data
    rest = dict(data)
    name, changes = rest.pop("based_on"), rest.pop("changes", None)
    if not isinstance(name, str) or name not in above:
        raise ValueError(f"based_on: no start state {shorten(name)} above this line; there are {shorten(list(above))}")
    if "state" in rest or not isinstance(changes, dict) or set(changes) != {"changed", "removed"}:
        raise ValueError(
            "a start state based on another one has 'changes' with 'changed' and 'removed', and no 'state'"
        )
    return rest | {"state": apply_delta(above[name].state, changes)}


def _start_state_lines(states: Iterable[StartState]) -> list[str]:
    """Return a line for each start state: whole, or as what sets it apart from an earlier one where that is short."""
    lines: list[str] = []
    whole: list[StartState] = []
    for start in states:
        lines.append(_line(start))
        shorter = [line for base in whole if len(line := _based_on(base, start) or lines[-1]) < len(lines[-1]) / 2]
        if shorter:
            lines[-1] = min(shorter, key=len)
        else:
            whole.append(start)
    return lines


def _based_on(base: StartState, start: StartState) -> str | None:
    changes = delta(base.state, start.state)
    if changes is None:
        return None
    return _text({"kind": start.kind, "id": start.id, "based_on": base.id, "changes": changes})


def _add(items: dict[str, Any], item_id: str, item: Any, where: str) -> None:
    if item_id in items:
        raise BundleError(f"{where}: id: {item_id!r} occurs twice; ids are unique within a bundle")
    items[item_id] = item


def _verify(folder: Path, manifest: Manifest) -> None:
    present = {name for name in FILES if name != MANIFEST and (folder / name).exists()}
    if set(manifest.digests) != present:
        raise BundleError(
            f"{folder / MANIFEST}: digests: cover {sorted(manifest.digests)}, must cover {sorted(present)}; "
            f"run 'envscaler seal {folder}' once the bundle is as it should be"
        )
    for name in sorted(present):
        if _sha256((folder / name).read_bytes()) != manifest.digests[name]:
            raise BundleError(
                f"{folder / name}: has changed since the manifest was written; "
                f"run 'envscaler seal {folder}' if the change is meant"
            )


def _line(model: Data) -> str:
    kind = {"kind": getattr(model, "kind")}  # noqa: B009 - present on both models, absent from Data
    return _text(kind | model.model_dump(mode="json", exclude_defaults=True))


def _text(data: Mapping[str, JSON]) -> str:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates, which published states may hold
        text = json.dumps(data, separators=(",", ":"))
    return text


def _sha256(content: str | bytes) -> str:
    return "sha256:" + hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def write_file(path: Path, text: str) -> None:
    """Write a file as a whole: whoever reads it meanwhile finds the old text or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
