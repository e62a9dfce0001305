"""From a task in words to calls that an agent without language can choose from.

Nothing here looks at a scenario's checks or solution, and nothing knows a domain: the words of the task are compared
with the values of the state, records that refer to each other share what is found, and tools are called with that.
"""

from envscaler_gym.wrappers.grounding.candidates import Candidate, Grounding, candidate_of, generate
from envscaler_gym.wrappers.grounding.features import GLOBAL_FEATURES, SLOT_FEATURES, Progress, features
from envscaler_gym.wrappers.grounding.mentions import Mentions
from envscaler_gym.wrappers.grounding.menu import Menu, MenuMaker
from envscaler_gym.wrappers.grounding.words import Words

__all__ = [
    "GLOBAL_FEATURES",
    "SLOT_FEATURES",
    "Candidate",
    "Grounding",
    "Mentions",
    "Menu",
    "MenuMaker",
    "Progress",
    "Words",
    "candidate_of",
    "features",
    "generate",
]
