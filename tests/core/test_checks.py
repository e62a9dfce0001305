"""Checks: the published protocol to the letter, and no check that can disturb another."""

from __future__ import annotations

import random
from typing import Any

import pytest

from envscaler_gym.ambient import Ambient
from envscaler_gym.checks import Check, CheckResult, Score, run_checks
from tests.toys import check

INITIAL = {"items": {"a": {"n": 1}}}
FINAL = {"items": {"a": {"n": 2}}}


def results(*checks: Check, initial: Any = INITIAL, final: Any = FINAL) -> list[CheckResult]:
    return list(run_checks(checks, initial, final, Ambient("2024-02-29T10:00:00", "s")))


def result(source: str) -> CheckResult:
    return results(Check(text="?", source=source))[0]


@pytest.mark.parametrize(
    ("body", "passed", "error"),
    [
        ("return True", True, None),
        ("return False", False, None),
        ("return 1", False, "returned 1, which is not a bool"),
        ("return 'True'", False, "returned 'True', which is not a bool"),
        ("return None", False, "returned None, which is not a bool"),
        ("pass", False, "returned None, which is not a bool"),
        (
            "return (item for item in [True])",
            False,
            "returned <generator object check_func.<locals>.<genexpr>>, which is not a bool",
        ),
        ("class Yes(int):\n    pass\nreturn Yes(1)", False, "returned 1, which is not a bool"),
        ("return [][1]", False, "IndexError: list index out of range"),
        ("return final_state['x']", False, "KeyError: 'x'"),
        ("raise SystemExit(0)", False, "SystemExit: 0"),
        ("import sys\nsys.exit('bye')", False, "SystemExit: bye"),
        ("return check_func(final_state)", False, "RecursionError: maximum recursion depth exceeded"),
        ("return final_state['items']['a']['n'] == initial_state['items']['a']['n'] + 1", True, None),
        ("yield True", False, "returned <generator object check_func>, which is not a bool"),
    ],
)
def test_only_exactly_true_has_passed(body: str, passed: bool, error: str | None) -> None:
    assert results(check(body, "?")) == [CheckResult("?", passed, error)]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("x = 1", "the source defines no function check_func(final_state)"),
        ("check_func = True", "the source defines no function check_func(final_state)"),
        ("def check_func(final_state) return True", "SyntaxError"),
        ("def check_func():\n    return True", "TypeError"),
        ("raise ValueError('at import')", "ValueError: at import"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("def check_func(s):\n  return '\\0' == s\x00", "null bytes"),
        ("(" * 500 + ")" * 500, ""),
    ],
)
def test_a_source_without_an_answer_has_not_passed_and_says_why(source: str, error: str) -> None:
    answer = result(source)
    assert not answer.passed
    assert error in (answer.error or "")
    assert len(answer.error or "") <= 2000


def test_an_exception_without_a_text_is_told_too() -> None:
    source = "class Mute(Exception):\n    def __str__(self): raise Mute\ndef check_func(s): raise Mute"
    assert result(source).error == "Mute: <whose str raised Mute>"


def test_checks_use_the_standard_library_and_the_module_scope() -> None:
    source = "import re, math, collections, copy\nfrom datetime import datetime\nLIMIT = 2\n"
    source += "def helper(s): return s['items']['a']['n']\n"
    source += "def check_func(final_state): return helper(final_state) == LIMIT and bool(re.match('a', 'a'))"
    assert result(source) == CheckResult("?", True)


def test_what_one_check_writes_no_other_sees() -> None:
    spoil = "final_state['items'].clear(); initial_state['items'].clear(); final_state['new'] = initial_state"
    spoiler = check(f"{spoil}\nreturn True", "spoils")
    judge = check("return final_state['items']['a']['n'] == 2 and initial_state['items']['a']['n'] == 1", "judges")
    for order in ((spoiler, judge), (judge, spoiler), (spoiler, judge, spoiler, judge)):
        assert all(answer.passed for answer in results(*order))
    assert INITIAL == {"items": {"a": {"n": 1}}}
    assert FINAL == {"items": {"a": {"n": 2}}}


def test_a_check_does_not_see_what_itself_wrote_in_a_first_run() -> None:
    once = check("final_state['seen'] = final_state.get('seen', 0) + 1\nreturn final_state['seen'] == 1")
    assert all(answer.passed for answer in results(once, once))


def test_globals_of_a_check_are_its_own() -> None:
    source = "import builtins\ninitial_state['mark'] = 1\ndef check_func(s):\n    global N\n    N = 1\n    return True"
    reads = "def check_func(s):\n    return 'N' not in globals() and 'mark' not in initial_state"
    assert [r.passed for r in results(Check(text="", source=source), Check(text="", source=reads))] == [True, True]


def test_checks_read_the_episode_s_clock_and_randomness() -> None:
    now = check("from datetime import datetime\nreturn str(datetime.now()) == '2024-02-29 10:00:00.000001'")
    drawn = check("import random\nreturn random.random() == %r" % random.Random("s").random())  # noqa: UP031 - braces
    assert [answer.passed for answer in results(now, now, drawn, drawn, now)] == [True] * 5


def test_the_clock_is_left_as_it_was() -> None:
    ambient = Ambient("2024-02-29T10:00:00", "s")
    before = ambient.snapshot()
    reader = check("import random, time\nreturn bool(time.time() and random.random())")
    assert all(answer.passed for answer in run_checks((reader,), INITIAL, FINAL, ambient))
    assert ambient.snapshot() == before


def test_no_checks_have_no_results() -> None:
    assert results() == []


def test_states_that_are_no_json_are_checked_too() -> None:
    odd = {"s": {1, "a"}, "t": (1,), "n": float("nan"), 3: None}
    same = check("return final_state['s'] == {1, 'a'} and final_state['t'] == (1,) and final_state[3] is None")
    assert results(same, initial=odd, final=odd)[0].passed


def test_a_score_is_fresh_data() -> None:
    score = Score(0.5, (CheckResult("a", True), CheckResult("b", False, "why", False)), (CheckResult("g", True),))
    expected = {
        "reward": 0.5,
        "passed": 1,
        "total": 2,
        "checks": [
            {"text": "a", "passed": True, "error": None, "counted": True},
            {"text": "b", "passed": False, "error": "why", "counted": False},
        ],
        "guards": [{"text": "g", "passed": True, "error": None, "counted": True}],
    }
    assert score.to_dict() == expected
    score.to_dict()["checks"].clear()
    assert score.to_dict() == expected
