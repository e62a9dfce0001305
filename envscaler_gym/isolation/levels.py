"""Where generated code runs: decided here, once for every bundle.

Reviewed code runs in this process. Everything else runs in workers, unless somebody who has read it says ``trust``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import CheckRunner, run_checks
from envscaler_gym.errors import UnreviewedCodeError, shorten
from envscaler_gym.isolation.grading import IsolatedChecks
from envscaler_gym.isolation.limits import Limits
from envscaler_gym.isolation.lint import lint_bundle
from envscaler_gym.isolation.workers import require_workers
from envscaler_gym.isolation.world import IsolatedWorld, WorkerProgram
from envscaler_gym.trust import is_reviewed
from envscaler_gym.world import InProcessWorld, Program, World

__all__ = ["LEVELS", "Level", "Runtime", "level_of", "make_runtime"]

Level = Literal["process", "worker"]
LEVELS: tuple[Level, ...] = ("process", "worker")


class Runtime(NamedTuple):
    """What an environment runs a bundle's code with.

    Attributes:
        level: ``"process"`` or ``"worker"``.
        world: Runs the synthesized class.
        run_checks: Runs checks.
    """

    level: Level
    world: World
    run_checks: CheckRunner


def level_of(
    bundle: Bundle, isolation: str | None = None, *, trust: bool = False, refuse_findings: bool = False
) -> Level:
    """Decide where a bundle's code runs.

    Args:
        bundle: The bundle.
        isolation: ``"process"`` or ``"worker"``; ``None``: in this process if it is reviewed or trusted.
        trust: Treat it as reviewed.
        refuse_findings: Whether code that is neither may not run at all where the lint finds something in it.

    Raises:
        UnreviewedCodeError: ``"process"`` is asked for, and it is neither reviewed nor trusted; or the lint finds
            something in it, and findings refuse.
        IsolationUnavailable: It is to run in a worker, and this machine cannot lock one down.
    """
    if isolation not in (None, *LEVELS):
        raise ValueError(f"isolation must be one of None, {', '.join(map(repr, LEVELS))}; got {shorten(isolation)}")
    known = trust or is_reviewed(bundle)
    if refuse_findings and not known and (findings := lint_bundle(bundle)):
        raise UnreviewedCodeError(
            f"{bundle.id} ({bundle.path or 'in memory'}) has not been reviewed, and the lint has findings in it "
            f"({len(findings)}), the first: {findings[0]}. 'envscaler trust' shows them all. "
            "Leave refuse_findings out, and it runs in a worker all the same."
        )
    if isolation != "worker" and known:
        return "process"
    if isolation == "process":
        raise UnreviewedCodeError(
            f"{bundle.id} ({bundle.path or 'in memory'}) has not been reviewed, and with isolation='process' its code "
            "would run in this process with all of your rights. Leave isolation out, and it runs in a worker. Or read "
            "the code and pass trust=True."
        )
    require_workers()
    return "worker"


def make_runtime(
    bundle: Bundle,
    isolation: str | None = None,
    *,
    trust: bool = False,
    refuse_findings: bool = False,
    limits: Limits | None = None,
) -> Runtime:
    """Return what runs a bundle's code, on the level of :func:`level_of`.

    Raises:
        LoadFailure: The class cannot be made in this process.
        UnreviewedCodeError: As :func:`level_of`.
        IsolationUnavailable: As :func:`level_of`.
    """
    limits = limits or Limits()
    level = level_of(bundle, isolation, trust=trust, refuse_findings=refuse_findings)
    names = tuple(bundle.tools)
    if level == "process":
        program = Program.of(bundle.source, bundle.manifest.class_name, names)
        return Runtime(level, InProcessWorld(program, limits.reply_bytes), run_checks)
    worker_program = _worker_program(bundle.source, bundle.manifest.class_name, names)
    return Runtime(level, IsolatedWorld(worker_program, limits), IsolatedChecks(limits))


_worker_program = lru_cache(maxsize=256)(WorkerProgram)
