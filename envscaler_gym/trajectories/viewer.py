"""One self-contained HTML page to look through trajectories."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from envscaler_gym.ambient import Ambient
from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import EnvScalerError
from envscaler_gym.isolation import make_runtime
from envscaler_gym.registry import get_bundle
from envscaler_gym.state import diff
from envscaler_gym.trajectories.trajectory import Trajectory
from envscaler_gym.types import JSON

__all__ = ["state_changes", "view_page"]

_MAX_CHANGES = 40


def view_page(trajectories: Iterable[Trajectory], *, trust: bool = False) -> str:
    """Return an HTML page that shows trajectories: messages, calls, results, changes of the state and checks.

    The changes are found by playing each episode again, where exactly its bundle is there; else they are left out.

    Args:
        trajectories: The episodes.
        trust: Run unreviewed code in this process.
    """
    data = json.dumps([_episode(trajectory, trust=trust) for trajectory in trajectories])
    page = Path(__file__).with_name("viewer.html").read_text("utf-8")
    return page.replace("$data", data.replace("<", "\\u003c"))  # nothing in the data can end the script element


def _episode(trajectory: Trajectory, *, trust: bool) -> JSON:
    episode = trajectory.model_dump()
    try:
        bundle = get_bundle(trajectory.environment)
    except EnvScalerError:
        bundle = None
    if bundle is not None and bundle.digest == trajectory.bundle and trajectory.failure is None:
        for step, changes in zip(episode["steps"], state_changes(trajectory, bundle, trust=trust), strict=True):
            step["changes"] = changes
    words = [episode["scenario"], episode["environment"], episode["observation"], json.dumps(episode["steps"])]
    return episode | {"text": "\n".join(words).lower()}


def state_changes(trajectory: Trajectory, bundle: Bundle, *, trust: bool = False) -> list[list[str]]:
    """Return, for each step, a line for each change of the state; the rest counted where there are many.

    Raises:
        EnvironmentFailure: The environment failed.
    """
    scenario = bundle.scenario(trajectory.scenario)
    found: list[list[str]] = []
    with closing(make_runtime(bundle, trust=trust).world) as world:
        state = world.load(bundle.start_states[scenario.start_state].state, Ambient(scenario.clock, trajectory.seed))
        for step in trajectory.steps:
            if step.outcome not in ("success", "refused"):
                found.append([])
                continue
            name = step.action["name"]
            world.call(name, bundle.tools[name].validate(step.action["arguments"]))
            after = world.state()
            lines = [str(change) for change in diff(state, after)]
            more = [f"... and {len(lines) - _MAX_CHANGES} more"] if len(lines) > _MAX_CHANGES else []
            found.append([*lines[:_MAX_CHANGES], *more])
            state = after
    return found
