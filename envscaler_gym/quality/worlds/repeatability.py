"""Whether equal seeds give equal episodes, in any process and whatever was played before."""

from __future__ import annotations

from collections.abc import Sequence

from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import shorten
from envscaler_gym.quality.defects import Defect
from envscaler_gym.quality.reports import Finding, GateResult
from envscaler_gym.quality.worlds.programs import Program, leak_text, program_text
from envscaler_gym.quality.worlds.replaying import Transcript, replay, replay_in_order
from envscaler_gym.quality.worlds.shrinking import fewest

__all__ = ["repeatability_gates"]

_EXPLAINED = 2  # tools for which the episode is looked for that has left something behind
_TRIES = 40  # how often calls are dropped from it, and from the one that finds it


def repeatability_gates(bundle: Bundle, programs: Sequence[Program], *, trust: bool) -> tuple[GateResult, GateResult]:
    """Play programs in several processes and orders.

    Args:
        bundle: The bundle.
        programs: Episodes, as exploration left them.
        trust: Treat the bundle as reviewed.

    Returns:
        The gates ``deterministic`` and ``no-shared-state``.
    """
    replays = replay(bundle, programs, trust=trust)
    differing: dict[str, tuple[int, int]] = {}  # place and index of the shortest program, by tool
    leaking: dict[str, tuple[int, int]] = {}
    for index, program in enumerate(programs):
        first, second, backwards = (transcripts[index] for transcripts in replays)
        for other, found in ((second, differing), (backwards, leaking)):
            if (place := _difference(first, other)) is not None:
                tool = _tool(bundle, program, place)
                found[tool] = min(found.get(tool, (place, index)), (place, index))
                break  # what differs between processes says nothing of the order
    unequal = [
        _unequal(bundle, programs[index], place, (replays.first[index], replays.second[index]), trust)
        for _, (place, index) in sorted(differing.items())
    ]
    leaks = [
        _leak(bundle, programs, index, place, trust) if number < _EXPLAINED else _leaks(tool, "")
        for number, (tool, (place, index)) in enumerate(sorted(leaking.items()))
    ]
    calls = sum(len(program.calls) for program in programs)
    return (
        GateResult(
            gate="deterministic",
            findings=tuple(unequal),
            figures={"replayed_episodes": len(programs), "replayed_calls": calls},
        ),
        GateResult(gate="no-shared-state", findings=tuple(leaks)),
    )


def _difference(one: Transcript, other: Transcript) -> int | None:
    """Return the first call that came out differently."""
    if len(one) != len(other):
        return min(len(one), len(other))
    return next((index for index, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), None)


def _tool(bundle: Bundle, program: Program, place: int) -> str:
    return program.calls[place][0] if place < len(program.calls) else bundle.manifest.class_name


def _unequal(
    bundle: Bundle, program: Program, place: int, transcripts: tuple[Transcript, Transcript], trust: bool
) -> Finding:
    one, other = (shorten(transcript[place][0], 200) if place < len(transcript) else "" for transcript in transcripts)
    message = f"the same seed and calls gave {one} in one process and {other} in another"
    if one == other:
        message = f"the same seed and calls led to different states in two processes; both answered {one}"
    shown = program._replace(calls=program.calls[: place + 1])
    return Finding(
        subject=_tool(bundle, program, place),
        defect="equal seeds, different episodes",
        message=message,
        example=program_text(bundle, shown, Defect(message), "", trust=trust),
    )


def _leaks(tool: str, message: str, example: str = "") -> Finding:
    message = message or "answers otherwise after other episodes"
    return Finding(subject=tool, defect="an episode leaves something behind", message=message, example=example)


def _leak(bundle: Bundle, programs: Sequence[Program], index: int, place: int, trust: bool) -> Finding:
    """Find an episode after which another one comes out differently, and shorten both."""
    then = programs[index]._replace(calls=programs[index].calls[: place + 1])
    tool = _tool(bundle, then, place)
    others = sorted((*programs[:index], *programs[index + 1 :]), key=lambda other: len(other.calls))
    before = next((other for other in others if _leaves(bundle, other, then, trust)), None)
    if before is None:
        return _leaks(tool, "")
    some = fewest(
        before.calls,
        lambda calls: _leaves(bundle, before._replace(calls=calls), then, trust) is not None,
        _TRIES,
        last=False,
    )
    first = before._replace(calls=some)
    few = fewest(
        then.calls,
        lambda calls: _leaves(bundle, first, then._replace(calls=calls), trust) is not None,
        _TRIES,
        last=True,
    )
    second = then._replace(calls=few)
    alone, after = _leaves(bundle, first, second, trust) or ("", "")
    message = f"answers {alone} in a new process and {after} after another episode"
    return _leaks(tool, message, leak_text(bundle, first, second, message, trust=trust))


def _leaves(bundle: Bundle, before: Program, then: Program, trust: bool) -> tuple[str, str] | None:
    """Return how the last call of a program comes out alone and after another, if that is not the same."""
    (alone,) = replay_in_order(bundle, [then], trust=trust)
    after = replay_in_order(bundle, [before, then], trust=trust)[1]
    if not alone or not after or alone[-1] == after[-1]:
        return None
    return shorten(alone[-1][0], 200), shorten(after[-1][0], 200)
