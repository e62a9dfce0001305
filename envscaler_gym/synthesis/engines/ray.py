"""Pipelines as tasks of a Ray cluster.

Each environment's pipeline is one task, anywhere in the cluster. The model, the completions and the artefacts stay in
one place: an actor on the machine of the process that began the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

from envscaler_gym.errors import EnvScalerError, describe_error
from envscaler_gym.llm.model import Completion, CompletionRequest
from envscaler_gym.synthesis.artefacts import Artefact
from envscaler_gym.synthesis.events import Event
from envscaler_gym.synthesis.outcomes import Outcome
from envscaler_gym.synthesis.pipeline import Job, Produced, produce
from envscaler_gym.synthesis.settings import Settings
from envscaler_gym.synthesis.switchboard import Access, Switchboard
from envscaler_gym.synthesis.workshop import Workshop

try:
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ModuleNotFoundError as error:
    raise ModuleNotFoundError('The ray engine needs Ray: pip install "envscaler-gym[ray,synthesis]"') from error

__all__ = ["RayEngine"]

_CORES = 0.25  # a pipeline mostly waits for the model
_CALLS = 1000  # calls of the actor that may wait at once; what bounds calls of the model is the model


class RayEngine:
    """Works on a Ray cluster. See :class:`~envscaler_gym.synthesis.engines.engine.Engine`.

    Args:
        folder: Folder of the run, on this machine.
        settings: What the run is asked for.
        access: How the model is reached, from this machine.
        address: Address of the cluster; ``None`` for one that is started here and ends with the run.
    """

    def __init__(self, folder: Path, settings: Settings, access: Access, address: str | None = None) -> None:
        self._settings = settings
        self._own = not ray.is_initialized()
        if self._own:
            ray.init(address=address, include_dashboard=False, log_to_driver=False, configure_logging=False)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        remote: Any = ray.remote(_SwitchboardActor)
        placed = remote.options(scheduling_strategy=here, max_concurrency=_CALLS, num_cpus=0)
        self._actor: Any = placed.remote(str(folder.resolve()), access)
        self._events: list[Event] = []
        self._pipeline: Any = ray.remote(num_cpus=_CORES)(_run)

    def workshop(self) -> Workshop:
        """Return a workshop in this process."""
        line = _Line(self._actor)
        return Workshop(line, self._settings, line, self._events.append)

    def start(self, jobs: Sequence[Job]) -> list[Awaitable[Produced]]:
        """Begin all pipelines."""
        return [_result(job, self._pipeline.remote(self._actor, self._settings, job)) for job in jobs]

    async def take_events(self) -> list[Event]:
        """Return what has happened since this was last asked."""
        elsewhere: list[Event] = await self._actor.take_events.remote()
        here, self._events[:] = list(self._events), []
        return [*elsewhere, *here]

    async def close(self) -> tuple[Path, int] | None:
        """Close everything."""
        try:
            awaited: tuple[Path, int] | None = await self._actor.close.remote()
            ray.kill(self._actor)
        finally:
            if self._own:
                ray.shutdown()
        return awaited


class _SwitchboardActor:
    """A switchboard in a process of its own. What it raises travels as a value, so that it arrives as it was."""

    def __init__(self, folder: str, access: Access) -> None:
        self._switchboard = Switchboard(Path(folder), access)

    async def complete(self, request: CompletionRequest) -> Completion | EnvScalerError:
        try:
            return await self._switchboard.complete(request)
        except EnvScalerError as error:
            return error

    async def find(self, key: str) -> Artefact | None:
        return await self._switchboard.find(key)

    async def keep(self, artefact: Artefact) -> None:
        await self._switchboard.keep(artefact)

    async def announce(self, event: Event) -> None:
        self._switchboard.announce(event)

    async def take_events(self) -> list[Event]:
        return self._switchboard.take_events()

    async def close(self) -> tuple[Path, int] | None:
        return await self._switchboard.close()


class _Line:
    """The line to the switchboard: a model and a shelf."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._announced: list[Any] = []

    async def complete(self, request: CompletionRequest) -> Completion:
        answer: Completion | EnvScalerError = await self._actor.complete.remote(request)
        if isinstance(answer, EnvScalerError):
            raise answer
        return answer

    async def find(self, key: str) -> Artefact | None:
        found: Artefact | None = await self._actor.find.remote(key)
        return found

    async def keep(self, artefact: Artefact) -> None:
        await self._actor.keep.remote(artefact)

    def announce(self, event: Event) -> None:
        self._announced.append(self._actor.announce.remote(event))

    async def arrived(self) -> None:
        """Wait until all that was announced has arrived."""
        await asyncio.gather(*self._announced)


def _run(actor: Any, settings: Settings, job: Job) -> Produced:
    """Take an environment through its pipeline, somewhere in the cluster."""

    async def work() -> Produced:
        line = _Line(actor)
        produced = await produce(Workshop(line, settings, line, line.announce), job)
        await line.arrived()
        return produced

    return asyncio.run(work())


async def _result(job: Job, reference: Any) -> Produced:
    try:
        produced: Produced = await reference
    except RayError as error:  # a machine was lost, again and again
        reason = describe_error(error, 500)
        return Produced(job.slug, Outcome(subject=job.slug, status="failed", stage="ray", reason=reason))
    return produced
