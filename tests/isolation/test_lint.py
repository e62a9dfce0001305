"""The lint: what it finds, what it leaves alone, and that it never raises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envscaler_gym.bundle import Bundle, load_bundle
from envscaler_gym.checks import Check
from envscaler_gym.isolation.lint import MAX_SOURCE, Finding, lint, lint_bundle
from envscaler_gym.manifest import Manifest, Provenance, ToolEntry
from envscaler_gym.scenario import Scenario, StartState

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT.parent / "shared" / "data" / "envscaler_sample"


def rules(source: str) -> list[tuple[int, str]]:
    return [(finding.line, finding.rule) for finding in lint(source)]


FOUND = {
    "not Python": ("def f(:\n", [(1, "syntax")]),
    "null byte": ("x = '\0'\n", [(1, "syntax")]),
    "lone surrogate": ("x = '\ud800'\n", [(1, "syntax")]),
    "deep nesting": ("x = " + "-" * 200_000 + "1\n", [(1, "syntax")]),
    "long sum": ("x = " + "1 + " * 50_000 + "1\n", [(1, "syntax")]),
    "too large": ("#" * (MAX_SOURCE + 1), [(1, "syntax")]),
    "os": ("import re\nimport os\n", [(2, "import")]),
    "submodule": ("import os.path as p\n", [(1, "import")]),
    "from subprocess": ("from subprocess import run\n", [(1, "import")]),
    "import in a method": ("def f():\n    import socket\n", [(2, "import")]),
    "relative": ("from . import x\nfrom ..json import z\n", [(1, "import"), (2, "import")]),
    "ctypes": ("import ctypes\n", [(1, "import")]),
    "types": ("from types import CodeType\n", [(1, "import")]),
    "module of a module": ("import uuid\ndef f():\n    return uuid.os.environ\n", [(3, "import")]),
    "module by from": ("from json import codecs\n", [(1, "import")]),
    "private of a module": ("import random\ndef f():\n    return random._os\n", [(3, "import")]),
    "private by from": ("from random import _os\n", [(1, "import")]),
    "module as a value": ("import uuid\ndef f(x):\n    m = uuid\n    return m\n", [(3, "import")]),
    "sys.modules": ("import sys\ndef f():\n    return sys.modules\n", [(3, "import")]),
    "from sys": ("from sys import maxsize, modules\n", [(1, "import")]),
    "subclasses": ("def f():\n    return ().__class__.__base__.__subclasses__()\n", [(2, "dunder"), (2, "dunder")]),
    "globals of a function": ("def f():\n    return f.__globals__\n", [(2, "dunder")]),
    "dict of another": ("def f(x):\n    return x.__dict__\n", [(2, "dunder")]),
    "builtins": ("def f():\n    return __builtins__\n", [(2, "dunder")]),
    "dunder as text": ("def f(x):\n    return getattr(x, '__code__')\n", [(2, "dunder")]),
    "dunder in a path": (
        "from operator import attrgetter\ndef f(x):\n    return attrgetter('a.__init__.__globals__')(x)\n",
        [(3, "dunder")],
    ),
    "eval": ("def f(x):\n    return eval(x)\n", [(2, "dynamic")]),
    "exec by another name": ("def f(x):\n    run = exec\n    run(x)\n", [(2, "dynamic")]),
    "compile": ("def f(x):\n    return compile(x, '', 'exec')\n", [(2, "dynamic")]),
    "__import__": ("def f(x):\n    return __import__(x)\n", [(2, "dynamic")]),
    "getattr": ("def f(x, y):\n    return getattr(x, y)\n", [(2, "dynamic")]),
    "getattr, joined": ("def f(x):\n    return getattr(x, '__glo' + 'bals__')\n", [(2, "dynamic")]),
    "getattr as a value": ("def f(x):\n    return map(getattr, x)\n", [(2, "dynamic")]),
    "setattr": ("def f(x, y):\n    setattr(x, y, 1)\n", [(2, "dynamic")]),
    "globals": ("def f():\n    return globals()\n", [(2, "dynamic")]),
    "locals": ("def f():\n    return locals()\n", [(2, "dynamic")]),
    "vars of another": ("def f(x):\n    return vars(x)\n", [(2, "dynamic")]),
    "bare dir": ("def f():\n    return dir()\n", [(2, "dynamic")]),
    "computed attrgetter": ("import operator\ndef f(x, y):\n    return operator.attrgetter(y)(x)\n", [(3, "dynamic")]),
    "open": ("def f(x):\n    return open(x)\n", [(2, "io")]),
    "print": ("def f(x):\n    print(x)\n", [(2, "io")]),
    "input": ("def f():\n    return input()\n", [(2, "io")]),
    "breakpoint": ("def f():\n    breakpoint()\n", [(2, "io")]),
    "a method's name does not hide a builtin": (
        "class A:\n    def open(self):\n        return open('x')\n",
        [(3, "io")],
    ),
    "another function's name does not hide a builtin": (
        "def f(open):\n    return open\ndef g():\n    return open('x')\n",
        [(4, "io")],
    ),
    "generator frame": ("def f(g):\n    return g.gi_frame.f_back\n", [(2, "frames"), (2, "frames")]),
    "traceback": ("def f(e):\n    return e.tb_frame.f_globals\n", [(2, "frames"), (2, "frames")]),
    "coroutine frame": ("def f(c):\n    return c.cr_frame\n", [(2, "frames")]),
    "frame as text": ("def f(g):\n    return getattr(g, 'gi_frame')\n", [(2, "frames")]),
    "format": ("def f(x):\n    return '{0.name}'.format(x)\n", [(2, "format")]),
    "format_map": ("def f(x):\n    return '{a.b}'.format_map(x)\n", [(2, "format")]),
    "format, not at the literal": ("T = '{x.__init__}'\n", [(1, "format")]),
    "call at load": ("def f():\n    pass\nf()\n", [(3, "load-code")]),
    "loop at load": ("for i in range(3):\n    x = i\n", [(1, "load-code")]),
    "while at load": ("while True:\n    pass\n", [(1, "load-code")]),
    "with at load": ("with x:\n    pass\n", [(1, "load-code")]),
    "patch at load": ("import json\njson.dumps = str\n", [(2, "load-code"), (2, "shared")]),
    "own function at load": ("def f():\n    return 1\nX = f()\n", [(3, "load-code")]),
    "lambda at load": ("X = (lambda: 1)()\n", [(1, "load-code")]),
    "call in a class body": ("class A:\n    len([])\n", [(2, "load-code")]),
    "loop in a try": ("try:\n    while True:\n        pass\nexcept ValueError:\n    pass\n", [(2, "load-code")]),
    "class attribute": (
        "class A:\n    rows = {}\n    def add(self, k):\n        self.rows[k] = 1\n",
        [(4, "shared")],
    ),
    "class attribute, nested": (
        "class A:\n    rows: dict = {}\n    def add(self, k):\n        self.rows['a']['b'].append(k)\n",
        [(4, "shared")],
    ),
    "class attribute, augmented": (
        "class A:\n    log = []\n    def f(self):\n        self.log += [1]\n",
        [(4, "shared")],
    ),
    "class attribute, deleted": (
        "class A:\n    d = dict()\n    def f(self):\n        del self.d[1]\n",
        [(4, "shared")],
    ),
    "counter on the class": ("class A:\n    n = 0\n    def f(self):\n        A.n += 1\n", [(4, "shared")]),
    "counter on type(self)": ("class A:\n    n = 0\n    def f(self):\n        type(self).n = 1\n", [(4, "shared")]),
    "counter on __class__": ("class A:\n    def f(self):\n        self.__class__.n = 1\n", [(3, "shared")]),
    "class method": ("class A:\n    n = 0\n    @classmethod\n    def f(cls):\n        cls.n += 1\n", [(5, "shared")]),
    "global container": ("CACHE = {}\ndef f(k):\n    CACHE[k] = 1\n", [(3, "shared")]),
    "global list": ("from collections import deque\nLOG = deque()\ndef f(k):\n    LOG.append(k)\n", [(4, "shared")]),
    "global name": ("N = 0\ndef f():\n    global N\n    N = N + 1\n", [(2, "shared")]),
    "default": ("def f(k, seen=[]):\n    seen.append(k)\n", [(2, "shared")]),
    "keyword default": ("def f(k, *, seen={}):\n    seen[k] = 1\n", [(2, "shared")]),
    "module attribute": ("import json\ndef f():\n    json.dumps = None\n", [(3, "shared")]),
}


@pytest.mark.parametrize("name", FOUND)
def test_finds(name: str) -> None:
    source, expected = FOUND[name]
    assert rules(source) == expected


LEFT_ALONE = {
    "empty": "",
    "invalid escapes": "import re\nP = re.compile('\\d+')\n",
    "typing": (
        "from __future__ import annotations\nfrom typing import TypedDict\n"
        "class R(TypedDict, total=False):\n    a: int\n"
    ),
    "class and module of one name": "import datetime\nfrom datetime import datetime\nX = datetime\n",
    "class of a module": "import datetime\ndef f():\n    return datetime.time(1), datetime.datetime.now()\n",
    "submodules": (
        "import collections\nimport collections.abc\ndef f(x):\n    return isinstance(x, collections.abc.Mapping)\n"
    ),
    "constants of sys": "import sys\ndef f():\n    return sys.maxsize\n",
    "harmless dunders": (
        "class A:\n    def __init__(self):\n        super().__init__()\n    def n(self):\n"
        "        return self.__class__.__name__\n"
    ),
    "own dict": "class A:\n    def f(self):\n        return dict(self.__dict__), vars(self)\n",
    "named getattr": "def f(x):\n    return getattr(x, 'name', None), hasattr(x, 'y')\n",
    "re.compile": "import re\nP = re.compile('a+')\n",
    "own names of builtins": "def f(input, vars):\n    dir = input\n    return dir, vars\n",
    "methods of builtins' names": "class A:\n    def open(self, x):\n        return self.open(x)\n",
    "format": "def f(x):\n    return '{} {:.2f} {name}'.format(1, 2.5, name=x)\n",
    "braces": "def f(x):\n    return '{'.format(x)\n",
    "definitions at load": (
        "A = frozenset({1})\nB: int = 3\nC, D = 1, 2\nE = [x for x in range(3)]\nF = 'a b'.split()\n"
        "from decimal import Decimal\nG = Decimal('1')\n"
    ),
    "main": "def f():\n    pass\nif __name__ == '__main__':\n    f()\n",
    "type checking": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from decimal import Decimal\n",
    "fallback import": (
        "try:\n    from typing import NotRequired\nexcept ImportError:\n    from typing_extensions import NotRequired\n"
    ),
    "endless loop in a method": "def f():\n    while True:\n        pass\n",
    "class constants": "class A:\n    KINDS = ['a', 'b']\n    def f(self, x):\n        return x in self.KINDS\n",
    "own copy of a class attribute": (
        "class A:\n    rows = {}\n    def __init__(self):\n        self.rows = {}\n    def f(self):\n"
        "        self.rows[1] = 2\n"
    ),
    "local of a global's name": "ROWS = {}\ndef f():\n    ROWS = {}\n    ROWS[1] = 2\n    return ROWS\n",
    "default that is replaced": "def f(x=[]):\n    x = list(x)\n    x.append(1)\n    return x\n",
    "instance state": (
        "class A:\n    def __init__(self):\n        self.rows = {}\n    def f(self, k):\n"
        "        self.rows[k] = 1\n        self.n = 2\n"
    ),
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_leaves_alone(name: str) -> None:
    assert lint(LEFT_ALONE[name]) == ()


def test_findings_are_sorted_frozen_and_readable() -> None:
    findings = lint("import os\ndef f():\n    import socket\n    return eval('1')\n")
    assert [finding.line for finding in findings] == [1, 3, 4]
    assert str(findings[0]) == "1: import: imports os, which is not on the list of pure modules"
    assert str(Finding(3, "io", "uses open", "environment.py")) == "environment.py:3: io: uses open"
    with pytest.raises(AttributeError):
        findings[0].line = 2  # type: ignore[misc]  # that it is refused is the point


def test_a_source_is_read_once() -> None:
    source = "import os  # once\n"
    before = lint.cache_info().misses
    assert lint(source) is lint(source)
    assert lint.cache_info().misses == before + 1


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200).map(lambda data: data.decode("latin-1"))))
def test_never_raises(source: str) -> None:
    assert all(finding.line >= 1 for finding in lint(source))


# fmt: off
_TOKENS = st.sampled_from([
    "def", "class", "f", "(", ")", ":", "_", "[", "]", "{", "}", ".", ",", "=", "x", "import", "from", "'", "1", "+",
    "lambda", "if", "for", "in", "with", "try", "match", "case", "async", "global", "*", "@", "\n", "\n ", "\n  ",
])
# fmt: on


@settings(max_examples=300, deadline=None)
@given(st.lists(_TOKENS, max_size=40))
def test_never_raises_on_pieces_of_python(tokens: list[str]) -> None:
    assert isinstance(lint(" ".join(tokens)), tuple)


SHIPPED = [path.parent for path in sorted((ROOT / "synthesized_envs").glob("*/manifest.json"))]


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_shipped_environments_have_no_findings(folder: Path) -> None:
    assert [str(finding) for finding in lint_bundle(load_bundle(folder))] == []


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the published sample is not beside the repository")
def test_the_published_sample_has_no_findings() -> None:
    environments = json.loads((SAMPLE / "env_metadata.json").read_bytes())
    scenarios = json.loads((SAMPLE / "rl_scenario_metadata.json").read_bytes())
    sources = [environment["env_class_code"] for environment in environments.values()]
    sources += [check["check_func"] for scenario in scenarios for check in scenario["checklist_with_func"]]
    assert len(sources) > 400
    assert [str(finding) for source in sources for finding in lint(source)] == []


def test_a_bundle_is_read_whole() -> None:
    bad, good = "import os\n", "def check_func(final_state):\n    return True\n"
    manifest = Manifest(
        id="test/Toy-v0",
        class_name="Toy",
        tools=(ToolEntry(name="f", kind="query"),),
        provenance=Provenance(method="handwritten"),
    )
    check, wrong = Check(text="?", source=good), Check(text="?", source=bad)
    scenario = Scenario(id="s", start_state="a", task="t", checks=(check, wrong), guards=(wrong,))
    start = {"a": StartState(id="a", state={})}
    bundle = Bundle(manifest, bad, bad, start, {"s": scenario})
    assert [finding.where for finding in lint_bundle(bundle)] == [
        "environment.py",
        "invariants.py",
        "scenarios.jsonl, 's', check 2",
        "scenarios.jsonl, 's', guard 1",
    ]
    assert {finding.rule for finding in lint_bundle(bundle)} == {"import"}
