"""Synthesized, stateful, tool-using environments for language-model agents, as Gymnasium environments.

Importing the package registers every bundle that it finds::

    import gymnasium as gym, envscaler_gym

    env = gym.make("envscaler/Library-v0")
    observation, info = env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step(
        {"name": "search_books", "arguments": {"title": "Dune"}}
    )
"""

from envscaler_gym import registry
from envscaler_gym.bundle import Bundle, load_bundle
from envscaler_gym.checks import Check, CheckResult, Score
from envscaler_gym.env import EnvSnapshot, ToolEnv
from envscaler_gym.episode import Episode
from envscaler_gym.errors import (
    BundleError,
    EnvironmentFailure,
    EnvScalerError,
    GradingFailure,
    IsolationUnavailable,
    LoadFailure,
    ProtocolViolation,
    ReplyTooLarge,
    ScenarioError,
    StateTooLarge,
    ToolFailure,
    UnknownNameError,
    UnreviewedCodeError,
    WorkerCrash,
    WorkerOutOfMemory,
    WorkerTimeout,
)
from envscaler_gym.isolation import failures
from envscaler_gym.manifest import Manifest
from envscaler_gym.scenario import Scenario, SolutionCall, StartState
from envscaler_gym.spaces import ActionSpace, TextSpace
from envscaler_gym.suite import SuiteEnv
from envscaler_gym.tools import Toolset
from envscaler_gym.types import Action, Message, ToolCall, ToolKind, ToolResult, ToolSpec
from envscaler_gym.vector import ToolVectorEnv

__version__ = "0.1.0"

__all__ = [
    "Action",
    "ActionSpace",
    "Bundle",
    "BundleError",
    "Check",
    "CheckResult",
    "EnvScalerError",
    "EnvSnapshot",
    "EnvironmentFailure",
    "Episode",
    "GradingFailure",
    "IsolationUnavailable",
    "LoadFailure",
    "Manifest",
    "Message",
    "ProtocolViolation",
    "ReplyTooLarge",
    "Scenario",
    "ScenarioError",
    "Score",
    "SolutionCall",
    "StartState",
    "StateTooLarge",
    "SuiteEnv",
    "TextSpace",
    "ToolCall",
    "ToolEnv",
    "ToolFailure",
    "ToolKind",
    "ToolResult",
    "ToolSpec",
    "ToolVectorEnv",
    "Toolset",
    "UnknownNameError",
    "UnreviewedCodeError",
    "WorkerCrash",
    "WorkerOutOfMemory",
    "WorkerTimeout",
    "failures",
    "load_bundle",
    "registry",
]

registry.register_all()
