"""What verifiers looks for in a package: one taskset, its harness and its environment."""

from envscaler_gym.integrations.verifiers import EpisodeEnv, EpisodeHarness, EpisodeTaskset

__all__ = ["EpisodeEnv", "EpisodeHarness", "EpisodeTaskset"]
