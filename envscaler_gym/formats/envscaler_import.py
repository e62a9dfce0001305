"""Published EnvScaler data into bundles: reads files, runs no code, writes nothing."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from envscaler_gym.bundle import Bundle, explain_validation
from envscaler_gym.errors import BundleError, did_you_mean, shorten
from envscaler_gym.formats.envscaler import (
    EXTRA,
    class_source,
    decode,
    exact_json,
    manifest_fields,
    scenario_fields,
    structure,
)
from envscaler_gym.manifest import Manifest
from envscaler_gym.scenario import Scenario, StartState
from envscaler_gym.types import JSON

__all__ = ["ImportReport", "Skipped", "import_envscaler"]


class Skipped(NamedTuple):
    """Something that was not imported.

    Attributes:
        what: File and index (or key) of the item.
        reason: Why, in one line.
    """

    what: str
    reason: str


@dataclass(frozen=True)
class ImportReport:
    """What an import came to.

    Attributes:
        bundles: The bundles, in the order of the metadata; none of them has been saved.
        skipped: Everything in the files that is in no bundle.
    """

    bundles: tuple[Bundle, ...]
    skipped: tuple[Skipped, ...]


def import_envscaler(metadata: Path, scenarios: Sequence[Path] = (), *, namespace: str = "imported") -> ImportReport:
    """Build bundles from files in the published EnvScaler formats.

    Every shape in circulation is taken: metadata as an object keyed by environment or as a list, scenarios as a list,
    one item or JSON lines, nested values as such or as JSON text. What cannot be used is listed in the report.
    Names are taken as they are, also where they look damaged.

    Args:
        metadata: File with the environments.
        scenarios: Files with their scenarios; an environment may have none.
        namespace: Namespace of the bundles' ids. Items written by an export keep the id that they had.

    Raises:
        BundleError: A file is missing, is not JSON, or holds something else than items; or no id can have the
            namespace.
    """
    if not re.fullmatch(r"[A-Za-z0-9_:-]+", namespace):
        raise BundleError(f"namespace must consist of letters, digits, '_', ':' and '-'; got {shorten(namespace)}")
    run = _Import(namespace)
    for item in _read_items(metadata, "env_class_code"):
        run.add_environment(item)
    for path in scenarios:
        for item in _read_items(path, "task_id"):
            run.add_scenario(item)
    for environment in run.environments.values():
        run.build(environment)
    return ImportReport(tuple(run.bundles.values()), tuple(run.skipped))


class _Item(NamedTuple):
    """One item of a file: where it stands, the key it stands under (``None`` in a list), and what it is."""

    where: str
    key: str | None
    value: JSON


class _Environment(NamedTuple):
    """A metadata item, with the scenario items that refer to it by the class that they name."""

    where: str
    env_id: str
    item: Mapping[str, JSON]
    scenarios: dict[str, list[_Item]]


class _Import:
    """The state of one import."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.environments: dict[str, _Environment] = {}
        self.bundles: dict[str, Bundle] = {}
        self.skipped: list[Skipped] = []

    def skip(self, where: str, reason: object) -> None:
        self.skipped.append(Skipped(where, str(reason)))

    @contextmanager
    def skipping(self, where: str) -> Iterator[None]:
        """List an item that turns out unusable inside, and go on."""
        try:
            yield
        except BundleError as error:
            self.skip(where, error)

    def add_environment(self, item: _Item) -> None:
        with self.skipping(item.where):
            value = _checked(item.value)
            env_id = value.get("env_id", item.key)
            if not isinstance(env_id, str) or not env_id:
                raise BundleError(f"env_id: must be a non-empty string, got {shorten(env_id)}")
            if env_id in self.environments:
                raise BundleError(f"env_id: {env_id!r} is already taken by {self.environments[env_id].where}")
            self.environments[env_id] = _Environment(item.where, env_id, value, {})

    def add_scenario(self, item: _Item) -> None:
        with self.skipping(item.where):
            value = _checked(item.value)
            env_id = value.get("env_id")
            if not isinstance(env_id, str) or env_id not in self.environments:
                near = did_you_mean(env_id, self.environments)
                raise BundleError(f"env_id: the metadata has no environment {shorten(env_id)}.{near}")
            environment = self.environments[env_id]
            named = value if value.get("env_class_name") is not None else environment.item
            environment.scenarios.setdefault(_class_name(named), []).append(item)

    def build(self, environment: _Environment) -> None:
        """Make one bundle for each class that scenarios name, or one of the metadata's class where none can be used."""
        built = False
        for class_name, items in environment.scenarios.items():
            try:
                self._build_class(environment, class_name, items)
                built = True
            except BundleError as error:
                for item in items:
                    self.skip(item.where, error)
        if not built:
            with self.skipping(environment.where):
                self._build_class(environment, _class_name(environment.item), [])

    def _build_class(self, environment: _Environment, class_name: str, items: Sequence[_Item]) -> None:
        item, extra = environment.item, structure(environment.item, EXTRA, dict)
        manifest = self._manifest(environment, class_name, structure(extra, "manifest", dict))
        invariants = extra.get("invariants")
        if invariants is not None and not isinstance(invariants, str):
            raise BundleError(f"{EXTRA}.invariants: must be the source of a module, got {shorten(invariants)}")
        listed = structure(extra, "start_states", dict)
        bundle = Bundle(manifest, class_source(item), invariants, _own_states(listed), {})
        known = {tool.name for tool in manifest.tools}
        bundle.tools  # noqa: B018 - parses the source: raises where a tool cannot be called
        for operation in structure(item, "operation_list", list):
            if operation.get("operation_name") not in known:
                name = shorten(operation.get("operation_name"))
                self.skip(f"{environment.where}.operation_list", f"class {class_name!r} has no tool {name}")
        start_states, scenarios = self._scenarios(items, bundle.start_states, known)
        order = dict.fromkeys([*(start_id for start_id in listed if start_id in start_states), *start_states])
        start_states = {start_id: start_states[start_id] for start_id in order}
        self.bundles[bundle.id] = replace(bundle, start_states=start_states, scenarios=scenarios)

    def _manifest(self, environment: _Environment, class_name: str, extra: Mapping[str, JSON]) -> Manifest:
        fields = manifest_fields(environment.item, class_name, environment.env_id)
        fields["id"] = f"{self.namespace}/{class_name}-v0"
        if fields["id"] in self.bundles:
            fields["id"] = f"{self.namespace}/{class_name}_{environment.env_id}-v0"
        try:
            manifest = Manifest.model_validate({**fields, **extra})
        except ValidationError as error:
            raise BundleError(explain_validation(error)) from None
        if manifest.id in self.bundles:
            raise BundleError(f"id: {manifest.id!r} is already the id of another environment of this import")
        return manifest

    def _scenarios(
        self, items: Sequence[_Item], own_states: Mapping[str, StartState], tools: Container[str]
    ) -> tuple[dict[str, StartState], dict[str, Scenario]]:
        start_states, scenarios = dict(own_states), dict[str, Scenario]()
        for item in items:
            with self.skipping(item.where):
                scenario, start = _scenario(item.value)
                if scenario.id in scenarios:
                    raise BundleError(f"task_id: {scenario.id!r} is already the id of a scenario of this environment")
                unknown = [call.name for call in scenario.solution if call.name not in tools]
                if unknown:
                    raise BundleError(f"{EXTRA}.solution: calls the unknown tool {unknown[0]!r}")
                if start_states.setdefault(start.id, start) != start:
                    raise BundleError(f"{EXTRA}.start_state: {start.id!r} is already the id of another start state")
                scenarios[scenario.id] = scenario
        return start_states, scenarios


