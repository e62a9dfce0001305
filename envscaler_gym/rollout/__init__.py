"""Rollouts: policies, and what comes of letting them act."""

from envscaler_gym.rollout.policies import POLICIES, NoopPolicy, Policy, RandomPolicy, ReferencePolicy, make_policy
from envscaler_gym.rollout.results import EpisodeResult, Summary, summarize
from envscaler_gym.rollout.runner import PlannedEpisode, plan_episodes, run_episode, run_policy

__all__ = [
    "POLICIES",
    "EpisodeResult",
    "NoopPolicy",
    "PlannedEpisode",
    "Policy",
    "RandomPolicy",
    "ReferencePolicy",
    "Summary",
    "make_policy",
    "plan_episodes",
    "run_episode",
    "run_policy",
    "summarize",
]
