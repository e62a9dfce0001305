"""Wrappers: one behaviour per file."""

from envscaler_gym.wrappers.chat import Chat
from envscaler_gym.wrappers.curriculum import Curriculum
from envscaler_gym.wrappers.faults import Faults
from envscaler_gym.wrappers.graded_time_limit import GradedTimeLimit
from envscaler_gym.wrappers.grounded_actions import GroundedActions
from envscaler_gym.wrappers.latency import Latency
from envscaler_gym.wrappers.potential_reward import PotentialReward
from envscaler_gym.wrappers.record_trajectory import RecordTrajectory
from envscaler_gym.wrappers.tool_wrapper import ToolWrapper

__all__ = [
    "Chat",
    "Curriculum",
    "Faults",
    "GradedTimeLimit",
    "GroundedActions",
    "Latency",
    "PotentialReward",
    "RecordTrajectory",
    "ToolWrapper",
]
