"""Playing a recorded episode again, and comparing every text and every state."""

from __future__ import annotations

from contextlib import closing

from envscaler_gym.bundle import Bundle
from envscaler_gym.checks import Score
from envscaler_gym.episode import Episode
from envscaler_gym.errors import EnvScalerError, shorten
from envscaler_gym.isolation import make_runtime
from envscaler_gym.registry import get_bundle
from envscaler_gym.state import digest
from envscaler_gym.trajectories.trajectory import Trajectory
from envscaler_gym.users import ScriptedUser, User

__all__ = ["TrajectoryMismatch", "replay"]


class TrajectoryMismatch(EnvScalerError):
    """A recorded episode does not come out again as it was recorded."""


def replay(
    trajectory: Trajectory, bundle: Bundle | None = None, *, user: User | None = None, trust: bool = False
) -> Score | None:
    """Play a recorded episode again.

    Args:
        trajectory: The episode.
        bundle: Its bundle; found by the environment's id unless given.
        user: Who the agent talked to in conversation mode; the scripted user unless given.
        trust: Run unreviewed code in this process.

    Returns:
        The score; ``None`` where the scenario cannot be graded.

    Raises:
        TrajectoryMismatch: A text, an outcome or a state's digest differs; the message says where.
        UnknownNameError: There is no such environment.
        ScenarioError: The bundle has no such scenario.
        EnvironmentFailure: The environment failed.
    """
    bundle = bundle or get_bundle(trajectory.environment)
    scenario = bundle.scenario(trajectory.scenario)
    runtime = make_runtime(bundle, trust=trust)
    user = (user or ScriptedUser()) if trajectory.mode == "conversation" else None
    start_state = bundle.start_states[scenario.start_state]
    with closing(runtime.world):
        episode = Episode(scenario, start_state, bundle.tools, runtime.world, user, trajectory.seed, runtime.run_checks)
        changed = "" if trajectory.bundle == bundle.digest else f" (the bundle was {trajectory.bundle} when recorded)"
        _compare(f"the first observation{changed}", trajectory.observation, episode.begin())
        _compare(f"the state at the start{changed}", trajectory.start, digest(episode.initial_state))
        for number, step in enumerate(trajectory.steps, 1):
            turn = episode.act(step.action)
            where = f"of step {number}, {shorten(step.action)}{changed}"
            _compare(f"the outcome {where}", step.outcome, turn.outcome)
            if step.outcome != "malformed_action":  # which may hold what JSON cannot
                _compare(f"the observation {where}", step.observation, turn.observation)
            if step.state is not None:
                _compare(f"the state {where}", step.state, digest(episode.world.state()))
        score = None if scenario.checks is None else episode.grade()
    if score is not None and trajectory.score is not None:
        _compare(f"the number of checks passed{changed}", trajectory.score["passed"], score.passed)
    return score


def _compare(what: str, recorded: object, now: object) -> None:
    if recorded != now:
        raise TrajectoryMismatch(f"{what} was {shorten(recorded, 200)} when recorded, and is {shorten(now, 200)} now")
