"""Sets in replies are sorted wherever generated code makes them, since their order depends on the hash seed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from envscaler_gym.world import makes_sets

SOURCES = {
    "{1, 2}": True,
    "{x for x in y}": True,
    "set(y)": True,
    "frozenset()": True,
    "map(set, y)": True,
    "a.keys() & b.keys()": True,
    "a.keys() - {}": True,
    "b | a.items()": True,
    "x = a.keys()": True,
    "(x := a.keys())": True,
    "{1: 2}": False,
    "[x for x in a.keys()]": False,
    "sorted(a.keys())": False,
    "for key, value in a.items(): pass": False,
    "a - b": False,
    r"'\d'": False,
}


@pytest.mark.parametrize("source", SOURCES)
def test_code_that_makes_sets_is_recognised(source: str) -> None:
    assert makes_sets(source) == SOURCES[source]


PROGRAM = """
from envscaler_gym.ambient import Ambient
from envscaler_gym.world import InProcessWorld, Program
source = '''
class Shop:
    def __init__(self):
        self.words = {}
    def common(self):
        return {"success": True, "data": self.words.keys() & {word: 1 for word in self.words}}
    def unique(self):
        return {"data": {"b", "a", "word", "other"}}
'''
for text in (source, source.replace('{"b", "a", "word", "other"}', '[]')):
    world = InProcessWorld(Program.of(text, "Shop", ("common", "unique")))
    world.load({"words": dict.fromkeys("one two three four five six".split())}, Ambient("2025-01-01", "seed"))
    print(world.call("common", {}).text, world.call("unique", {}).text)
"""


def test_replies_do_not_depend_on_the_hash_seed(run_python: Callable[..., str]) -> None:
    common = '{"success":true,"data":["five","four","one","six","three","two"]}'
    expected = f'{common} {{"data":["a","b","other","word"]}}\n{common} {{"data":[]}}\n'
    assert [run_python(PROGRAM, PYTHONHASHSEED=seed) for seed in "123"] == [expected] * 3
