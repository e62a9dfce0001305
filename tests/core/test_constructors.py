"""What a constructor is given: the whole start state wherever it may look at it."""

import pytest

from envscaler_gym.world import Program

START = {"items": {"a": {"n": 1}}, "day": 3}

LOOKS = {
    "stores it": "def __init__(self, config):\n        self.seen = config",
    "reads a part": "def __init__(self, config):\n        self.seen = {**config}",
    "takes any": "def __init__(self, *given):\n        self.seen = given[0]",
    "by closure": "def __init__(self, config):\n        self.seen = (lambda: config)()",
    "by locals": "def __init__(self, config):\n        self.seen = locals()['config']",
    "in new": (
        "def __new__(cls, config):\n        made = object.__new__(cls)\n        made.seen = config\n        return made"
    ),
}
IGNORES = {
    "deletes it": "def __init__(self, config):\n        del config\n        self.seen = None",
    "names it only": "def __init__(self, config):\n        self.seen = None",
    "takes nothing": "def __init__(self):\n        self.seen = None",
}


def build(constructor: str) -> object:
    source = f"class World:\n    {constructor}\n"
    program = Program.of(source, "World", ())
    instance = program.instance(START)
    assert instance.items == START["items"]
    assert instance.items is not START["items"]
    return instance.seen


@pytest.mark.parametrize("constructor", LOOKS.values(), ids=LOOKS)
def test_constructor_that_looks_sees_a_copy_of_the_start_state(constructor: str) -> None:
    seen = build(constructor)
    assert seen == START
    assert seen is not START


@pytest.mark.parametrize("constructor", IGNORES.values(), ids=IGNORES)
def test_constructor_that_looks_at_nothing_is_built_all_the_same(constructor: str) -> None:
    assert build(constructor) is None
