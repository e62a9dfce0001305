"""The exceptions of the library, all below one base class.

::

    EnvScalerError
    ├── BundleError            a bundle (or a file given to an importer) is malformed
    │   └── ScenarioError      a scenario is missing, ungraded, or matches no filter
    ├── UnknownNameError       an environment, bundle, tool or policy of that name does not exist
    ├── UnreviewedCodeError    code that nobody has reviewed would have to run with full rights
    ├── IsolationUnavailable   this machine cannot lock a worker down, so unreviewed code does not run on it
    ├── StoreDamaged           a file of recorded completions holds a line that cannot be read
    ├── ModelError             a language model gave nothing that can be used
    │   ├── UnusableAnswer     it answered, and not what was asked: what the answer was for is given up
    │   │   ├── BadOutput          after every repair
    │   │   └── ModelRefusal       it declined
    │   └── RunStopped         it cannot be asked now: the run ends where it is, and goes on from there later
    │       ├── ModelUnavailable   the provider failed after every retry, or does not take such requests
    │       │   └── ModelTimeout   because it did not answer in time
    │       ├── MissingCompletion  a replay came to a request that was never recorded
    │       ├── BudgetExceeded     the next call could exceed what may be spent
    │       └── WaitingForCompletions  the request is written to a batch file, and its answer comes later
    └── EnvironmentFailure     generated code failed while it ran: never the agent's fault
        ├── LoadFailure        the class could not be built from the start state
        ├── ToolFailure        a tool raised instead of returning a result
        ├── GradingFailure     no check tells the agent's work from the start state, as delta reward needs
        ├── ReplyTooLarge      a tool returned more than the limit
        ├── StateTooLarge      a state exceeds the limit, or cannot be written as data
        ├── WorkerTimeout      a worker did not answer within its deadline and was killed
        ├── WorkerCrash        a worker died
        │   └── WorkerOutOfMemory  because it reached its memory limit
        └── ProtocolViolation  a worker sent something that is not an answer, and was killed

What the *agent* does wrong is never an exception: it is an observation, and the episode goes on.
"""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

__all__ = [
    "BadOutput",
    "BudgetExceeded",
    "BundleError",
    "EnvScalerError",
    "EnvironmentFailure",
    "GradingFailure",
    "IsolationUnavailable",
    "LoadFailure",
    "MissingCompletion",
    "ModelError",
    "ModelRefusal",
    "ModelTimeout",
    "ModelUnavailable",
    "ProtocolViolation",
    "ReplyTooLarge",
    "RunStopped",
    "ScenarioError",
    "StateTooLarge",
    "StoreDamaged",
    "ToolFailure",
    "UnknownNameError",
    "UnreviewedCodeError",
    "UnusableAnswer",
    "WaitingForCompletions",
    "WorkerCrash",
    "WorkerOutOfMemory",
    "WorkerTimeout",
    "describe_error",
    "did_you_mean",
    "shorten",
    "without_addresses",
]

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_CONTAINERS = (dict, list, tuple, set, frozenset)
# Values that hold themselves many times over have a repr without end; this one has one.
_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother = 4, 200, 200
_REPR.maxdict = _REPR.maxlist = _REPR.maxtuple = _REPR.maxset = _REPR.maxfrozenset = 12


class EnvScalerError(Exception):
    """Base class of every exception that this library raises on purpose."""


class BundleError(EnvScalerError):
    """A bundle, or a published data file, does not have the form it must have."""


class ScenarioError(BundleError):
    """A scenario does not exist, cannot be graded, or no scenario fits the filters."""


class UnknownNameError(EnvScalerError, LookupError):
    """A name that was asked for does not exist; the message suggests near ones."""


class UnreviewedCodeError(EnvScalerError):
    """Code that nobody has reviewed would have to run in this process."""


class IsolationUnavailable(EnvScalerError):
    """This machine cannot lock a worker down, so code that nobody has reviewed does not run on it."""


class StoreDamaged(EnvScalerError):
    """A file of recorded completions holds a line, before its last, that cannot be read."""


class ModelError(EnvScalerError):
    """A language model gave nothing that can be used."""


class UnusableAnswer(ModelError):
    """A model answered, and not what was asked; asking the same again would not help."""


class BadOutput(UnusableAnswer):
    """An answer was no JSON, did not fit its schema or was cut off, after every repair."""


class ModelRefusal(UnusableAnswer):
    """A model, or its provider's filter, declined to answer."""


class RunStopped(ModelError):
    """A model cannot be asked now. It says nothing about what the answer was for: the run goes on from here later."""


class ModelUnavailable(RunStopped):
    """The provider failed after every retry, or does not take requests like this one.

    Attributes:
        failures: How often it failed, by kind of failure.
    """

    failures: Mapping[str, int] = MappingProxyType({})


class ModelTimeout(ModelUnavailable):
    """The provider did not answer in time, in any try."""


class MissingCompletion(RunStopped):
    """A replay came to a request that was never recorded, and no model is there to answer it."""


class BudgetExceeded(RunStopped):
    """The next call could exceed what may be spent."""


class WaitingForCompletions(RunStopped):
    """A request stands in a batch file, and its answer is not there yet."""


class EnvironmentFailure(EnvScalerError):
    """Generated code failed while it ran: a failure of the environment, not of the agent."""


class LoadFailure(EnvironmentFailure):
    """The synthesized class could not be built, or refused its start state."""


class ToolFailure(EnvironmentFailure):
    """A tool raised instead of returning a result."""


class GradingFailure(EnvironmentFailure):
    """Every check is true at the start, so that delta reward has nothing to count."""


class ReplyTooLarge(EnvironmentFailure):
    """A tool returned more text than an observation may hold."""


class StateTooLarge(EnvironmentFailure):
    """A state exceeds the limit, nests too deep, or holds something that cannot be written as data."""


class WorkerTimeout(EnvironmentFailure):
    """A worker did not answer within its deadline and was killed."""


class WorkerCrash(EnvironmentFailure):
    """A worker died, or was not there any more when it was needed."""


class WorkerOutOfMemory(WorkerCrash):
    """A worker reached its memory limit."""


class ProtocolViolation(EnvironmentFailure):
    """A worker sent something that is not an answer, and was killed."""


def shorten(value: object, limit: int = 80) -> str:
    """Return ``repr(value)``, at most ``limit`` characters of it, for use in a message."""
    if type(value) is str and len(value) > limit:
        value = value[:limit] + "…"
    try:
        text = without_addresses(_REPR.repr(value) if type(value) in _CONTAINERS else repr(value))
    except Exception as error:
        text = f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    if len(text) > limit + 4:
        text = text[:limit] + "…"
    return text.encode("utf-8", "backslashreplace").decode()


def without_addresses(text: str) -> str:
    """Return a text without the addresses of objects, which differ from process to process."""
    return _ADDRESS.sub("", text)


def describe_error(error: BaseException, limit: int = 2000) -> str:
    """Return type and message of an exception that generated code raised, at most ``limit`` characters of it."""
    try:
        text = str(error)
    except Exception as second:
        text = f"<whose str raised {type(second).__name__}>"
    text = without_addresses(text[:limit])
    return f"{type(error).__name__}: {text}"[:limit].encode("utf-8", "backslashreplace").decode()


def did_you_mean(name: object, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return ``" Did you mean 'x'?"`` when a known name is near ``name``, otherwise ``""``."""
    if not isinstance(name, str):
        return ""
    near = difflib.get_close_matches(name[:200], list(known), n=3, cutoff=cutoff)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
