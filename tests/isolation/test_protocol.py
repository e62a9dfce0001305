from __future__ import annotations

import contextlib
import datetime
import json
import os
import resource
import socket
import struct
import threading
import time
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from envscaler_gym.ambient import Ambient
from envscaler_gym.errors import EnvScalerError, ProtocolViolation, StateTooLarge, WorkerTimeout
from envscaler_gym.isolation import IsolatedWorld, Limits, WorkerProgram, encoding
from envscaler_gym.isolation.frames import Clock, Compiled, Loaded, Ready, Result, StateIs, frame
from envscaler_gym.isolation.spawning import SPAWNER
from envscaler_gym.isolation.workers import Worker
from envscaler_gym.types import ToolResult

BUDGET = 32 << 20

keys = st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.tuples(st.integers(), st.text()))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(codec=None)),
    st.binary(),
    st.datetimes(),
    st.datetimes(timezones=st.just(datetime.timezone(datetime.timedelta(hours=-3, minutes=30)))),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(keys | st.just("$"), inner),
        st.lists(inner).map(tuple),
        st.sets(keys),
        st.frozensets(keys),
        st.dictionaries(st.text(), inner).map(OrderedDict),
        st.dictionaries(st.text(), inner).map(lambda d: defaultdict(list, d)),
        st.lists(inner).map(deque),
        st.dictionaries(st.text(), st.integers()).map(Counter),
    ),
    max_leaves=20,
)


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(same, a.values(), b.values())) and all(map(same, a, b))
    if isinstance(a, list | tuple | deque):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


@given(values)
@example({"$": ["tuple", [1]]})
@example({"$": 1, "a": (1,)})
@example({True: 1, "1": 2})
@example([10**5000 % 2**10000, -(2**63) - 1, 2**64, float("inf"), -0.0, "\ud800", {"\ud800": "\ud800"}])
@example(defaultdict(None, {"a": 1}))
@example(bytearray(b"x"))
@example(datetime.datetime(2025, 1, 1, fold=1))  # noqa: DTZ001 - naive dates are data too
def test_what_is_encoded_is_decoded(value: object) -> None:
    assert same(encoding.decode(encoding.encode(value), BUDGET), value)


