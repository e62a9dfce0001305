"""Code that nobody has reviewed, run in processes that are locked down.

Every episode of such an environment has a worker of its own: a process that keeps its memory and one socket and
cannot do anything else, enforced by the kernel. Checks run in another worker that never saw the environment's code.
Importing this package starts no process; the first episode does.

::

    levels      which code runs where
    world       the World that talks to a worker      grading     the checks that do
    spawning    the host's side of the zygote         workers     the host's side of a worker
    limits      what a worker may take                counters    failures by environment
    frames      the messages                          encoding    states and arguments as bytes
    bootstrap   start of the zygote                   zygote      forks workers
    lockdown    gives up every right                  seccomp     the filter of system calls
    worker      runs the code                         guarded     builtins and modules that the code finds
    probe       watches each call closely             probe_server, probe_frames  the same in a worker
    instrument  counters in the code                  evidence    what is seen of a call
    doctor      what this machine can do              lint        what a source reaches for
"""

from envscaler_gym.isolation.counters import count_failure, failures, forget_failures
from envscaler_gym.isolation.doctor import Finding, doctor
from envscaler_gym.isolation.grading import IsolatedChecks
from envscaler_gym.isolation.levels import LEVELS, Level, Runtime, level_of, make_runtime
from envscaler_gym.isolation.limits import Limits
from envscaler_gym.isolation.world import IsolatedWorld, WorkerProgram

__all__ = [
    "LEVELS",
    "Finding",
    "IsolatedChecks",
    "IsolatedWorld",
    "Level",
    "Limits",
    "Runtime",
    "WorkerProgram",
    "count_failure",
    "doctor",
    "failures",
    "forget_failures",
    "level_of",
    "make_runtime",
]
