"""Probers: the same evidence in this process and in a worker, and what a hostile class can do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from envscaler_gym import errors
from envscaler_gym.bundle import Bundle
from envscaler_gym.isolation.probe_frames import Tried
from envscaler_gym.quality import probing
from envscaler_gym.quality.probing import Call, Evidence, Prober, counted, make_prober
from tests import toys

CLOCK = "2025-03-01T12:00:00"
CALLS: list[Call] = [
    ("get_tea", {"tea_id": "T-1"}),
    ("get_tea", {"tea_id": "T-9"}),
    ("order_tea", {"tea_id": "T-1", "grams": 10, "note": "gift"}),
    ("order_tea", {"tea_id": "T-2", "grams": 10**40}),
    ("set_tags", {"tea_id": "T-1", "tags": ["a", "b"]}),
    ("surprise", {}),
    ("opening_hours", {}),
]
INVARIANTS = '''\
"""Rules."""


def _private(state):
    return ["never"]


def nothing_is_negative(state):
    """No tea is negative.

    More words.
    """
    state["teas"].pop("T-9", None)
    return [key for key, tea in state["teas"].items() if tea["grams"] < 0]


def raises_on_many(state):
    """Never more than five teas."""
    if len(state["teas"]) > 5:
        raise ValueError("too many")
    return []


def says_nothing(state):
    """Says nothing about a state without teas."""
    return None if not state["teas"] else []


def greedy(state):
    """Takes all orders, and is given them again."""
    return [] if state["orders"].clear() is None else ["odd"]


def orders_are_seen(state):
    """Sees the orders that others have taken."""
    return [f"order of {order['grams']}" for order in state["orders"].values() if order["grams"] == 13]
'''

MakeProber = Callable[..., Prober]


@pytest.fixture
def prober_of() -> Iterator[MakeProber]:
    made: list[Prober] = []

    def make(bundle: Bundle, *, trust: bool = False) -> Prober:
        made.append(make_prober(bundle, trust=trust))
        return made[-1]

    yield make
    for prober in made:
        prober.close()
        prober.close()


def ruled() -> Bundle:
    bundle = toys.tea_shop("toys/Ruled-v0")
    return Bundle(bundle.manifest, bundle.source, INVARIANTS, bundle.start_states, bundle.scenarios)


both = pytest.mark.parametrize("trust", [False, True])


def test_both_kinds_see_the_same(prober_of: MakeProber) -> None:
    seen, counts = [], []
    for trust in (False, True):
        prober = prober_of(ruled(), trust=trust)
        prober.load(toys.TEAS, CLOCK, "7")
        seen.append((prober.probe(CALLS), prober.state(), prober.invariants))
        counts.append(prober.counts())
    assert seen[0] == seen[1]
    assert counts[0] == counts[1]


@both
def test_evidence_says_what_was_seen(prober_of: MakeProber, trust: bool) -> None:
    prober = prober_of(ruled(), trust=trust)
    prober.load(toys.TEAS, CLOCK, 7)
    read, refused, ordered, too_much, tagged, _, hours = prober.probe(CALLS)
    assert (read.success, read.changed, read.raised, read.shape) == (True, False, "", "")
    assert read.aliases[0] == "the result['data'] is teas['T-1']"
    assert (refused.success, refused.aliases, refused.text) == (
        False,
        (),
        '{"success":false,"error":"There is no such tea."}',
    )
    assert ordered.changed
    assert b'["teas","T-1",{"grams":490,' in ordered.patch
    assert too_much.success is False
    assert tagged.kept == ("the argument['tags'] is teas['T-1']['tags']",)
    assert ordered.digest != tagged.digest
    assert "2025-03-01 12:00:07" in hours.text
    assert set(read.reached).isdisjoint(refused.reached)
    assert prober.state()["teas"]["T-1"]["grams"] == 490


@both
def test_arguments_stay_the_callers(prober_of: MakeProber, trust: bool) -> None:
    prober = prober_of(toys.tea_shop("toys/Mine-v0"), trust=trust)
    prober.load(toys.TEAS, CLOCK, 7)
    tags = ["a"]
    prober.probe([("set_tags", {"tea_id": "T-1", "tags": tags})])
    tags.append("b")
    assert prober.state()["teas"]["T-1"]["tags"] == ["a"]


@both
def test_episodes_begin_anew(prober_of: MakeProber, trust: bool) -> None:
    prober = prober_of(ruled(), trust=trust)
    transcripts = []
    for seed in (7, 7, 8):
        prober.load(toys.TEAS, CLOCK, seed)
        transcripts.append([(seen.text, seen.digest) for seen in prober.probe(CALLS)])
    assert transcripts[0] == transcripts[1]
    assert transcripts[0] != transcripts[2]


@both
def test_counters_count_over_all_episodes(prober_of: MakeProber, trust: bool) -> None:
    bundle = ruled()
    prober = prober_of(bundle, trust=trust)
    arms = {(arm.function, arm.what): arm.counter for arm in counted(bundle.source).arms}
    for _ in range(3):
        prober.load(toys.TEAS, CLOCK, 7)
        prober.probe(CALLS)
    counts = prober.counts().counts
    assert counts[arms["TeaShop.get_tea", "entered"]] == 6
    assert counts[arms["TeaShop.get_tea", "true"]] == counts[arms["TeaShop.get_tea", "false"]] == 3
    assert counts[arms["TeaShop.cancel_order", "entered"]] == 0


@both
def test_invariants_judge_states(prober_of: MakeProber, trust: bool) -> None:
    prober = prober_of(ruled(), trust=trust)
    assert [name for name, _ in prober.invariants] == [
        "nothing_is_negative",
        "raises_on_many",
        "says_nothing",
        "greedy",
        "orders_are_seen",
    ]
    assert prober.invariants[0][1] == "No tea is negative."
    negative = {"teas": {"T-1": {"grams": -1}}, "orders": {}}
    many = {"teas": {str(n): {"grams": 1} for n in range(6)}, "orders": {}}
    none: dict[str, Any] = {"teas": {}, "orders": {}}
    thirteen = {"teas": {"T-1": {"grams": 1}}, "orders": {"O": {"grams": 13}}}
    assert prober.violations([toys.TEAS, negative, many, none, thirteen]) == [
        {},
        {"nothing_is_negative": ["T-1"]},
        {"raises_on_many": ["raised ValueError: too many"]},
        {"says_nothing": ["returned None instead of a list"]},
        {"orders_are_seen": ["order of 13"]},
    ]
    assert prober.violations([toys.TEAS] * 40) == [{}] * 40
    assert "O" in thirteen["orders"]


@both
def test_a_broken_invariant_is_seen_once(prober_of: MakeProber, trust: bool) -> None:
    prober = prober_of(ruled(), trust=trust)
    prober.load(toys.TEAS, CLOCK, 7)
    first, second = prober.probe(
        [("order_tea", {"tea_id": "T-1", "grams": 13}), ("order_tea", {"tea_id": "T-1", "grams": 13})]
    )
    assert first.violations == {"orders_are_seen": ("order of 13",)}
    assert second.changed
    assert second.violations == {}


def odd(tools: str) -> Bundle:
    source = f"import time\n\n\nclass Odd:\n    def __init__(self):\n        self.rows = {{}}\n\n{tools}"
    return toys.make_bundle(source, "Odd", (), {})


SYSTEM = """\
    def system(self):
        classes = ().__class__.__base__.__subclasses__()
        return [c for c in classes if c.__name__ == "_wrap_close"][0].__init__.__globals__
