"""Rollouts: policies, and what comes of letting them act."""

from envscaler_gym.rollout.eval_summary import EvalRow, summarize_eval, write_parquet
from envscaler_gym.rollout.evaluation import EvalConfig, EvalFolder, EvalTask, evaluate, plan_eval
from envscaler_gym.rollout.metrics import Estimate, mean_with_interval, pass_at_k, pass_hat_k
from envscaler_gym.rollout.players import ChatPlayer, EvalEpisode, Player, PolicyPlayer, Verdict
from envscaler_gym.rollout.policies import (
    POLICIES,
    HumanPolicy,
    NoopPolicy,
    Policy,
    RandomPolicy,
    ReferencePolicy,
    ScriptedPolicy,
    make_policy,
)
from envscaler_gym.rollout.ray_engine import evaluate_on_ray
from envscaler_gym.rollout.results import EpisodeResult, Summary, summarize
from envscaler_gym.rollout.runner import PlannedEpisode, plan_episodes, run_episode, run_policy

__all__ = [
    "POLICIES",
    "ChatPlayer",
    "EpisodeResult",
    "Estimate",
    "EvalConfig",
    "EvalEpisode",
    "EvalFolder",
    "EvalRow",
    "EvalTask",
    "HumanPolicy",
    "NoopPolicy",
    "PlannedEpisode",
    "Player",
    "Policy",
    "PolicyPlayer",
    "RandomPolicy",
    "ReferencePolicy",
    "ScriptedPolicy",
    "Summary",
    "Verdict",
    "evaluate",
    "evaluate_on_ray",
    "make_policy",
    "mean_with_interval",
    "pass_at_k",
    "pass_hat_k",
    "plan_episodes",
    "plan_eval",
    "run_episode",
    "run_policy",
    "summarize",
    "summarize_eval",
    "write_parquet",
]
