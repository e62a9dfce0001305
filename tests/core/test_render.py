"""The transcript that people read: whole, bounded, and out of the environment's way."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest

from envscaler_gym import ToolEnv
from tests import toys
from tests.core.transcripts import make, played

ORDER: Any = {"name": "order_tea", "arguments": {"tea_id": "T-1", "grams": 100, "note": "für dich"}}
BYE: Any = {"content": "bye"}


def tea_shop(render_mode: str | None = "ansi", **arguments: Any) -> ToolEnv:
    env = ToolEnv(toys.TEA_SHOP_ID, render_mode=render_mode, **arguments)
    env.reset(seed=0, options={"scenario": "order-sencha"})
    return env


def text(env: ToolEnv) -> str:
    rendered = env.render()
    assert isinstance(rendered, str)
    return rendered


def test_the_transcript_of_an_episode() -> None:
    env = tea_shop()
    assert text(env) == (
        "=== toys/TeaShop-v0  order-sencha (easy, train, 2025-09-01 09:00:00)\n  Order 100 g of Sencha.\n"
    )
    env.step({"name": "restock", "arguments": {"tea_id": "T-2", "bag": 50}})
    assert text(env).endswith(
        '\n[1] restock(tea_id="T-2", bag=50)\n'
        '    -> {"success":true,"message":"50 g for 0.0."}\n'
        "    ~ teas.T-2.grams: 120 -> 170\n"
    )
    env.step({"name": "get_tea", "arguments": {"tea_id": "T-3"}})
    assert text(env).endswith(
        '\n[2] get_tea(tea_id="T-3")\n    -> refused: {"success":false,"error":"There is no such tea."}\n'
    )
    env.step(ORDER)
    block = text(env).rpartition("[3] ")[2].splitlines()
    assert block[0] == 'order_tea(tea_id="T-1", grams=100, note="für dich")'
    assert block[2] == "    ~ teas.T-1.grams: 500 -> 400"
    assert block[3].startswith("    + orders.")
    env.step(BYE)
    assert text(env).endswith(
        "\n[4] says: bye\n"
        "    <- The episode has ended.\n\n"
        "=== score 1  (2 of 2 checks passed)\n"
        "  + Is 100 g of Sencha ordered?\n"
        "  + Is it off the shelf?\n"
        "  ! Is the Assam untouched?  (guard)\n"
    )
    env.reset(options={"scenario": "both"})
    assert text(env).startswith("=== toys/TeaShop-v0  both (hard")
    assert "[1]" not in text(env)


def test_checks_that_failed_could_not_answer_or_do_not_count_are_marked() -> None:
    env = tea_shop(reward="delta")
    env.reset(options={"scenario": "partly-true"})
    env.step(BYE)
    assert text(env).endswith(
        "=== score 0  (1 of 3 checks passed)\n"
        "  x Is 100 g of Sencha ordered?\n"
        "  x Is it off the shelf?\n"
        "  + Is the Assam untouched?  (true from the start: not counted)\n"
    )


@pytest.mark.parametrize(
    "action",
    [
        None,
        {},
        {"name": "x" * 10**6, "arguments": {}},
        {"content": "\ud800" * 10**5},
        {"name": "\ud800", "arguments": {}},
    ],
    ids=range(5),
)
def test_any_action_has_a_short_line_that_can_be_printed(action: Any) -> None:
    env = tea_shop(mode="conversation")
    env.step(action)
    assert len(text(env).encode()) < 5000


def test_floods_are_cut() -> None:
    env = tea_shop()
    facts = {f"fact {number}": "x" * 1000 for number in range(500)}
    env.step({"name": "annotate", "arguments": {"tea_id": "T-1", "facts": facts}})
    env.step({"name": "get_tea", "arguments": {"tea_id": "T-1"}})
    assert len(text(env)) < 4000
    env.step({"name": "annotate", "arguments": {"tea_id": "T-1", "facts": dict.fromkeys(facts, 1)}})
    assert "... and 488 more changes" in text(env)


def test_failures_are_rendered() -> None:
    env = ToolEnv(toys.HOSTILE_ID, on_error="truncate", render_mode="ansi")
    env.reset(seed=0, options={"scenario": "calm"})
    env.step({"name": "boom", "arguments": {}})
    assert "[1] boom()" in text(env)
    assert "failure" in text(env)
    assert "boom" in text(env).splitlines()[-1]


def test_rendering_changes_no_episode() -> None:
    for id_ in (toys.TEA_SHOP_ID, "envscaler/Suite-v0"):
        plain = list(played(make(id_), seed=2))
        assert list(played(make(id_, render_mode="ansi"), seed=2)) == plain


def test_people_see_the_same_as_it_grows(capsys: pytest.CaptureFixture[str]) -> None:
    env, written = tea_shop("human"), tea_shop()
    for action in (ORDER, BYE):
        env.step(action)
        written.step(action)
        assert env.render() is None
    assert capsys.readouterr().out == text(written) + "\n"


def test_without_a_mode_nothing_is_written_or_returned(capsys: pytest.CaptureFixture[str]) -> None:
    env = tea_shop(None)
    env.step(ORDER)
    assert env.render() is None
    assert capsys.readouterr().out == ""


def test_snapshots_carry_the_transcript() -> None:
    env = tea_shop()
    env.step(ORDER)
    snapshot, before = env.snapshot(), text(env)
    env.step({"name": "surprise", "arguments": {}})
    after = text(env)
    env.restore(snapshot)
    assert text(env) == before
    env.step({"name": "surprise", "arguments": {}})
    assert text(env) == after


def test_gymnasium_s_wrappers_render() -> None:
    env = gym.make(toys.TEA_SHOP_ID, render_mode="ansi")
    env.reset(seed=0)
    env.step(ORDER)
    assert "[1] order_tea(" in str(env.render())
    assert env.metadata["render_modes"] == ["ansi", "human"]


def test_a_transcript_can_be_made_of_anything_that_an_agent_sends() -> None:
    class Evil:
        def __repr__(self) -> str:
            raise RuntimeError("no text")

    class Slippery(str):
        __slots__ = ()

        def __len__(self) -> int:
            raise RuntimeError("no length")

    doubled: Any = []
    for _ in range(40):
        doubled = [doubled, doubled]
    env = ToolEnv(toys.TEA_SHOP_ID, render_mode="ansi")
    env.reset(seed=0)
    actions: list[Any] = [
        {"name": "get_tea", "arguments": {Evil(): 1}},
        {"name": Slippery("get_te"), "arguments": {"tea_id": Evil()}},
        {"name": "annotate", "arguments": {"tea_id": "T-1", "facts": {"a": doubled}}},
        doubled,
        Evil(),
        {"content": Slippery("Done.")},
    ]
    for number, action in enumerate(actions, 1):
        env.step(action)
        assert f"[{number}]" in str(env.render())
    assert "says: Done." in str(env.render())
