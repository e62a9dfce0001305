"""Wrappers: one behaviour per file."""

from envscaler_gym.wrappers.chat import Chat
from envscaler_gym.wrappers.graded_time_limit import GradedTimeLimit
from envscaler_gym.wrappers.record_trajectory import RecordTrajectory

__all__ = ["Chat", "GradedTimeLimit", "RecordTrajectory"]
