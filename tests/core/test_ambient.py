"""Clock, ids and randomness of generated code: virtual, seeded, and each episode's own."""

from __future__ import annotations

import copy
import datetime as real_datetime
import pickle
import random
import threading
import time as real_time
import uuid
from typing import Any

import pytest

from envscaler_gym.ambient import Ambient, activate, ambient_builtins

CLOCK = "2024-02-29T10:00:00"


def run(source: str, ambient: Ambient | None = None) -> dict[str, Any]:
    """Run a module as generated code is run, and return its globals."""
    activate(ambient or Ambient(CLOCK, "seed"))
    namespace: dict[str, Any] = {"__name__": "generated", "__builtins__": ambient_builtins()}
    exec(compile(source, "<generated>", "exec"), namespace)
    return namespace


def value(expression: str, *imports: str, ambient: Ambient | None = None) -> Any:
    return run("\n".join([*imports, f"value = {expression}"]), ambient)["value"]


DATETIME = "from datetime import date, datetime, time, timedelta, timezone"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("datetime.now()", "2024-02-29 10:00:00.000001"),
        ("datetime.utcnow()", "2024-02-29 10:00:00.000001"),
        ("datetime.today()", "2024-02-29 10:00:00.000001"),
        ("datetime.now(timezone.utc)", "2024-02-29 10:00:00.000001+00:00"),
        ("datetime.now(timezone(timedelta(hours=2)))", "2024-02-29 12:00:00.000001+02:00"),
        ("date.today()", "2024-02-29"),
        ("datetime.now().date()", "2024-02-29"),
        ("datetime.fromtimestamp(0)", "1970-01-01 00:00:00"),
        ("datetime.fromtimestamp(0, timezone.utc)", "1970-01-01 00:00:00+00:00"),
        ("datetime.utcfromtimestamp(86400)", "1970-01-02 00:00:00"),
        ("date.fromtimestamp(-1)", "1969-12-31"),
        ("datetime(1970, 1, 2).timestamp()", "86400.0"),
        ("datetime(1970, 1, 2, tzinfo=timezone(timedelta(hours=1))).timestamp()", "82800.0"),
        ("datetime(2024, 1, 1).astimezone()", "2024-01-01 00:00:00+00:00"),
        ("datetime(2024, 1, 1).astimezone(timezone(timedelta(hours=1)))", "2024-01-01 01:00:00+01:00"),
        ("datetime.strptime('2024-05-06', '%Y-%m-%d')", "2024-05-06 00:00:00"),
        ("datetime.fromisoformat('2024-05-06T07:08:09')", "2024-05-06 07:08:09"),
        ("datetime.combine(date(2024, 1, 2), time(3, 4))", "2024-01-02 03:04:00"),
        ("datetime(2024, 1, 31) + timedelta(days=1)", "2024-02-01 00:00:00"),
        ("datetime(2024, 2, 1) - datetime(2024, 1, 1)", "31 days, 0:00:00"),
        ("date(2024, 2, 1) - date.today()", "-28 days, 0:00:00"),
        ("datetime(2024, 1, 1) < datetime.now()", "True"),
        ("date(2024, 2, 29) == date.today()", "True"),
        ("datetime.now().strftime('%d.%m.%Y')", "29.02.2024"),
        ("datetime.now().isoformat(timespec='seconds')", "2024-02-29T10:00:00"),
        ("repr(datetime(2024, 1, 2, 3))", "datetime.datetime(2024, 1, 2, 3, 0)"),
        ("repr(date(2024, 1, 2))", "datetime.date(2024, 1, 2)"),
        ("repr(datetime.now().date())", "datetime.date(2024, 2, 29)"),
        ("isinstance(datetime.now(), datetime), isinstance(datetime.now(), date)", "(True, True)"),
        ("isinstance(date.today(), datetime), isinstance(date.today(), date)", "(False, True)"),
        ("isinstance(datetime.now().date(), date), isinstance('2024', date)", "(True, False)"),
        ("issubclass(datetime, date), issubclass(date, datetime)", "(True, False)"),
        ("{datetime(2024, 1, 1): 1}[datetime(2024, 1, 1)]", "1"),
    ],
)
def test_dates_are_read_from_the_virtual_clock(expression: str, text: str) -> None:
    assert str(value(expression, DATETIME)) == text