plain_text = st.text(st.characters(codec="utf-8"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | plain_text,
    lambda inner: st.lists(inner) | st.dictionaries(plain_text, inner),
    max_leaves=8,
)
tags = st.tuples(st.sampled_from(sorted(encoding._TAGS)), json_values)
nearly_tagged = st.recursive(
    tags, lambda inner: st.lists(inner) | st.fixed_dictionaries({"$": tags | inner}), max_leaves=4
)


@given(json_values)
def test_json_is_written_as_json(value: object) -> None:
    data = encoding.encode(value)
    if b'"$":' not in data:
        assert data == msgspec.json.encode(value)


@given(st.binary() | plain_text.map(str.encode))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    with contextlib.suppress(encoding.DecodingError, encoding.TooLargeError):
        encoding.decode(data, BUDGET)


@given(nearly_tagged)
def test_any_tags_are_decoded_or_refused(value: object) -> None:
    with contextlib.suppress(encoding.DecodingError, encoding.TooLargeError):
        encoding.decode(json.dumps(value).encode(), BUDGET)


def test_what_is_shared_stays_shared() -> None:
    record: dict[str, Any] = {"a": [1]}
    odd: dict[Any, Any] = {1: record, "\ud800": None}
    value: dict[str, Any] = {"x": record, "y": [record, record["a"], ()], "z": (odd, {"o": odd}), "w": [[], []]}
    decoded = encoding.decode(encoding.encode(value), BUDGET, shared=True)
    assert same(decoded, value)
    assert decoded["x"] is decoded["y"][0] is decoded["z"][0][1]
    assert decoded["x"]["a"] is decoded["y"][1]
    assert decoded["z"][0] is decoded["z"][1]["o"]
    assert decoded["w"][0] is not decoded["w"][1]
    with pytest.raises(encoding.DecodingError, match="reference"):
        encoding.decode(encoding.encode(value), BUDGET)
    value["x"]["self"] = value
    decoded = encoding.decode(encoding.encode(value), BUDGET, shared=True)
    assert decoded["y"][0]["self"] is decoded


def test_little_data_cannot_stand_for_much() -> None:
    value: list[Any] = []
    for _ in range(90):
        value = [value, value]
    data = encoding.encode(value)
    assert len(data) < 10_000
    with pytest.raises(encoding.DecodingError):
        encoding.decode(data, BUDGET)
    encoding.encode(encoding.decode(data, BUDGET, shared=True))


def colliding(count: int) -> bytes:
    modulus = 2**61 - 1
    items = [{"$": ["int", hex(n * modulus)]} for n in range(1 << 10, (1 << 10) + count)]
    return msgspec.json.encode({"$": ["set", items]})


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"[" + b"{}," * 2_600_000 + b"{}]", encoding.TooLargeError),
        (b"[" + b"0," * 4_000_000 + b"0]", encoding.TooLargeError),
        (b"[" * 200_000, encoding.TooLargeError),
        (b"[" * 500 + b"]" * 500, encoding.TooLargeError),
        (b'{"a":' * 101 + b"1" + b"}" * 101, encoding.TooLargeError),
        (b'{"$":["tuple",[' * 60 + b"]]}" * 60, encoding.TooLargeError),
        (b'{"a":"\xff"}', encoding.DecodingError),
        (b'{"a":"\\ud800"}', encoding.DecodingError),
        (b"{} {}", encoding.DecodingError),
        (b'{"a":1', encoding.DecodingError),
        (b"", encoding.DecodingError),
        (b'{"$":["pickle","x"]}', encoding.DecodingError),
        (b'{"$":["items",[]]}', encoding.DecodingError),
        (b'[{"$":["again",0]}]', encoding.DecodingError),
        (b'[[],{"$":["again",1]}]', encoding.DecodingError),
        (b'{"$":["again",-1]}', encoding.DecodingError),
        (b'{"$":[["tuple"],[]]}', encoding.DecodingError),
        (b'{"$":["tuple",[]],"x":1}', encoding.DecodingError),
        (b'{"$":["tuple"]}', encoding.DecodingError),
        (b'{"$":["tuple","ab"]}', encoding.DecodingError),
        (b'{"$":["set",[[]]]}', encoding.DecodingError),
        (b'{"$":["dict",[[{"$":["dict",[]]},1]]]}', encoding.DecodingError),
        (b'{"$":["defaultdict",["open",[]]]}', encoding.DecodingError),
        (b'{"$":["int","' + b"f" * 100_000 + b'"]}', encoding.DecodingError),
        (b'{"$":["timedelta",[1e300,0,0]]}', encoding.DecodingError),
        (b'{"$":["datetime",["2025-01-01T00:00:00",1e9,0]]}', encoding.DecodingError),
        (b'{"$":["deque",[-1,[]]]}', encoding.DecodingError),
        (b'{"$":["text","////"]}', encoding.DecodingError),
        (b"1e999", encoding.DecodingError),
        (colliding(50_000), encoding.DecodingError),
    ],
    ids=lambda value: value[:24].decode(errors="replace") if isinstance(value, bytes) else "",
)
def test_hostile_bytes_are_refused_at_once(data: bytes, error: type[Exception]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    with pytest.raises(error):
        encoding.decode(data, BUDGET)
    assert time.process_time() - start < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_what_is_not_data_is_refused_or_replaced() -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError

    with pytest.raises(encoding.NotDataError, match="Odd"):
        encoding.encode({"a": Odd()})
    data, replaced = encoding.encode_lossy({"a": Odd(), "b": uuid.UUID(int=1), "c": OrderedDict(x=1)})
    assert replaced
    assert encoding.decode(data, BUDGET) == {
        "a": "<Odd whose str raised RuntimeError>",
        "b": uuid.UUID(int=1),
        "c": OrderedDict(x=1),
    }
    assert not encoding.encode_lossy({"a": Decimal(1)})[1]
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(encoding.NotDataError, match="holds itself"):
        encoding.encode_lossy(cycle)
    with pytest.raises(encoding.NotDataError, match="bits"):
        encoding.encode(1 << 20_000)


# --- a worker that says what a test wants it to -----------------------------------------------------------------------

encode = msgspec.msgpack.encode
READY = frame(encode(Ready(0, 0)))
CLOCK = Clock("seed", 0, None)
LOADED = frame(encode(Loaded(CLOCK, b'{"items":{}}')))
Script = list[bytes | Callable[[socket.socket], None]]


class Actor:
    """Plays workers: sends what its script says, one entry for each request."""

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self.killed = 0
        self.threads: list[threading.Thread] = []

    def fork(self, theirs: socket.socket, limits: Limits, *, time_zones: bool) -> tuple[Any, int]:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=os.dup(theirs.fileno()))
        thread = threading.Thread(target=self.play, args=(connection, self.scripts.pop(0)), daemon=True)
        thread.start()
        self.threads.append(thread)
        return None, 0

    def kill(self, zygote: object, pid: int) -> int:
        self.killed += 1
        return -9

    @staticmethod
    def play(connection: socket.socket, script: Script) -> None:
        with connection:
            try:
                for number, line in enumerate(script):
                    if number > 0:
                        connection.recv(1 << 20)
                    if callable(line):
                        line(connection)
                    else:
                        connection.sendall(line)
                while connection.recv(1 << 20):
                    pass
            except OSError:
                pass


