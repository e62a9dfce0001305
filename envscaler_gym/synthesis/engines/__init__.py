"""Engines: where the pipelines of a run's environments work. Their results are equal."""

from envscaler_gym.synthesis.engines.engine import ENGINES, Engine, EngineName, open_engine

__all__ = ["ENGINES", "Engine", "EngineName", "open_engine"]