def _class_name(item: Mapping[str, JSON]) -> str:
    name = item.get("env_class_name")
    if not isinstance(name, str):
        raise BundleError(f"env_class_name: must be the name of a class, got {shorten(name)}")
    return name


def _scenario(item: Mapping[str, JSON]) -> tuple[Scenario, StartState]:
    if item.get("init_config") is None:
        raise BundleError("init_config: is missing")
    state = structure(item, "init_config", dict)
    fields = scenario_fields(item, state) | structure(item, EXTRA, dict)
    try:
        return Scenario.model_validate(fields), StartState(id=fields["start_state"], state=state)
    except ValidationError as error:
        raise BundleError(explain_validation(error)) from None


def _own_states(listed: Mapping[str, JSON]) -> dict[str, StartState]:
    """Return the start states that no scenario carries: those of the list that come with their state."""
    try:
        return {name: StartState(id=name, state=state) for name, state in listed.items() if state is not None}
    except ValidationError as error:
        raise BundleError(f"{EXTRA}.start_states: {explain_validation(error)}") from None


def _checked(value: JSON) -> dict[str, JSON]:
    if not isinstance(value, dict):
        raise BundleError(f"must be an object, got {shorten(value)}")
    exact_json(value)
    return value


def _read_items(path: Path, item_key: str) -> list[_Item]:
    """Read the items of a file: a list, an object of items by key, JSON lines, or one item, known by ``item_key``."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: is not UTF-8: {error}") from None
    if path.suffix == ".jsonl":
        lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        return [_Item(f"{path}:{number}", None, _decode(line, f"{path}:{number}")) for number, line in lines]
    data = _decode(text, str(path))
    if isinstance(data, dict) and item_key in data:
        return [_Item(str(path), None, data)]
    if isinstance(data, dict):
        return [_Item(f"{path}[{key!r}]", key, value) for key, value in data.items()]
    if isinstance(data, list):
        return [_Item(f"{path}[{index}]", None, value) for index, value in enumerate(data)]
    raise BundleError(f"{path}: must hold a list or an object of items, got {shorten(data)}")


def _decode(text: str, where: str) -> JSON:
    try:
        return decode(text)
    except BundleError as error:
        raise BundleError(f"{where}: {error}") from None
