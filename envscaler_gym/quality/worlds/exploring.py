"""Exploration: thousands of short episodes, led to the tools and branches that were not reached so far."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import EnvironmentFailure, describe_error
from envscaler_gym.quality.defects import ToolRaised
from envscaler_gym.quality.probing import Call, Evidence, Prober, counted
from envscaler_gym.quality.reports import Progress
from envscaler_gym.quality.state_types import StateTypes
from envscaler_gym.quality.worlds.calls import CallMaker
from envscaler_gym.quality.worlds.memory import Known, Memory
from envscaler_gym.quality.worlds.programs import Program, Start, starts_of
from envscaler_gym.quality.worlds.sightings import Sighting, Sightings, new_problems, sight
from envscaler_gym.quality.worlds.tool_sources import tool_sources
from envscaler_gym.tools import InvalidArguments

__all__ = ["Explorer", "Tally"]

_CHUNK = 8  # calls that are drawn before the next are led by what these showed
_LENGTHS = (8, 12, 16, 24, 40)  # calls of an episode besides those that it begins with
_KEPT = 60  # programs that are kept for later episodes to begin with, by start state
_ODD = 40  # one call in so many is also given to validation, with an argument that does not fit
_ENDS = 3  # worlds that a tool may end before it is left alone
_SAMPLES = 24  # episodes that are kept for replays


class Tally(NamedTuple):
    """How often a tool was called, and how often it succeeded and refused by its own code."""

    calls: int = 0
    succeeded: int = 0
    refused: int = 0


class _Episode:
    """What is known of the running episode."""

    def __init__(self, start: Start, known: Known) -> None:
        self.start = start
        self.memory = Memory(known, start.clock)
        self.calls: list[Call] = []
        self.changes: list[Call] = []  # those that succeeded and changed the state
        self.alive = True


class Explorer:
    """Explores one bundle.

    Args:
        bundle: The bundle.
        prober: Runs its class.
        seed: Seed of all draws.

    Attributes:
        sightings: The defects that were seen.
        tallies: How each tool has answered.
        calls: Number of calls so far.
        samples: Some of the episodes.
        reached: Counters of the code that were reached.
    """

    def __init__(self, bundle: Bundle, prober: Prober, seed: int) -> None:
        self.sightings = Sightings()
        self.tallies = dict.fromkeys(bundle.tools, Tally())
        self.calls = 0
        self.samples: list[Program] = []
        self.reached: set[int] = set()
        self._bundle = bundle
        self._prober = prober
        self._rng = random.Random(f"explore:{seed}")  # noqa: S311 - to be repeatable is its purpose
        self._maker = CallMaker(bundle, self._rng)
        self._types = StateTypes.of(bundle)
        self._starts = starts_of(bundle)
        self._known = {id(start.state): Known(start.state) for start in self._starts}
        self._programs: dict[int, list[tuple[Call, ...]]] = {}
        self._can_refuse = {name: source.can_refuse for name, source in tool_sources(bundle).items()}
        self._arms = _arms(bundle)
        self._counters = frozenset(range(counted(bundle.source).counters))
        self._ended: Counter[str] = Counter()  # worlds that a tool's calls have ended

    def run(self, calls: int, on_progress: Progress | None) -> None:
        """Play episodes until at least so many calls were tried."""
        number = 0
        while self.calls < calls:
            episode = self._play(self._starts[number % len(self._starts)])
            number += 1
            self._keep_sample(episode, number)
            if on_progress is not None:
                on_progress("calls", min(self.calls, calls), calls)

    def known(self, start: Start) -> Known:
        """Return what is known of a start state."""
        return self._known[id(start.state)]

    def _play(self, start: Start) -> _Episode:
        episode = _Episode(start, self.known(start))
        try:
            self._prober.load(start.state, start.clock, start.seed)
        except EnvironmentFailure as failure:
            message, defect = describe_error(failure), "a start state cannot be loaded"
            where = start.scenario or self._bundle.manifest.class_name
            self.sightings.add(Sighting("never-raises", where, defect, "", message, "raised", ToolRaised), start, ())
            self.calls += 1
            return episode
        self._try(episode, self._beginning(episode))
        end = len(episode.calls) + self._rng.choice(_LENGTHS)
        weights = [self._weight(name) for name in self._bundle.tools]
        if not any(weights):
            self.calls += 1
            return episode
        while episode.alive and len(episode.calls) < end:
            names = self._rng.choices(list(self._bundle.tools), weights, k=_CHUNK)
            drawn = [(name, self._maker.arguments(name, episode.memory)) for name in names]
            calls = [(name, arguments) for name, arguments in drawn if arguments is not None]
            self.calls += len(drawn) - len(calls)
            self._validate_odd(episode)
            self._try(episode, calls)
        if episode.changes and self._rng.random() < 0.15:
            self._keep(episode, episode.changes[-12:])
        return episode

    def _beginning(self, episode: _Episode) -> Sequence[Call]:
        """Draw what an episode begins with: nothing, part of the reference solution, or a program that was kept."""
        draw = self._rng.random()
        programs = self._programs.get(id(episode.start.state), [])
        if draw < 0.3:
            return ()
        if programs and (draw < 0.7 or not episode.start.solution):
            calls = self._rng.choice(programs)
        else:
            calls = episode.start.solution[: self._rng.randint(0, len(episode.start.solution))]
        return [call for call in calls if self._fits(call)]

    def _fits(self, call: Call) -> bool:
        tool = self._bundle.tools.get(call[0])
        try:
            return tool is not None and self._weight(tool.name) > 0 and tool.validate(call[1]) is not None
        except InvalidArguments:
            return False

    def _weight(self, name: str) -> float:
        if self._ended[name] >= _ENDS:
            return 0
        tally = self.tallies[name]
        unreached = sum(arm not in self.reached for arm in self._arms[name])
        never = 5 * (tally.succeeded == 0) + 3 * (tally.refused == 0 and self._can_refuse[name])
        return 1 + never + min(unreached, 12) / 3

    def _try(self, episode: _Episode, calls: Sequence[Call]) -> None:
        evidence = self._prober.probe(calls)
        self.calls += len(evidence)
        for call, seen in zip(calls, evidence, strict=False):  # a call that ends the world is the last that was seen
            self._absorb(episode, call, seen)
        if len(evidence) < len(calls) or (evidence and evidence[-1].lost):
            episode.alive = False

    def _absorb(self, episode: _Episode, call: Call, seen: Evidence) -> None:
        name, arguments = call
        memory = episode.memory
        self._ended[name] += seen.lost
        episode.calls.append(call)
        problems = new_problems(self._types, memory, seen) if seen.changed else ()
        for sighting in sight(name, self._bundle.tools[name].kind, seen, problems):
            self.sightings.add(sighting, episode.start, episode.calls)
        tally = self.tallies[name]
        first = seen.success is True and tally.succeeded == 0
        self.tallies[name] = Tally(
            tally.calls + 1, tally.succeeded + (seen.success is True), tally.refused + (seen.success is False)
        )
        if seen.success is True:
            memory.succeeded(name, arguments)
        reached = self._counters.intersection(seen.reached)
        if first or not self.reached.issuperset(reached):
            self._keep(episode, [*episode.changes[-12:], call])
        self.reached |= reached
        if seen.changed and seen.success is True:
            episode.changes.append(call)

    def _keep(self, episode: _Episode, calls: Sequence[Call]) -> None:
        kept = self._programs.setdefault(id(episode.start.state), [])
        if len(kept) < _KEPT:
            kept.append(tuple(calls))
        else:
            kept[self._rng.randrange(_KEPT)] = tuple(calls)

    def _keep_sample(self, episode: _Episode, number: int) -> None:
        """Keep episodes so that each has the same chance to be kept, however many follow."""
        calls = episode.calls if episode.alive else episode.calls[:-1]  # a call that ends the world takes its time
        program = Program(episode.start, tuple(calls))
        if len(self.samples) < _SAMPLES:
            self.samples.append(program)
        elif (place := self._rng.randrange(number)) < _SAMPLES:
            self.samples[place] = program

    def _validate_odd(self, episode: _Episode) -> None:
        if self._rng.randrange(_ODD) < _CHUNK:
            name = self._rng.choice(list(self._bundle.tools))
            complaint = self._maker.complaint(name, episode.memory)
            if complaint:
                defect = "validation raises"
                sighting = Sighting("never-raises", name, defect, complaint, complaint, "raised", ToolRaised)
                self.sightings.add(sighting, episode.start, episode.calls)


def _arms(bundle: Bundle) -> dict[str, list[int]]:
    """Return the counters of the branches that each tool may come to."""
    counters: dict[str, list[int]] = {}
    for arm in counted(bundle.source).arms:
        counters.setdefault(arm.function, []).append(arm.counter)
    return {
        name: [counter for function in source.functions for counter in counters.get(function, ())]
        for name, source in tool_sources(bundle).items()
    }
