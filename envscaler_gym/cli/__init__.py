"""The command line, one module per command. Nothing else of the library imports it."""

from envscaler_gym.cli.app import app, main

__all__ = ["app", "main"]
