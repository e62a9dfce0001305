"""The gate over invariants: each states a rule, holds where nothing is wrong, and fails where something is."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, TypeAlias

from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import EnvironmentFailure
from envscaler_gym.quality.probing import Prober, make_prober
from envscaler_gym.quality.reports import Finding, GateResult
from envscaler_gym.quality.rules.corruptions import Corruption, double_corruptions, simple_corruptions
from envscaler_gym.quality.scenarios.records import Records
from envscaler_gym.quality.scenarios.rehearsal import Rehearsal
from envscaler_gym.state import digest

__all__ = ["invariant_gate"]

_GATE = "invariants-have-teeth"
_BATCH = 64  # states that are judged at a time
_RAISED = "raised "
_STAGES: tuple[tuple[Callable[[Mapping[str, Any], Records], Iterator[Corruption]], int, int], ...] = (
    (simple_corruptions, 1500, 5000),
    (double_corruptions, 1000, 3000),
)
"""Corruptions, and how many are tried at most: of one state, and in all."""

_States: TypeAlias = dict[str, Mapping[str, Any]]


def invariant_gate(bundle: Bundle, *, seed: int, trust: bool = False) -> GateResult:
    """Try the invariants on states that are right, and on corruptions of them.

    The states are those that scenarios start from and those that reference solutions lead to. An invariant that
    raises says nothing: on a corrupted state it counts as one that has not failed, on any other as one that has.

    Args:
        bundle: The bundle.
        seed: Seed of ids and randomness; equal seeds give equal results.
        trust: Run unreviewed code in this process.

    Raises:
        IsolationUnavailable: The code is to run in a worker, and this machine cannot lock one down.
    """
    if bundle.invariants_source is None:
        return GateResult(gate=_GATE, skipped="the bundle has no invariants.py")
    try:
        starts, ends = _states(bundle, seed=seed, trust=trust)
        with make_prober(bundle, trust=trust) as prober:
            findings = [*_unpaired(bundle, prober), *_failing(prober, starts | ends)]
            broken, tried = _broken(prober, [*starts.values(), *ends.values()], Records(bundle))
            names = [name for name, _ in prober.invariants]
    except EnvironmentFailure as failure:
        message = f"{type(failure).__name__}: {failure}"
        return GateResult(gate=_GATE, findings=(_finding(bundle.id, "the invariants cannot be run", message),))
    findings += [
        _finding(name, "vacuous invariant", f"it holds in each of {tried} corrupted states")
        for name in names
        if name not in broken
    ]
    notes = [_finding(name, "broken by a corruption", broken[name]) for name in names if name in broken]
    figures = {"invariants": len(names), "corruptions": tried}
    return GateResult(gate=_GATE, findings=tuple(findings), notes=tuple(notes), figures=figures)


def _finding(subject: str, defect: str, message: str, times: int = 1) -> Finding:
    return Finding(subject=subject, defect=defect, message=message, times=times)


def _states(bundle: Bundle, *, seed: int, trust: bool) -> tuple[_States, _States]:
    """Return the states that scenarios start from and those that their reference solutions lead to, each once.

    What cannot be loaded or played is left out here: the gates over scenarios report it.
    """
    starts: _States = {}
    ends: _States = {}
    with Rehearsal(bundle, seed=seed, trust=trust) as rehearsal:
        for scenario in bundle.scenarios.values():
            with contextlib.suppress(EnvironmentFailure):
                starts.setdefault(f"start state {scenario.start_state!r}", rehearsal.start(scenario).initial)
                ends[f"the end of {scenario.id!r}"] = rehearsal.play(scenario).final
    seen = {digest(state) for state in starts.values()}
    return starts, {name: state for name, state in ends.items() if digest(state) not in seen}


def _unpaired(bundle: Bundle, prober: Prober) -> Iterator[Finding]:
    rules, functions = Counter(bundle.manifest.rules), Counter(rule for _, rule in prober.invariants)
    for rule in rules - functions:
        yield _finding(
            bundle.id, "rule without an invariant", f"no function in invariants.py has the docstring {rule!r}"
        )
    for name, rule in prober.invariants:
        if functions[rule] > rules[rule]:
            message = f"the docstring's first line, {rule!r}, is not one of the manifest's rules, or not as often"
            yield _finding(name, "invariant without a rule", message)


def _failing(prober: Prober, states: _States) -> Iterator[Finding]:
    failed: dict[str, list[str]] = {}
    for where, violations in zip(states, prober.violations(list(states.values())), strict=True):
        for name, lines in violations.items():
            failed.setdefault(name, []).append(f"{where}: {lines[0]}")
    for name, messages in sorted(failed.items()):
        yield _finding(name, "an invariant fails where nothing is wrong", messages[0], len(messages))


def _broken(prober: Prober, states: Sequence[Mapping[str, Any]], records: Records) -> tuple[dict[str, str], int]:
    """Return the first corruption that breaks each invariant, and how many were tried."""
    broken: dict[str, str] = {}
    wanted = {name for name, _ in prober.invariants}
    tried = 0
    for corrupt, most_of_one, most in _STAGES:
        corrupted = islice(chain.from_iterable(islice(corrupt(state, records), most_of_one) for state in states), most)
        while wanted - broken.keys() and (batch := list(islice(corrupted, _BATCH))):
            tried += len(batch)
            _judge(prober, batch, broken)
    return broken, tried


def _judge(prober: Prober, batch: Sequence[Corruption], broken: dict[str, str]) -> None:
    judged = prober.violations([corruption.state for corruption in batch])
    for corruption, violations in zip(batch, judged, strict=True):
        for name, lines in violations.items():
            if name not in broken and not lines[0].startswith(_RAISED):
                broken[name] = f"{corruption.what}: {lines[0]}"
