"""Counters in source: the code does what it did, and the counters say what ran."""

from __future__ import annotations

import ast
import builtins
from typing import Any

import pytest

from envscaler_gym.errors import LoadFailure
from envscaler_gym.isolation.instrument import Counters, compile_instrumented, instrument

SOURCE = '''\
"""A module."""
from __future__ import annotations
import datetime
import math


class Toy:
    """A class."""

    def run(self, x):
        """Say what x is."""
        found = []
        for n in range(3):
            if n == x:
                continue
            elif n > x:
                break
            found.append("low" if n < 1 else "high")
        else:
            found.append("done")
        while x > 10:
            x -= 10
        try:
            found.append(10 // x)
        except ZeroDivisionError as error:
            found.append(str(error))
        except (TypeError, KeyError):
            raise
        else:
            found.append("fine")
        finally:
            found.append("end")
        with open_nothing() as nothing:
            found.append(nothing)
        match x:
            case 1:
                return [*found, "one"]
            case int() if x > 5:
                return found + ["big"]
        def inner(y):
            return y and y + 1
        return [*found, *map(inner, [0, 1]), *(a for a in "ab" if a != "b"), *numbers(2)]

    def broken(self):
        try:
            return math.no_such_name(
                1,
            )
        except AttributeError:
            return None

    def of_class(self):
        try:
            when = datetime.datetime.nowhere()
        except Exception:
            when = None
        return when

    def of_value(self, value):
        try:
            return value.upper()
        except AttributeError:
            return None

    def fails(self):
        return self.broken() or [][0]


class open_nothing:
    def __enter__(self):
        return None

    def __exit__(self, *error):
        return False


def numbers(n):
    for i in range(n):
        yield i
    return
'''


def plain() -> Any:
    namespace: dict[str, Any] = {}
    exec(compile(SOURCE, "<plain>", "exec", dont_inherit=True), namespace)
    return namespace["Toy"]()


def counting() -> tuple[Any, Counters]:
    counters = Counters(instrument(ast.parse(SOURCE)).counters, "Toy")
    namespace: dict[str, Any] = {"__builtins__": {**vars(builtins), **counters.builtins()}, "__name__": "toy"}
    exec(compile_instrumented(SOURCE, "Toy"), namespace)
    return namespace["Toy"](), counters


def taken(counters: Counters, function: str) -> dict[tuple[str, str], int]:
    lines = SOURCE.splitlines()
    arms = instrument(ast.parse(SOURCE)).arms
    return {
        (lines[arm.line - 1].strip(), arm.what): counters.counts[arm.counter]
        for arm in arms
        if arm.function == function
    }


@pytest.mark.parametrize("x", [-1, 0, 1, 2, 3, 7, 25, 5])
def test_the_code_does_what_it_did(x: int) -> None:
    assert counting()[0].run(x) == plain().run(x)


def test_docstrings_and_names_stay() -> None:
    toy, _ = counting()
    assert (toy.__doc__, toy.run.__doc__) == ("A class.", "Say what x is.")
    assert toy.run.__code__.co_varnames[:2] == ("self", "x")


def test_every_way_on_is_counted() -> None:
    toy, counters = counting()
    toy.run(25)
    toy.run(0)
    assert taken(counters, "Toy.run") == {
        ("def run(self, x):", "entered"): 2,
        ("for n in range(3):", "body"): 5,
        ("for n in range(3):", "end"): 1,
        ("if n == x:", "true"): 1,
        ("if n == x:", "false"): 4,
        ("elif n > x:", "true"): 1,
        ("elif n > x:", "false"): 3,
        ('found.append("low" if n < 1 else "high")', "true"): 1,
        ('found.append("low" if n < 1 else "high")', "false"): 2,
        ("while x > 10:", "body"): 2,
        ("while x > 10:", "end"): 2,
        ("except ZeroDivisionError as error:", "except"): 1,
        ("except (TypeError, KeyError):", "except"): 0,
        ("case 1:", "case"): 0,
        ("case int() if x > 5:", "case"): 0,
        ("match x:", "no case"): 2,
    }
    assert taken(counters, "Toy.run.inner")["def inner(y):", "entered"] == 4
    assert taken(counters, "numbers")["for i in range(n):", "body"] == 4


def incomplete(counters: Counters) -> list[int]:
    return [
        statement.line
        for statement in instrument(ast.parse(SOURCE)).statements
        if counters.counts[statement.entered] and not any(counters.counts[counter] for counter in statement.completed)
    ]


def test_statements_that_never_complete_are_seen() -> None:
    toy, counters = counting()
    for x in (0, 1, 7, 25):
        toy.run(x)
    assert incomplete(counters) == []
    toy.broken()
    line = SOURCE.splitlines().index("            return math.no_such_name(") + 1
    assert incomplete(counters) == [line]
    (statement,) = [s for s in instrument(ast.parse(SOURCE)).statements if s.line == line]
    assert (statement.function, statement.last) == ("Toy.broken", line + 2)


def test_swallowed_exceptions_are_kept_by_line() -> None:
    toy, counters = counting()
    for _ in range(3):
        toy.broken()
    toy.of_class()
    toy.of_value(3)
    toy.run(0)
    caught = {swallowed.line: swallowed for swallowed in counters.caught()}
    lines = [line.strip() for line in SOURCE.splitlines()]
    module = caught[lines.index("return math.no_such_name(") + 1]
    assert (module.times, module.kind, module.of, module.same) == (3, "AttributeError", "module", True)
    assert caught[lines.index("when = datetime.datetime.nowhere()") + 1].of == "class"
    assert caught[lines.index("return value.upper()") + 1].of == "value"
    assert caught[lines.index("found.append(10 // x)") + 1].of == ""


def test_lines_of_exceptions_are_those_of_the_source() -> None:
    toy, counters = counting()
    with pytest.raises(IndexError) as caught:
        toy.fails()
    assert counters.line_of(caught.value) == SOURCE.splitlines().index("        return self.broken() or [][0]") + 1
    assert counters.line_of(ValueError("from nowhere")) == 0


def test_what_cannot_be_compiled_is_a_load_failure() -> None:
    with pytest.raises(LoadFailure, match="cannot be compiled"):
        compile_instrumented("def f(:", "Toy")