def test_the_results_of_dates_stay_virtual() -> None:
    for expression in (
        "datetime.now() + timedelta(1)",
        "datetime.now().replace(hour=1)",
        "datetime.now().astimezone()",
        "datetime.utcfromtimestamp(0)",
        "datetime.strptime('2024', '%Y')",
    ):
        assert type(value(expression, DATETIME)) is value("datetime", DATETIME), expression


def test_a_class_derived_from_datetime_has_its_own_instances() -> None:
    source = f"{DATETIME}\nclass Stamp(datetime):\n    pass\n"
    source += (
        "value = isinstance(Stamp(1, 1, 1), Stamp), isinstance(datetime.now(), Stamp), isinstance(Stamp(1, 1, 1), date)"
    )
    assert run(source)["value"] == (True, False, True)


def test_dates_are_copied_and_pickled() -> None:
    for expression in ("datetime.now()", "date.today()", "datetime.now(timezone.utc)"):
        moment = value(expression, DATETIME)
        for other in (copy.deepcopy(moment), pickle.loads(pickle.dumps(moment))):
            assert other == moment
            assert type(other) is type(moment)


@pytest.mark.parametrize(
    "expression",
    [
        "time.time()",
        "time.monotonic()",
        "time.perf_counter()",
        "time.time_ns() / 1e9",
        "time.mktime(time.localtime())",
        "time.mktime(time.strptime(time.ctime()))",
        "time.mktime(time.strptime(time.asctime()))",
        "time.mktime(time.strptime(time.strftime('%Y-%m-%d %H'), '%Y-%m-%d %H'))",
        "time.clock_gettime(time.CLOCK_REALTIME)",
        "time.clock_gettime_ns(time.CLOCK_REALTIME) / 1e9",
        "time.thread_time()",
        "time.mktime(time.gmtime(1709200800))",
    ],
)
def test_time_is_read_from_the_virtual_clock(expression: str) -> None:
    assert value(expression, "import time") == pytest.approx(1709200800, abs=1)


def test_a_clock_with_an_offset_is_converted_to_utc() -> None:
    assert str(Ambient("2024-01-01T02:00:00+02:00", "s").now()) == "2024-01-01 00:00:00"


def test_sleep_moves_the_clock_and_takes_no_time() -> None:
    ambient = Ambient(CLOCK, "s")
    before = real_time.monotonic()
    run("import time\ntime.sleep(3600)", ambient)
    assert str(ambient.now()) == "2024-02-29 11:00:00"
    assert real_time.monotonic() - before < 60
    with pytest.raises(ValueError, match="non-negative"):
        run("import time\ntime.sleep(-1)", ambient)


def test_readings_increase_and_calls_take_a_second() -> None:
    ambient = Ambient(CLOCK, "s")
    first, second = value("(time.time(), time.time())", "import time", ambient=ambient)
    assert second > first
    ambient.begin_call()
    assert 1 < value("time.time()", "import time", ambient=ambient) - first < 1.1


IDS = "[str(uuid.uuid4()), str(uuid.uuid1()), uuid.getnode()]"
NUMBERS = (
    "[random.random(), random.randint(1, 99), random.choice('abc'), random.sample(range(9), 3), random.gauss(0, 1)]"
)
SECRETS = (
    "[secrets.token_hex(4), secrets.token_urlsafe(), secrets.randbelow(99), secrets.choice('abc'), secrets.randbits(9)]"
)
OBJECTS = "[random.Random().random(), random.SystemRandom().random(), secrets.SystemRandom().random()]"


