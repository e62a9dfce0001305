"""Trajectories: episodes recorded, saved and played again."""

from envscaler_gym.trajectories.replay import TrajectoryMismatch, replay
from envscaler_gym.trajectories.trajectory import (
    Trajectory,
    TrajectoryStep,
    append_trajectory,
    read_trajectories,
    write_trajectories,
)
from envscaler_gym.trajectories.viewer import view_page

__all__ = [
    "Trajectory",
    "TrajectoryMismatch",
    "TrajectoryStep",
    "append_trajectory",
    "read_trajectories",
    "replay",
    "view_page",
    "write_trajectories",
]
