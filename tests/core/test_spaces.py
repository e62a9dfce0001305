"""The spaces: what belongs to them, what they draw, and how texts travel through shared memory."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from gymnasium.vector.utils import batch_space, create_shared_memory, read_from_shared_memory, write_to_shared_memory
from hypothesis import example, given
from hypothesis import strategies as st

from envscaler_gym import ActionSpace, TextSpace, ToolEnv, registry
from envscaler_gym.sampling import ValuePool, sample_arguments
from tests import toys
from tests.core.test_malformed_actions import JUNK, ODD, Rude
from tests.core.transcripts import make

IDS = (*registry.shipped_ids(), toys.TEA_SHOP_ID, toys.HOSTILE_ID)

# --- texts ------------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(codec=None), max_size=40), st.integers(0, 60))
def test_a_text_belongs_if_its_bytes_fit(text: str, limit: int) -> None:
    try:
        fits = len(text.encode()) <= limit
    except UnicodeEncodeError:
        fits = False
    assert (text in TextSpace(max_bytes=limit)) == fits


@given(JUNK)
def test_nothing_else_is_a_text(junk: Any) -> None:
    assert isinstance(junk, str) or junk not in TextSpace()


@pytest.mark.parametrize("limit", [0, 3, 64, 10_000])
def test_drawn_texts_belong_and_repeat(limit: int) -> None:
    space, again = TextSpace(limit, seed=1), TextSpace(limit, seed=1)
    drawn = [space.sample() for _ in range(200)]
    assert all(text in space for text in drawn)
    assert drawn == [again.sample() for _ in range(200)]
    assert len(set(drawn)) == 1 if limit < 4 else len(set(drawn)) > 10


def test_text_spaces_are_values() -> None:
    assert TextSpace(5) == TextSpace(5, seed=3) == pickle.loads(pickle.dumps(TextSpace(5)))
    assert hash(TextSpace(5)) == hash(TextSpace(5))
    assert TextSpace(5) != TextSpace(6)
    assert TextSpace(5) != 5
    assert repr(TextSpace(5)) == "TextSpace(max_bytes=5)"
    assert not TextSpace().is_np_flattenable


@pytest.mark.parametrize("arguments", [{"mask": np.ones(1)}, {"probability": np.ones(1)}])
def test_masks_are_refused(arguments: dict[str, Any]) -> None:
    for space in (TextSpace(), make(toys.TEA_SHOP_ID).action_space):
        with pytest.raises(ValueError, match="neither mask nor probability"):
            space.sample(**arguments)


put: Any = write_to_shared_memory  # Gymnasium says that it takes arrays only

TEXTS = st.lists(st.text(max_size=30), min_size=3, max_size=3)


@given(st.lists(TEXTS, min_size=1, max_size=4))
@example([["long " * 50, "x", "漢字"], ["", "\0\0", "y" * 400]])
def test_shared_memory_holds_the_last_text_of_each(rounds: list[list[str]]) -> None:
    space = TextSpace(max_bytes=400)
    memory = create_shared_memory(space, n=3, ctx=multiprocessing)
    view: Any = read_from_shared_memory(space, memory, n=3)
    assert tuple(view) == ("", "", "")
    for texts in rounds:
        for index, text in enumerate(texts):
            put(space, index, text, memory)
        assert tuple(view) == tuple(texts)
        assert [view[index] for index in range(3)] == texts
        assert view[1:] == tuple(texts[1:])
        assert len(view) == 3
        assert view == tuple(texts)
        assert view != (*texts, "")
        kept = copy.deepcopy(view), copy.copy(view)
        put(space, 0, "overwritten", memory)
        assert kept == (tuple(texts), tuple(texts))
    assert isinstance(view, Sequence)
    assert repr(view).startswith("TextBatch('overwritten', ")


def test_a_text_that_is_too_long_is_not_cut() -> None:
    space = TextSpace(max_bytes=5)
    memory = create_shared_memory(space, n=1)
    with pytest.raises(ValueError, match="An observation of 6 bytes does not fit into TextSpace"):
        put(space, 0, "ééé", memory)


# --- actions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id_", IDS)
def test_drawn_calls_belong_and_repeat(id_: str) -> None:
    env = make(id_, split="train")
    env.reset(seed=0)
    env.action_space.seed(1)
    drawn = [env.action_space.sample() for _ in range(300)]
    assert all(action in env.action_space for action in drawn)
    assert {action["name"] for action in drawn} == set(env.bundle.tools)  # type: ignore[typeddict-item]
    env.action_space.seed(1)
    assert [env.action_space.sample() for _ in range(300)] == drawn


@pytest.mark.parametrize("id_", registry.shipped_ids())
def test_random_calls_exercise_the_world(id_: str) -> None:
    """Enough of them succeed for a random rollout to change something."""
    env = make(id_, max_steps=10**6)
    outcomes: dict[str, Counter[str]] = {}
    for seed in range(8):
        env.reset(seed=seed)
        for _ in range(250):
            action: Any = env.sample_action()
            outcomes.setdefault(action["name"], Counter())[env.step(action)[4]["outcome"]] += 1
    assert {outcome for counter in outcomes.values() for outcome in counter} == {"success", "refused"}
    succeeded = {name for name, counter in outcomes.items() if counter["success"]}
    kinds = {name: tool.kind for name, tool in env.bundle.tools.items()}
    assert len(succeeded) > 0.8 * len(kinds)
    assert sum(kinds[name] == "state_change" for name in succeeded) >= 5


def test_drawing_uses_what_the_state_holds_now() -> None:
    env = make(toys.TEA_SHOP_ID)
    env.reset(seed=0)
    reply = env.step({"name": "order_tea", "arguments": {"tea_id": "T-1", "grams": 7}})[0]
    order_id = reply.split('"order_id":"')[1].split('"')[0]
    drawn = [env.action_space.sample() for _ in range(400)]
    assert order_id in {action["arguments"].get("order_id") for action in drawn}  # type: ignore[typeddict-item]
    env.reset()
    drawn = [env.action_space.sample() for _ in range(400)]
    assert order_id not in {action["arguments"].get("order_id") for action in drawn}  # type: ignore[typeddict-item]


def test_drawing_touches_neither_state_nor_clock() -> None:
    env = make(toys.TEA_SHOP_ID)
    env.reset(seed=0)
    before = env.episode.world.state(), env.episode._ambient.snapshot()
    for _ in range(50):
        env.action_space.sample()
        env.sample_action()
    assert (env.episode.world.state(), env.episode._ambient.snapshot()) == before
    assert env.sample_action() == env.sample_action()


def test_spaces_draw_before_the_first_reset() -> None:
    env = ToolEnv(toys.TEA_SHOP_ID)
    assert env.action_space.sample() in env.action_space


@pytest.mark.parametrize("id_", [toys.TEA_SHOP_ID, "envscaler/Suite-v0"])
def test_a_copied_space_draws_by_itself(id_: str) -> None:
    env = make(id_)
    env.reset(seed=0)
    for copied in (copy.deepcopy(env.action_space), pickle.loads(pickle.dumps(env.action_space))):
        assert copied == env.action_space
        assert copied.sample() in env.action_space
        env.close()
        assert copied.sample() in copied
    batched = batch_space(env.action_space, 3)
    assert all(action in env.action_space for action in batched.sample())


@pytest.mark.parametrize(
    ("action", "belongs"),
    [
        ({"content": ""}, True),
        ({"content": "x" * 10**6}, True),
        ({"content": None}, False),
        ({"content": "x", "name": "y"}, False),
        ({"name": "surprise", "arguments": {}}, True),
        ({"name": "surprise", "arguments": None}, False),
        ({"name": "surprise"}, False),
        ({"name": "surprise", "arguments": {}, "id": 1}, False),
        ({"name": "surprise", "arguments": {"x": 1}}, False),
        ({"name": "_audit", "arguments": {}}, False),
        ({"name": "list_teas", "arguments": {"limit": 3}}, True),
        ({"name": "list_teas", "arguments": {"limit": "3"}}, False),
        ({"name": "list_teas", "arguments": {3: 3}}, False),
        ({"name": Rude("surprise"), "arguments": {}}, True),
        ({"name": Rude("surprises"), "arguments": {}}, False),
        ("surprise", False),
    ],
)
def test_an_action_belongs_if_it_is_a_message_or_a_call_that_fits(action: Any, belongs: bool) -> None:
    space = make(toys.TEA_SHOP_ID).action_space
    assert (action in space) == belongs


def test_in_a_suite_every_well_formed_call_belongs() -> None:
    space = make("envscaler/Suite-v0").action_space
    assert {"name": "anything", "arguments": {"x": [1]}} in space
    assert {"name": "anything", "arguments": {1: 2}} not in space
    assert {"name": "anything"} not in space
    assert repr(space) == "ActionSpace(any tools)"


@given(JUNK, JUNK)
def test_any_junk_may_be_looked_for(name: Any, arguments: Any) -> None:
    for id_ in (toys.TEA_SHOP_ID, "envscaler/Suite-v0"):
        space = ActionSpace(None if "Suite" in id_ else make(id_).bundle.tools, lambda: (None, None, None))  # type: ignore[arg-type,return-value]
        for action in (name, {"name": name, "arguments": arguments}, {"content": name}, {name_of(name): arguments}):
            assert (action in space) in (True, False)


@pytest.mark.parametrize("odd", sorted(ODD))
def test_every_oddity_may_be_looked_for(odd: str) -> None:
    space = make(toys.TEA_SHOP_ID).action_space
    assert ODD[odd]() not in space
    assert ({"name": ODD[odd](), "arguments": {}} in space) == (odd == "rude string")
    assert {"name": "annotate", "arguments": ODD[odd]()} not in space


def name_of(value: Any) -> Any:
    return value if isinstance(value, int | float | bytes | None) else "name"


# --- drawing arguments ------------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["open", "M-1", "", "2025-01-01"])
STATES = st.dictionaries(
    st.sampled_from(["members", "orders", "status", "x"]),
    st.recursive(
        SCALARS, lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text("abc_", max_size=4), c, max_size=3)
    ),
    max_size=4,
)


@given(STATES, st.integers(0, 10**6))
def test_whatever_the_state_holds_drawn_arguments_fit(state: dict[str, Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    pool = ValuePool(state)
    for tool in registry.get_bundle(toys.TEA_SHOP_ID).tools.values():
        tool.validate(sample_arguments(tool.spec.parameters, pool, rng))


@pytest.mark.parametrize(
    ("state", "parameter", "candidates"),
    [
        ({"members": {"M-1": {"name": "A"}, "M-2": {"name": "B"}}}, "member_id", ["M-1", "M-2"]),
        ({"members": {"M-1": {"name": "A"}}}, "from_member_id", ["M-1"]),
        ({"members": {"M-1": {"name": "A"}}}, "member_ids", ["M-1"]),
        ({"orders": {"O": {"status": "open"}}}, "new_status", ["open"]),
        ({"orders": {"O": {"lines": [{"sku": "a"}, {"sku": "b"}, {"sku": "a"}]}}}, "sku", ["a", "b"]),
        ({"config": {"limit": 3, "on": True}}, "limit", [3]),
        ({"orders": {"O": {"first_name": "A"}}}, "name", ["A"]),
        ({"orders": {}}, "order_id", []),
        ({}, "anything", []),
    ],
)
def test_parameters_find_their_values(state: dict[str, Any], parameter: str, candidates: list[Any]) -> None:
    assert ValuePool(state).candidates(parameter) == candidates