@pytest.mark.parametrize("expression", [IDS, NUMBERS, SECRETS, OBJECTS])
def test_ids_and_numbers_are_a_function_of_the_seed(expression: str) -> None:
    one, again, other = (
        value(expression, "import random, secrets, uuid", ambient=Ambient(CLOCK, seed)) for seed in "aab"
    )
    assert one == again
    assert one[0] != other[0]


def test_ids_are_well_formed_and_differ() -> None:
    ids = value("[uuid.uuid4() for _ in range(100)] + [uuid.uuid1() for _ in range(100)]", "import uuid")
    assert len(set(ids)) == 200
    assert {id_.version for id_ in ids} == {1, 4}
    assert {id_.variant for id_ in ids} == {uuid.RFC_4122}
    assert value("uuid.uuid5(uuid.NAMESPACE_DNS, 'a.b')", "import uuid") == uuid.uuid5(uuid.NAMESPACE_DNS, "a.b")


def test_generated_code_may_seed_its_own_randomness() -> None:
    assert value("random.Random(5).random()", "import random") == random.Random(5).random()
    assert run("import random\nrandom.seed(5)\nvalue = random.random()")["value"] == random.Random(5).random()


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda source: pickle.loads(pickle.dumps(source))])
def test_copying_a_random_source_draws_nothing(copier: Any) -> None:
    ambient = Ambient(CLOCK, "s")
    source = value("random.Random()", "import random", ambient=ambient)
    before = ambient.snapshot()
    made = copier(source)
    assert ambient.snapshot() == before
    assert made.random() == source.random()


def test_every_form_of_import_is_given_the_stand_ins() -> None:
    forms = (
        "import datetime\nvalue = str(datetime.datetime.now())",
        "import datetime as dt\nvalue = str(dt.datetime.now())",
        "from datetime import datetime\nvalue = str(datetime.now())",
        "from datetime import *\nvalue = str(datetime.now())",
        "def f():\n    from datetime import datetime\n    return str(datetime.now())\nvalue = f()",
        "value = str(__import__('datetime').datetime.now())",
        "exec('import datetime\\nvalue = str(datetime.datetime.now())')",
    )
    assert {run(form)["value"] for form in forms} == {"2024-02-29 10:00:00.000001"}
    assert value("(json.dumps([1]), ET.Element)", "import json", "import xml.etree.ElementTree as ET")[0] == "[1]"


def test_nothing_outside_is_touched() -> None:
    before = random.getstate()
    run(f"import random, time, uuid, secrets\n{DATETIME}\nrandom.seed(1); {NUMBERS}; {IDS}; {SECRETS}; datetime.now()")
    assert random.getstate() == before
    assert abs(real_datetime.datetime.now().timestamp() - real_time.time()) < 60  # noqa: DTZ005 - the real one
    assert type(real_datetime.datetime.now()) is real_datetime.datetime  # noqa: DTZ005


def test_snapshots_replay_clock_and_numbers() -> None:
    ambient = Ambient(CLOCK, "s")
    fresh = ambient.snapshot()
    expression, imports = "(str(uuid.uuid4()), time.time())", "import time, uuid"
    first = value(expression, imports, ambient=ambient)
    middle = pickle.loads(pickle.dumps(ambient.snapshot()))
    second = value(expression, imports, ambient=ambient)
    ambient.restore(middle)
    assert value(expression, imports, ambient=ambient) == second
    ambient.restore(fresh)
    assert value(expression, imports, ambient=ambient) == first


def test_threads_do_not_mix() -> None:
    source = "import random, time, uuid\ndef read(): return str(uuid.uuid4()), time.time(), random.random()"
    alone = {}
    for seed in "ab":
        read = run(source, Ambient(CLOCK, seed))["read"]
        alone[seed] = [read() for _ in range(50)]
    results: dict[str, list[Any]] = {}

    def work(seed: str) -> None:
        read = run(source, Ambient(CLOCK, seed))["read"]
        results[seed] = []
        for _ in range(50):
            barrier.wait(10)
            results[seed].append(read())

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=work, args=(seed,)) for seed in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == alone
