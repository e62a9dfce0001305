"""Shrinking: from a program that has shown a defect to a short one that still shows it."""

from __future__ import annotations

from collections.abc import Callable

from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import EnvironmentFailure
from envscaler_gym.quality.probing import Call, Prober
from envscaler_gym.quality.state_types import StateTypes
from envscaler_gym.quality.worlds.memory import Known, Memory
from envscaler_gym.quality.worlds.programs import Program, play
from envscaler_gym.quality.worlds.sightings import Seen, Sighting, new_problems, sight

__all__ = ["Calls", "fewest", "shrink"]

Calls = tuple[Call, ...]

_TRIES = 60  # programs that are tried for each defect


def fewest(calls: Calls, holds: Callable[[Calls], bool], tries: int, *, last: bool) -> Calls:
    """Return as few of some calls as a bounded search finds: all are dropped at once, then half of them, and so on.

    Args:
        calls: The calls.
        holds: Whether some of them will do as well.
        tries: How often it may be asked.
        last: Whether the last call must stay.
    """
    size = len(calls) - last
    while size > 0:
        index = 0
        while index < len(calls) - last and tries > 0:
            tries -= 1
            candidate = (*calls[:index], *calls[min(index + size, len(calls) - last) :])
            if holds(candidate):
                calls = candidate
            else:
                index += size
        size //= 2
    return calls


def shrink(bundle: Bundle, prober: Prober, seen: Seen, known: Known) -> Seen:
    """Return a sighting with a program that is as short as a bounded search makes it.

    Args:
        bundle: The bundle.
        prober: Runs its class.
        seen: The sighting; its program's last call shows it.
        known: What is known of the program's start state.
    """
    return _Search(bundle, prober, seen, known).run()


class _Search:
    """The search for a short program."""

    def __init__(self, bundle: Bundle, prober: Prober, seen: Seen, known: Known) -> None:
        self._bundle = bundle
        self._prober = prober
        self._known = known
        self._best = seen
        self._tries = 1 if seen.sighting.lost else _TRIES  # each try may take as long as a call may

    def run(self) -> Seen:
        calls = fewest(self._best.program.calls, self._take, self._tries, last=True)
        name, arguments = calls[-1]
        required = self._bundle.tools[name].spec.parameters.get("required", ())
        for argument in arguments if not self._best.sighting.lost else ():
            if argument not in required:
                last = {key: value for key, value in self._best.program.calls[-1][1].items() if key != argument}
                self._take((*calls[:-1], (name, last)))
        return self._best

    def _take(self, calls: Calls) -> bool:
        """Take calls for the shortest so far if the last of them shows the same defect."""
        program = self._best.program._replace(calls=calls)
        sighting = self._shown(program)
        if sighting is not None:
            self._best = self._best._replace(sighting=sighting, program=program)
        return sighting is not None

    def _shown(self, program: Program) -> Sighting | None:
        """Run a program, and return what its last call shows if that is the defect that is looked for."""
        try:
            evidence = play(self._prober, program)
        except EnvironmentFailure:
            return None
        if len(evidence) < len(program.calls):
            return None
        memory, types = Memory(self._known, program.start.clock), StateTypes.of(self._bundle)
        problems: list[str] = []
        for seen in evidence:
            problems = new_problems(types, memory, seen) if seen.changed else []
        name = program.calls[-1][0]
        sightings = sight(name, self._bundle.tools[name].kind, evidence[-1], problems)
        return next((sighting for sighting in sightings if sighting.key == self._best.sighting.key), None)
