"""The skeleton stage: entities, rules and operations of a described environment.

EnvScaler's logic planning (arXiv 2601.05808), with what operations read, write, need and bring about, as ScaleEnv's
graph of tools (arXiv 2602.06820) takes it.
"""

from __future__ import annotations

from envscaler_gym.synthesis.artefacts import Made
from envscaler_gym.synthesis.discovery import Described
from envscaler_gym.synthesis.skeleton import Skeleton, problems
from envscaler_gym.synthesis.workshop import Desk, Workshop

__all__ = ["write_skeleton"]


async def write_skeleton(workshop: Workshop, described: Described, parent: str) -> Made[Skeleton]:
    """Have the skeleton of an environment written.

    Args:
        workshop: The workshop.
        described: The environment.
        parent: Digest of the artefact that describes it.

    Raises:
        UnusableAnswer: No skeleton whose parts fit together can be had.
        RunStopped: The model cannot be asked now.
    """

    async def work(desk: Desk) -> Skeleton:
        wanted = desk.settings.tools

        def accept(skeleton: Skeleton) -> str:
            found = problems(skeleton)
            count = len(skeleton.operations)
            if not wanted / 2 <= count <= wanted * 1.5:
                found.append(f"{count} operations are not about {wanted}; between a half and one and a half times are")
            return "\n".join(f"- {problem}" for problem in found)

        return await desk.ask(
            "write_skeleton",
            Skeleton,
            accept=accept,
            name=described.name,
            introduction=described.introduction,
            requests="\n".join(f"* {request}" for request in described.requests) or "none",
            tools=str(wanted),
        )

    return await workshop.make("skeleton", described.slug, Skeleton, work, parents=[parent])