"""
ENDING = """\
    def put(self, n: int):
        self.rows[str(n)] = n
        return {{"success": True, "data": n}}

    def end(self):
        {body}
        return {{"success": True, "data": 1}}
"""
ENDINGS = {
    "exits": ('self.system()["_exit"](3)', "WorkerCrash"),
    "lies": ('self.system()["write"](3, b"\\0\\0\\0\\1\\xc0")', "ProtocolViolation"),
    "floods": ('self.system()["write"](3, b"\\xff" * 4)', "ProtocolViolation"),
    "spins": ("[None for _ in iter(int, 1)]", "WorkerTimeout"),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_a_call_that_ends_its_worker_is_the_last_that_is_seen(
    prober_of: MakeProber, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "_LIMITS", replace(probing._LIMITS, call_seconds=0.3))
    body, failure = ENDINGS[how]
    prober = prober_of(odd(SYSTEM + ENDING.format(body=body)))
    for _ in range(2):
        prober.load({}, CLOCK, 0)
        assert [seen.text for seen in prober.probe([("put", {"n": 1})])] == ['{"success":true,"data":1}']
        evidence = prober.probe([("put", {"n": 2}), ("end", {}), ("put", {"n": 3})])
        assert [seen.lost for seen in evidence] == [False, True]
        assert evidence[-1].raised.startswith(f"{failure}: ")
    prober.load({}, CLOCK, 0)
    prober.probe([("put", {"n": 7})])
    assert prober.state() == {"rows": {"7": 7}}


@both
def test_all_that_comes_out_is_bounded(prober_of: MakeProber, trust: bool) -> None:
    tools = """\
    def long(self):
        return {"success": True, "data": "x" * 500_000}

    def fail(self):
        raise ValueError("y" * 500_000)

    def fill(self):
        self.rows = {str(n): "z" * 1000 for n in range(500)}
        return {"success": True, "message": ""}

    def oddities(self):
        self.rows = {str(n): {1, 2} for n in range(500)}
        return {"success": True, "message": "", "data": [self.rows] * 5}

    def leave(self):
        raise SystemExit

    def surrogate(self):
        self.rows["\\ud800"] = "\\ud800"
        raise KeyError("\\ud800")

    def loop(self):
        self.rows = {}
        self.rows["self"] = self.rows
        return {"success": True, "data": self.rows}
