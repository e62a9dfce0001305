"""Putting tasks in other words, such as a model's, without losing what the outcome depends on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

from envscaler_gym.synthesis.growth.chain import VerifiedChain
from envscaler_gym.synthesis.growth.facts import missing_facts
from envscaler_gym.synthesis.growth.growing import GrowthReport

__all__ = ["WriteTask", "rewrite_tasks"]

WriteTask: TypeAlias = Callable[[VerifiedChain], str | Awaitable[str]]
"""Writes the task of a verified chain; :attr:`VerifiedChain.clauses` and ``facts`` say what has to be in it."""


async def rewrite_tasks(report: GrowthReport, write_task: WriteTask) -> GrowthReport:
    """Return a report with every task in other words.

    A text that lacks a fact is not taken: the scenario keeps the words that it has.

    Args:
        report: The report.
        write_task: Writes the task of one chain.
    """
    chains = {}
    for name, chain in report.chains.items():
        written = write_task(chain)
        text = written if isinstance(written, str) else await written
        kept = not text.strip() or missing_facts(chain, text)
        scenario = chain.scenario if kept else chain.scenario.model_copy(update={"task": text.strip()})
        chains[name] = replace(chain, scenario=scenario)
    return replace(report, chains=chains)
