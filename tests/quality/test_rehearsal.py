"""Checks over many states at once, in this process and in workers."""

from __future__ import annotations

from typing import Any

import pytest

from envscaler_gym.ambient import Ambient
from envscaler_gym.checks import run_checks
from envscaler_gym.errors import WorkerTimeout
from envscaler_gym.isolation.grading import IsolatedChecks
from envscaler_gym.isolation.limits import Limits
from envscaler_gym.quality.scenarios.rehearsal import Rehearsal
from tests.quality import ferries
from tests.toys import check

CHECKS = (
    check('final_state["n"] += 1\nreturn final_state["n"] == 2'),
    check('return final_state["n"] == 1'),
    check('initial_state["n"] = 5\nreturn initial_state["n"] == 5'),
    check('return initial_state["n"] == 0'),
    check('return final_state["m"]'),
    check("import random\nreturn random.random() < 0.5"),
    check("import datetime\nreturn datetime.datetime.now().year == 2025"),
)


def test_many_states_are_answered_as_each_by_itself() -> None:
    finals: list[dict[str, Any]] = [{"n": 1}, {"n": 2, "m": True}, {"n": 1, "m": 3}]
    ambient = Ambient("2025-09-01T09:00:00", "seed")
    one_by_one = [run_checks(CHECKS, {"n": 0}, final, ambient) for final in finals]
    assert IsolatedChecks(Limits()).run_all(CHECKS, {"n": 0}, finals, ambient) == one_by_one
    assert [result.passed for result in one_by_one[1]][:5] == [False, False, True, True, True]
    assert IsolatedChecks(Limits()).run_all((), {}, finals, ambient) == [(), (), ()]
    assert IsolatedChecks(Limits()).run_all(CHECKS, {}, [], ambient) == []


def test_a_check_that_does_not_come_back() -> None:
    ambient = Ambient("2025-09-01T09:00:00", "seed")
    hanging = check('while final_state["n"]:\n    pass\nreturn True')
    with pytest.raises(WorkerTimeout, match="2 checks, the first of them 'Does it hold"):
        IsolatedChecks(Limits(check_seconds=0.2)).run_all((hanging, hanging), {}, [{"n": 0}, {"n": 1}], ambient)


def test_a_play_knows_what_each_call_made_of_the_state() -> None:
    with Rehearsal(ferries.bundle(), seed=0) as rehearsal:
        play = rehearsal.play(ferries.SCENARIO)
        part = rehearsal.play(ferries.SCENARIO, order=[2, 4])
        assert [score.reward for score in rehearsal.grade_all(ferries.SCENARIO, play, [play.final, part.final])] == [
            1.0,
            0.5,
        ]
        assert rehearsal.grade(ferries.SCENARIO, rehearsal.start(ferries.SCENARIO)).reward == 0.0
    assert [step.created for step in play.steps] == [(), (), (("tickets", "TKT-007"),), (), (), ()]
    assert play.before(2) == play.initial
    assert play.before(3)["ferries"]["F-PM"]["seats"] == 6
    assert "TKT-004" not in play.final["tickets"]
    assert [step.number for step in part.steps] == [2, 4]
    assert play.refused == ()
