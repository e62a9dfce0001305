"""Replays: the same episodes in other processes and in another order, to see whether they come out alike.

Reviewed code is replayed in child processes with hash seeds of their own, since the order of a set depends on that
seed; this module, run as a program, is such a child. Code that nobody has reviewed is replayed in fresh workers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from envscaler_gym.ambient import Ambient, ambient_builtins
from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import EnvironmentFailure, LoadFailure, describe_error
from envscaler_gym.isolation import encoding
from envscaler_gym.isolation.evidence import Evidence
from envscaler_gym.isolation.instrument import compile_instrumented
from envscaler_gym.isolation.levels import level_of
from envscaler_gym.isolation.probe import Probe, Subject
from envscaler_gym.quality.probing import counted, make_prober
from envscaler_gym.quality.worlds.programs import Program, play
from envscaler_gym.world import makes_sets

__all__ = ["Replays", "Transcript", "replay", "replay_in_order"]

_SECONDS = 300.0  # a child that takes this long hangs

Transcript = list[tuple[str, str]]
"""What came of each call of a program: the result's text, or what was raised, cut; and a hash of result and state."""


class Replays(NamedTuple):
    """The transcripts of some programs, by program.

    Attributes:
        first: Played in order, in one process.
        second: Played in order, in another process.
        backwards: Played from the last program to the first, in a process like that of ``first``.
    """

    first: list[Transcript]
    second: list[Transcript]
    backwards: list[Transcript]


def replay(bundle: Bundle, programs: Sequence[Program], *, trust: bool) -> Replays:
    """Play programs again, in other processes and the other way round.

    Args:
        bundle: The bundle.
        programs: The programs.
        trust: Treat the bundle as reviewed.

    Raises:
        EnvironmentFailure: The class cannot be executed.
    """
    reviewed = level_of(bundle, trust=trust) == "process"
    transcripts = []
    for step, hash_seed in ((1, 1), (1, 2), (-1, 1)):
        order = programs[::step]
        played = _in_child(bundle, order, hash_seed) if reviewed else replay_in_order(bundle, order, trust=trust)
        transcripts.append(played[::step])
    return Replays(*transcripts)


def replay_in_order(bundle: Bundle, programs: Sequence[Program], *, trust: bool) -> list[Transcript]:
    """Play programs one after the other with one new prober, and return their transcripts."""
    transcripts: list[Transcript] = []
    with make_prober(bundle, trust=trust) as prober:
        for program in programs:
            try:
                transcripts.append([_answer(seen) for seen in play(prober, program)])
            except EnvironmentFailure as failure:
                transcripts.append([(describe_error(failure), "")])
    return transcripts


def _answer(seen: Evidence) -> tuple[str, str]:
    return seen.raised or seen.text, seen.digest


def _in_child(bundle: Bundle, programs: Sequence[Program], hash_seed: int) -> list[Transcript]:
    """Play programs one after the other in a new process with a given hash seed."""
    job = {
        "source": bundle.source,
        "class_name": bundle.manifest.class_name,
        "tools": list(bundle.tools),
        "episodes": [[dict(start.state), start.clock, start.seed, calls] for start, calls in programs],
    }
    paths = os.pathsep.join(path for path in sys.path if path)
    child = subprocess.run(
        [sys.executable, "-m", "envscaler_gym.quality.worlds.replaying"],
        input=encoding.encode(job),
        capture_output=True,
        env=os.environ | {"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": paths},
        timeout=_SECONDS,
        check=False,
    )
    if child.returncode != 0:
        complaint = child.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise LoadFailure(f"{bundle.id}: the process that replays its episodes ended: {complaint}")
    return [[(text, digest) for text, digest in transcript] for transcript in _decode(child.stdout)]


def _decode(data: bytes) -> Any:
    return encoding.decode_trusted(data, encoding.DateTypes())


def _serve() -> None:
    """Read a job, play its episodes, and write their transcripts."""
    out = sys.stdout.buffer
    sys.stdout = sys.stderr  # what the class prints is no answer
    job = _decode(sys.stdin.buffer.read())
    source, class_name = job["source"], job["class_name"]
    code = compile_instrumented(source, class_name)
    subject = Subject(code, class_name, tuple(job["tools"]), makes_sets(source), counted(source).counters, None)
    probe = Probe(subject, ambient_builtins())
    transcripts = []
    for state, clock, seed, calls in job["episodes"]:
        try:
            probe.load(state, Ambient(clock, seed))
            transcripts.append([_answer(probe.call(name, arguments)) for name, arguments in calls])
        except EnvironmentFailure as failure:
            transcripts.append([(describe_error(failure), "")])
    out.write(encoding.encode(transcripts))


if __name__ == "__main__":
    _serve()