"""
    prober = prober_of(odd(tools), trust=trust)
    prober.load({}, CLOCK, 0)
    names = ("long", "fail", "fill", "oddities", "leave", "surrogate", "loop")
    evidence = prober.probe([(name, {}) for name in names])
    long, fail, fill, oddities, leave, surrogate, loop = evidence
    assert len(long.text) == 2000
    assert fail.raised.startswith("ValueError: yyy")
    assert len(fail.raised) < 2100
    assert len(fill.patch) < 70_000
    assert len(oddities.not_json) == 5
    assert len(oddities.aliases) == 5
    assert leave.raised.startswith("SystemExit: ")
    assert surrogate.changed
    assert surrogate.raised.startswith("KeyError: ")
    assert loop.not_json
    assert loop.success is True


@both
def test_where_a_tool_raised_is_said_in_lines_of_its_source(prober_of: MakeProber, trust: bool) -> None:
    bundle = odd('    def fail(self):\n        x = "1"\n        return x + 1\n')
    prober = prober_of(bundle, trust=trust)
    prober.load({}, CLOCK, 0)
    (seen,) = prober.probe([("fail", {})])
    line = bundle.source.splitlines().index("        return x + 1") + 1
    assert seen.raised == f'TypeError: can only concatenate str (not "int") to str (line {line})'


@both
def test_what_cannot_be_executed_is_a_load_failure(prober_of: MakeProber, trust: bool) -> None:
    with pytest.raises(errors.LoadFailure):
        prober_of(odd("    x = 1 / 0\n\n    def fine(self):\n        return 1\n"), trust=trust)
    bundle = ruled()
    with pytest.raises(errors.LoadFailure, match=r"invariants\.py raised NameError"):
        prober_of(Bundle(bundle.manifest, bundle.source, "oops", bundle.start_states, bundle.scenarios), trust=trust)
    prober = prober_of(toys.hostile("toys/Hostile-v1"), trust=trust)
    with pytest.raises(errors.LoadFailure, match="boom at load"):
        prober.load({"items": {}, "explode": True}, CLOCK, 0)
    prober.load({"items": {}}, CLOCK, 0)
    assert prober.probe([("fine", {})])[0].success is True


def test_a_worker_that_sends_other_counters_is_not_believed(
    prober_of: MakeProber, monkeypatch: pytest.MonkeyPatch
) -> None:
    prober = prober_of(ruled())
    monkeypatch.setattr(probing, "counted", lambda source: counted(source)._replace(counters=1))
    with pytest.raises(errors.ProtocolViolation, match="counters"):
        prober.counts()


def test_evidence_of_more_calls_than_were_sent_is_not_believed(
    prober_of: MakeProber, monkeypatch: pytest.MonkeyPatch
) -> None:
    prober: Any = prober_of(ruled())
    prober.load(toys.TEAS, CLOCK, 0)
    monkeypatch.setattr(prober, "_ask", lambda *_: Tried([Evidence(), Evidence()]))
    with pytest.raises(errors.ProtocolViolation, match="evidence of 2"):
        prober._try([("surprise", {})])


def test_unreviewed_code_never_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("in this process")

    monkeypatch.setattr(probing, "Probe", fail)
    monkeypatch.setattr(probing, "compile_instrumented", fail)
    with make_prober(odd("    def fine(self):\n        return {'success': True, 'data': 1}\n")) as prober:
        prober.load({}, CLOCK, 0)
        assert prober.probe([("fine", {})])[0].success is True
    with pytest.raises(errors.WorkerCrash):
        prober.state()