@pytest.fixture
def actor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Actor]:
    actor = Actor()
    monkeypatch.setattr(SPAWNER, "fork", actor.fork)
    monkeypatch.setattr(SPAWNER, "kill", actor.kill)
    yield actor
    for thread in actor.threads:
        thread.join(10)
        assert not thread.is_alive()


def world_of(actor: Actor, *answers: bytes | Callable[[socket.socket], None], **limits: Any) -> IsolatedWorld:
    actor.scripts.append([READY, frame(encode(Compiled(b"")))])
    actor.scripts.append([READY, *answers])
    return IsolatedWorld(WorkerProgram("class Toy: pass", "Toy", ()), Limits.of({"call_seconds": 0.5} | limits))


def load(world: IsolatedWorld) -> None:
    ambient = Ambient("1970-01-01", "seed")
    world.load({"items": {}}, ambient)


def dribble(connection: socket.socket) -> None:
    for byte in frame(b"x" * 10_000):
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


RESULT = frame(encode(Result(ToolResult("{}", True))))
BAD_ANSWERS: dict[str, tuple[bytes | Callable[[socket.socket], None], type[EnvScalerError]]] = {
    "two frames": (RESULT + RESULT, ProtocolViolation),
    "a frame and a byte": (RESULT + b"\x00", ProtocolViolation),
    "a short frame": (RESULT[:-1], WorkerTimeout),
    "half a header": (b"\x00\x00", WorkerTimeout),
    "a huge length": (struct.pack(">I", 0xFFFFFFFF), ProtocolViolation),
    "one byte more than allowed": (struct.pack(">I", (1 << 20) + (1 << 16) + 1), ProtocolViolation),
    "an empty frame": (frame(b""), ProtocolViolation),
    "an answer to something else": (LOADED, ProtocolViolation),
    "a request": (frame(encode(["Call", "x", b""])), ProtocolViolation),
    "no message": (frame(encode({"text": "{}"})), ProtocolViolation),
    "bad UTF-8": (frame(b"\x92\xa6Result\x92\xa2\xff\xff\xc3"), ProtocolViolation),
    "text of the wrong type": (frame(encode(["Result", [1, True]])), ProtocolViolation),
    "success of the wrong type": (frame(encode(["Result", ["{}", 1]])), ProtocolViolation),
    "a field too many": (frame(encode(["Result", ["{}", True], 1])), ProtocolViolation),
    "an extension type": (frame(encode(["Result", msgspec.msgpack.Ext(1, b"")])), ProtocolViolation),
    "deep nesting": (frame(b"\x91" * 500_000), ProtocolViolation),
    "a huge array": (frame(b"\xdd\xff\xff\xff\xff"), ProtocolViolation),
    "an unknown failure": (frame(encode(["Failed", "reward", "1"])), ProtocolViolation),
    "one byte at a time": (dribble, WorkerTimeout),
    "nothing": (b"", WorkerTimeout),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_an_answer_that_is_none_ends_the_worker(actor: Actor, name: str) -> None:
    answer, error = BAD_ANSWERS[name]
    world = world_of(actor, LOADED, answer)
    load(world)
    killed = actor.killed
    with pytest.raises(error):
        world.call("x", {})
    assert actor.killed == killed + 1
    world.close()
    assert actor.killed == killed + 1, "killing twice is once too often"


def rng(*words: int) -> Any:
    return (3, tuple(words), None)


@pytest.mark.parametrize(
    ("state", "clock", "error"),
    [
        (b"[]", CLOCK, ProtocolViolation),
        (b"1", CLOCK, ProtocolViolation),
        (b'{"$":["tuple",[]]}', CLOCK, ProtocolViolation),
        (b'{"$":["x",1]}', CLOCK, ProtocolViolation),
        (b"{", CLOCK, ProtocolViolation),
        (b'{"a":[' + b"{}," * 1_000_000 + b"{}]}", CLOCK, StateTooLarge),
        (b'{"a":' * 300 + b"1" + b"}" * 300, CLOCK, StateTooLarge),
        (b"{}", Clock("another", 0, None), ProtocolViolation),
        (b"{}", Clock("seed", 1 << 62, None), ProtocolViolation),
        (b"{}", Clock("seed", 0, rng(1, 2, 3)), ProtocolViolation),
        (b"{}", Clock("seed", 0, rng(*range(624), 10**6)), ProtocolViolation),
        (b"{}", Clock("seed", 0, (99, (), None)), ProtocolViolation),
    ],
)
def test_a_state_that_is_none_ends_the_worker(
    actor: Actor, state: bytes, clock: Clock, error: type[EnvScalerError]
) -> None:
    for answers in ([frame(encode(Loaded(clock, state)))], [LOADED, frame(encode(StateIs(clock, state)))]):
        world = world_of(actor, *answers)
        if len(answers) == 2:
            load(world)
        with pytest.raises(error):
            world.state() if len(answers) == 2 else load(world)
        assert actor.killed == len(actor.threads)


def test_a_batch_needs_as_many_results_as_calls(actor: Actor) -> None:
    answers: list[list[object]] = [["Results", [], None], ["Results", [["{}", True]] * 3, None]]
    for answer in answers:
        world = world_of(actor, LOADED, frame(encode(answer)))
        load(world)
        with pytest.raises(ProtocolViolation, match="results"):
            world.call_many([("x", {}), ("x", {})])


def test_a_worker_that_does_not_read_is_killed(actor: Actor) -> None:
    def deaf(connection: socket.socket) -> None:
        connection.sendall(LOADED)
        time.sleep(1)

    world = world_of(actor, deaf, call_seconds=0.3)
    load(world)
    with pytest.raises(WorkerTimeout):
        world.call("x", {"a": "x" * 4_000_000})


def test_an_interrupted_call_ends_the_worker(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(actor, LOADED, RESULT)
    load(world)

    def interrupt(*_: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Worker, "_receive_part", interrupt)
        with pytest.raises(KeyboardInterrupt):
            world.call("x", {})
    with pytest.raises(EnvScalerError, match="has ended"):
        world.call("x", {})


def many(count: int, item: bytes) -> bytes:
    return b"\xdd" + struct.pack(">I", count) + item * count


@pytest.mark.parametrize(
    "answer",
    [
        b"\x93\xa7Results" + many((1 << 21) // 3, b"\x92\xa0\xc3") + b"\xc0",
        b"\x93\xa7StateIs\x93\xa4seed\x00\x93\x03" + many(8_000_000, b"\x01") + b"\xc0\xc4\x00",
        b"\x93\xa7StateIs\x93\xa4seed\x00\xc0\xc6" + struct.pack(">I", 8 << 20) + b"9" * (8 << 20),
    ],
    ids=["results", "random state", "state"],
)
def test_a_hostile_reply_costs_the_host_little(actor: Actor, answer: bytes) -> None:
    world = world_of(actor, LOADED, frame(answer))
    load(world)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ProtocolViolation):
        world.call_many([("x", {})]) if b"Results" in answer else world.state()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "\ud800",
        '"$":',
        True,
        None,
        7,
        -(2**63),
        2**64 - 1,
        2**64,
        -(2**63) - 1,
        10**40,
        1.5,
        (1, 2),
        {"$": 1},
        [[]],
    ],
    ids=repr,
)
def test_the_short_way_for_calls_says_what_the_long_way_does(value: object) -> None:
    for arguments in ({"x": value}, {"$": value}, {"x": "flat", "y": value}):
        short = encoding.encode_calls([("tool", arguments), ("other", {})])
        long = encoding.encode([["tool", arguments], ["other", {}]])
        assert encoding.decode(short, 1 << 20) == encoding.decode(long, 1 << 20) == [["tool", arguments], ["other", {}]]
        assert repr(encoding.decode(short, 1 << 20)) == repr([["tool", arguments], ["other", {}]])
