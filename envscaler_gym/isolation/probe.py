"""A probe: a synthesized class with counters in it, and what is seen of each call. It runs where the class may run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from types import CodeType
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from envscaler_gym.ambient import Ambient, activate
from envscaler_gym.errors import LoadFailure, describe_error, shorten
from envscaler_gym.invariants import Invariant, load_invariants
from envscaler_gym.isolation.evidence import (
    MAX_ENTRIES,
    MAX_PATCH,
    MAX_TEXT,
    Evidence,
    aliases,
    containers,
    not_json,
    shape_problem,
)
from envscaler_gym.isolation.instrument import Caught, Counters
from envscaler_gym.state import canonical_json
from envscaler_gym.types import JSON
from envscaler_gym.world import MAX_REPLY, Program

__all__ = ["Probe", "Subject"]

_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder().decode
_KNOWN_STATES = 4096  # states whose violations are kept

Code = TypeVar("Code", CodeType, bytes)
Key = tuple[str, str | None]
"""Attribute and key of a record; no key for an attribute as such."""


class Subject(NamedTuple, Generic[Code]):
    """What is probed.

    Attributes:
        code: The module, compiled with counters; as bytes where it only passes through.
        class_name: Name of the class.
        tools: Names of the methods that are tools.
        makes_sets: Whether results may hold sets.
        counters: Number of counters.
        invariants: Source of the invariants; ``None`` where there are none.
    """

    code: Code
    class_name: str
    tools: tuple[str, ...]
    makes_sets: bool
    counters: int
    invariants: str | None


class Probe:
    """Runs the tools of a class in this process and writes down what it sees.

    Args:
        subject: The class.
        builtins: Builtins of its module and of its invariants.

    Raises:
        LoadFailure: A module cannot be executed.
    """

    def __init__(self, subject: Subject[CodeType], builtins: Mapping[str, Any]) -> None:
        self._counters = Counters(subject.counters, subject.class_name)
        self._program = Program(
            subject.code,
            subject.class_name,
            subject.tools,
            subject.makes_sets,
            {**builtins, **self._counters.builtins()},
        )
        source = subject.invariants
        self.invariants: tuple[Invariant, ...] = () if source is None else load_invariants(source, builtins)
        self._unreached = list(range(subject.counters))
        self._judged: dict[bytes, dict[str, tuple[str, ...]]] = {}
        self._instance: Any = None
        self._ambient: Ambient

    def load(self, start_state: Mapping[str, Any], ambient: Ambient) -> None:
        """Build a new instance from a copy of a start state.

        Raises:
            LoadFailure: The class cannot be built.
        """
        activate(ambient)
        self._ambient = ambient
        try:
            self._instance = self._program.instance(start_state)
        except (Exception, SystemExit) as error:
            name = self._program.class_name
            raise LoadFailure(f"{name} could not be built from the start state: {describe_error(error)}") from error
        live = self.live_state()
        self._whole = _encode(live)
        self._records = _records(live)
        self._containers = containers(live.values())
        self._broken = self._judge(self._whole)

    def live_state(self) -> dict[str, Any]:
        """Return the state itself, for those who only read it."""
        return {key: value for key, value in vars(self._instance).items() if key[:2] != "__" or key[-2:] != "__"}

    def call(self, name: str, arguments: dict[str, JSON]) -> Evidence:
        """Run a tool with validated arguments."""
        self._ambient.begin_call()
        given = containers(arguments.values())
        result: Any = None
        raised = text = ""
        try:
            result = self._program.functions[name](self._instance, **arguments)
            text = self._program.encode(result)
        except (Exception, SystemExit) as error:
            raised = self._describe(error)
        if len(text) > MAX_REPLY // 4 and len(text.encode()) > MAX_REPLY:
            raised = f"ReplyTooLarge: {len(text)} characters, at most {MAX_REPLY} bytes are allowed"
        if raised:
            seen = self._look(arguments, given, None)
            return msgspec.structs.replace(seen, raised=raised, digest=_hash(raised.encode(), seen.digest.encode()))
        seen = self._look(arguments, given, result)
        success = result.get("success") if type(result) is dict else None
        return msgspec.structs.replace(
            seen,
            text=text[:MAX_TEXT],
            success=success if type(success) is bool else None,
            shape=_line(shape_problem(result)),
            digest=_hash(text.encode(), seen.digest.encode()),
        )

    def violations(self, state: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """Return what breaks each invariant in a state; those that hold are left out."""
        return self._judge(_encode(dict(state)))

    def counts(self) -> list[int]:
        """Return the counters."""
        return self._counters.counts

    def caught(self) -> list[Caught]:
        """Return the exceptions that the module swallowed."""
        return self._counters.caught()

    def _describe(self, error: BaseException) -> str:
        line = self._counters.line_of(error)
        return describe_error(error, MAX_TEXT) + (f" (line {line})" if line else "")

    def _look(self, arguments: Mapping[str, Any], given: set[int], result: Any) -> Evidence:
        """Return what there is to see of state, result and arguments after a call."""
        live = self.live_state()
        whole = _encode(live)
        before = self._records
        if whole != self._whole:
            self._whole, self._records = whole, _records(live)
            self._containers = containers(live.values())
        now = self._records
        keys = [] if now is before else [key for key in {**before, **now} if before.get(key) != now.get(key)]
        returned = not self._containers.isdisjoint(containers((result,)))
        stored = bool(keys) and not self._containers.isdisjoint(given)
        return Evidence(
            changed=bool(keys),
            patch=_patch(keys, now),
            aliases=_lines(aliases(result, "the result", live)) if returned else (),
            kept=_lines(aliases(arguments, "the argument", live)) if stored else (),
            not_json=_lines(line for key in keys for line in _problems(live, key)),
            violations=self._newly_broken(whole) if keys else {},
            reached=self._newly_reached(),
            digest=_hash(*_in_order(now)) if keys else "",
        )

    def _newly_reached(self) -> tuple[int, ...]:
        counts = self._counters.counts
        if counts.count(0) == len(self._unreached):
            return ()
        reached = tuple(counter for counter in self._unreached if counts[counter])
        self._unreached = [counter for counter in self._unreached if not counts[counter]]
        return reached

    def _newly_broken(self, state: bytes) -> dict[str, tuple[str, ...]]:
        before, self._broken = self._broken, self._judge(state)
        return {rule: lines for rule, lines in self._broken.items() if rule not in before}

    def _judge(self, state: bytes) -> dict[str, tuple[str, ...]]:
        """Return what breaks each invariant in an encoded state."""
        if not self.invariants:
            return {}
        key = hashlib.blake2b(state, digest_size=16).digest()
        known = self._judged.get(key)
        if known is None:
            activate(Ambient("2025-01-01T00:00:00", "invariants"))
            # One copy serves all invariants, unless one of them is found to have written to it.
            shared = _DECODE(state)
            lines = [_violations(rule, shared) for rule in self.invariants]
            if _encode(shared) != _encode(_DECODE(state)):
                lines = [_violations(rule, _DECODE(state)) for rule in self.invariants]
            known = {rule.name: found for rule, found in zip(self.invariants, lines, strict=True) if found}
            if len(self._judged) < _KNOWN_STATES:
                self._judged[key] = known
        return known


def _violations(invariant: Invariant, state: Any) -> tuple[str, ...]:
    try:
        lines = invariant.violations(state)
        if type(lines) is not list:
            return (f"returned {shorten(lines)} instead of a list",)
        return _lines(map(str, lines))
    except (Exception, SystemExit) as error:
        return (f"raised {describe_error(error, MAX_TEXT)}",)


def _encode(state: dict[str, Any]) -> bytes:
    try:
        return _ENCODE(state)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return canonical_json(state)


def _records(state: Mapping[str, Any]) -> dict[Key, bytes]:
    """Return the canonical JSON of each record in a state, and of each attribute that holds none."""
    records: dict[Key, bytes] = {}
    for attribute, value in state.items():
        if type(value) is dict and all(map(_is_text, value)):
            records[attribute, None] = b"{}"
            for key, record in value.items():
                records[attribute, key] = canonical_json(record)
        else:
            records[attribute, None] = canonical_json(value)
    return records


def _patch(keys: Iterable[Key], records: Mapping[Key, bytes]) -> bytes:
    """Return the JSON text of some records; see :class:`Evidence`."""
    entries: list[bytes] = []
    size = 0
    for key in keys:
        record = records.get(key)
        name = canonical_json(key)[:-1]
        entry = name + b"]" if record is None else name + b"," + record + b"]"
        size += len(entry)
        if size > MAX_PATCH:
            break
        entries.append(entry)
    return b"[" + b",".join(entries) + b"]"


def _problems(state: Mapping[str, Any], key: Key) -> list[str]:
    """Say what is not JSON in a record."""
    attribute, name = key
    if attribute not in state:
        return []
    value = state[attribute]
    if name is None:
        return not_json(value, attribute) if type(value) is not dict or not all(map(_is_text, value)) else []
    return not_json(value[name], f"{attribute}[{name!r}]") if name in value else []


def _is_text(key: object) -> bool:
    return type(key) is str


def _in_order(records: Mapping[Key, bytes]) -> Iterator[bytes]:
    for attribute, key in sorted(records, key=lambda place: (place[0], place[1] is not None, place[1] or "")):
        yield canonical_json([attribute, key])
        yield records[attribute, key]


def _hash(*parts: bytes) -> str:
    hashed = hashlib.blake2b(digest_size=16)
    for part in parts:
        hashed.update(part + b"\0")
    return hashed.hexdigest()


def _lines(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(_line, islice(lines, MAX_ENTRIES)))


def _line(text: str) -> str:
    return text[:MAX_TEXT].encode("utf-8", "backslashreplace").decode()
