"""Assessment: an environment proves itself, first to machines and then to two agents, before it gets scenarios.

::

    sample_state  the small state that it is tried on      execution   calls, and what they change
    gates         the machine's part                       rounds      the agents' part
    stage         all of it, with the verdict
"""

from envscaler_gym.synthesis.assessment.stage import Assessment, assess

__all__ = ["Assessment", "assess"]
