"""The code of an environment.

::

    shell    what follows from the skeleton       parts    what models write, and how it is put together
    gate     what is looked at before it runs     stage    asks for the parts, and for better ones
"""

from envscaler_gym.synthesis.coding.stage import Draft, repair_draft, write_draft

__all__ = ["Draft", "repair_draft", "write_draft"]
