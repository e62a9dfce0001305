"""Scenarios put together from what was written: the task, its checks, and the calls that solve it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from envscaler_gym.checks import Check
from envscaler_gym.scenario import Scenario, SolutionCall
from envscaler_gym.synthesis.scenarios.artefacts import SettledState, Task
from envscaler_gym.synthesis.scenarios.values import scalars, stands_in

__all__ = ["collateral_guards", "scenario_of"]

_STEPS = 30
"""Fewest actions that an episode is given."""

_UNTOUCHED = """\
def check_func(final_state):
    may_change = {may_change}
    for table, records in initial_state.items():
        now = final_state.get(table)
        if not isinstance(records, dict):
            if table not in may_change and now != records:
                return False
        elif not isinstance(now, dict):
            return False
        elif any(key not in may_change.get(table, []) and now.get(key) != row for key, row in records.items()):
            return False
    return True
"""
_NO_MORE = """\
def check_func(final_state):
    most = {most}
    for table, records in initial_state.items():
        now = final_state.get(table)
        if isinstance(records, dict) and isinstance(now, dict):
            if len([key for key in now if key not in records]) > most.get(table, 0):
                return False
    return True
"""


def scenario_of(
    settled: SettledState,
    task: Task,
    checks: Sequence[Check],
    solution: Sequence[SolutionCall] = (),
    guards: Sequence[Check] = (),
) -> Scenario:
    """Return the scenario of a task, as far as it is known.

    The requests of a conversation are kept only where they say every value of the solution that the task says.
    """
    wanted = [value for call in solution for value in scalars(call.arguments) if stands_in(value, task.task)]
    requests = " ".join(task.requests)
    return Scenario(
        id=task.id,
        start_state=settled.start.id,
        task=task.task,
        requests=task.requests if all(stands_in(value, requests) for value in wanted) else (),
        facts=dict(task.facts),
        checks=tuple(checks),
        guards=tuple(guards),
        solution=tuple(solution),
        split=settled.split,
        clock=settled.clock,
        max_steps=max(_STEPS, 2 * len(solution) + 10),
    )


def collateral_guards(initial_state: Mapping[str, Any], final_state: Mapping[str, Any]) -> tuple[Check, ...]:
    """Return guards for what a solution leaves alone: the records it does not touch, and how many it makes.

    Args:
        initial_state: State before the solution.
        final_state: State after it.
    """
    may_change: dict[str, list[str]] = {}
    most: dict[str, int] = {}
    for table, before in initial_state.items():
        after = final_state.get(table)
        if not (isinstance(before, dict) and isinstance(after, dict)):
            if before != after:
                may_change[table] = []
            continue
        touched = [key for key in before if before[key] != after.get(key)]
        made = sum(key not in before for key in after)
        may_change |= {table: touched} if touched else {}
        most |= {table: made} if made else {}
    return (
        Check(
            text="Is every record that the task does not touch unchanged?",
            source=_UNTOUCHED.format(may_change=repr(may_change)),
        ),
        Check(text="Are there no more new records than the task asks for?", source=_NO_MORE.format(most=repr(most))),
    )
