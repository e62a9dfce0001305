"""Scenarios grown from the tool dependency graph: executed, checked, and asked for in words without a model."""

from envscaler_gym.synthesis.growth.chain import Goal, Measure, Step, VerifiedChain
from envscaler_gym.synthesis.growth.facts import missing_facts
from envscaler_gym.synthesis.growth.growing import GrowthReport, Rejection, grow
from envscaler_gym.synthesis.growth.rewriting import WriteTask, rewrite_tasks

__all__ = [
    "Goal",
    "GrowthReport",
    "Measure",
    "Rejection",
    "Step",
    "VerifiedChain",
    "WriteTask",
    "grow",
    "missing_facts",
    "rewrite_tasks",
]
