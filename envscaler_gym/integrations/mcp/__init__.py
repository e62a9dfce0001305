"""Environments as an MCP server: each session of a client is an episode of its own.

The tools are the environment's, as their schemas say, with two more: :data:`TASK` tells the task, and
:data:`~envscaler_gym.integrations.sessions.FINISH` ends the episode and has it graded. All that a client sees of the
grading is the reward.

A session is a process on standard input and output; a session of the protocol over HTTP; or, since newer revisions of
the protocol have no sessions, what the address names: ``http://127.0.0.1:8000/mcp?session=NAME``. The address can
choose, too: ``?scenario=ID``, ``difficulty``, ``environment`` (in a suite) and ``seed``.
"""

from envscaler_gym.integrations.mcp.server import TASK, EpisodeServer

__all__ = ["TASK", "EpisodeServer"]
