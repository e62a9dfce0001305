"""The demo: a whole run of synthesis without a model, over completions that come with the library.

``completions.jsonl`` holds every request of one run and its answer, ``run.json`` what it was asked for. The answers
were given offline, through the run's batch file. The environment, a telescope's queue, is none of the shipped ones.
"""

from envscaler_gym.synthesis.demo.demo import create_demo_run, run_demo

__all__ = ["create_demo_run", "run_demo"]
