"""Scenarios for an environment: start states, tasks, checks, reference solutions.

Two sources: tasks that a model writes and a solver agent solves in the real world (EnvScaler's ScenGenerator, arXiv
2601.05808), and chains of tools that are executed first and put into words afterwards (ScaleEnv, arXiv 2602.06820).

::

    start_states  typed states, written and mended       state_problems  what is wrong with one
    tasks         what somebody asks for                 checks          how it is seen to be done
    solver        tries it                               solutions       what of that is needed
    proof         the gates, and back to the checks      written         the scenario put together
    grown         chains from the tool graph             generation      all of it, for one environment
"""

from envscaler_gym.synthesis.scenarios.artefacts import GeneratedScenarios, Rejection
from envscaler_gym.synthesis.scenarios.generation import generate_scenarios

__all__ = ["GeneratedScenarios", "Rejection", "generate_scenarios"]
