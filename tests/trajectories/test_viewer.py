from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envscaler_gym import ToolEnv, registry
from envscaler_gym.rollout import plan_episodes, run_policy
from envscaler_gym.rollout.policies import RandomPolicy, ReferencePolicy
from envscaler_gym.trajectories import Trajectory, read_trajectories, view_page
from envscaler_gym.trajectories.viewer import state_changes
from envscaler_gym.wrappers import RecordTrajectory

LIBRARY = "envscaler/Library-v0"
HOSTILE_TEXT = '</script><script>document.title = "taken over"</script><img src=x onerror="document.title=1">'


def trajectories(tmp_path: Path) -> list[Trajectory]:
    path = tmp_path / "t.jsonl"
    plan = plan_episodes(LIBRARY, episodes=3)
    list(run_policy(plan, RandomPolicy(), record=path, name="random"))
    list(run_policy(plan, ReferencePolicy(), record=path, name="reference"))
    return list(read_trajectories(path))


def hostile_trajectory() -> Trajectory:
    env = RecordTrajectory(ToolEnv(LIBRARY))
    env.reset(seed=0)
    env.step({"name": "search_books", "arguments": {"title": HOSTILE_TEXT}})
    env.step({"content": HOSTILE_TEXT})
    assert env.trajectory is not None
    return env.trajectory.model_copy(update={"policy": HOSTILE_TEXT})


def data_in(page: str) -> Any:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert match is not None
    return json.loads(match[1])


def test_the_page_holds_every_episode_with_the_changes_of_its_state(tmp_path: Path) -> None:
    recorded = trajectories(tmp_path)
    shown = data_in(view_page(recorded))
    assert [episode["scenario"] for episode in shown] == [trajectory.scenario for trajectory in recorded]
    for trajectory, episode in zip(recorded, shown, strict=True):
        states = [trajectory.start, *(step.state for step in trajectory.steps)]
        changed = [before != after for before, after in itertools.pairwise(states)]
        assert [bool(step["changes"]) for step in episode["steps"]] == changed
    assert any(changes for changes in state_changes(recorded[-1], registry.get_bundle(LIBRARY)))


def test_without_the_bundle_the_changes_are_left_out(tmp_path: Path) -> None:
    (trajectory, *_) = trajectories(tmp_path)
    for other in ({"environment": "gone/Gone-v0"}, {"bundle": "sha256:0"}):
        (shown,) = data_in(view_page([trajectory.model_copy(update=other)]))
        assert all("changes" not in step for step in shown["steps"])


def test_nothing_that_was_said_can_end_the_data() -> None:
    page = view_page([hostile_trajectory()])
    assert page.count("</script>") == 2
    assert data_in(page)[0]["steps"][1]["action"]["content"] == HOSTILE_TEXT


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    selenium = pytest.importorskip("selenium", reason="selenium is not installed; pip install selenium")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed")
    from selenium import webdriver

    assert selenium
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync"):
        options.add_argument(f"--{option}")
    options.add_argument("--disable-background-networking")
    options.add_argument("--disable-component-update")
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield running
    running.quit()


@pytest.mark.enable_socket
def test_the_keyboard_is_enough(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    recorded = trajectories(tmp_path)
    page = tmp_path / "page.html"
    page.write_text(view_page(recorded), "utf-8")
    browser.get(page.as_uri())

    def press(*keys: str) -> None:
        for key in keys:
            browser.switch_to.active_element.send_keys(key)

    def text(css: str) -> str:
        return " | ".join(element.text for element in browser.find_elements("css selector", css))

    assert text("#count") == "6 of 6"
    assert recorded[0].scenario in text("h1")
    assert recorded[0].observation.split()[0] in text("main")
    press("j", "j", Keys.ARROW_DOWN)
    assert recorded[3].scenario in text("h1")
    assert "reward 1" in text("h1")
    assert "Changes of the state" in text("main")
    assert f"Checks ({len((recorded[3].score or {})['checks'])} of" in text("main")
    press("k")
    assert "reward 0" in text("h1")
    press("j", "n", "n")
    focused = browser.switch_to.active_element
    assert focused.text.startswith("2 · ")
    folded = focused.find_elements("css selector", "details:not([open])")
    press("o")
    assert all(element.get_attribute("open") for element in folded)
    press("/")
    press("no such words anywhere")
    assert text("#count") == "0 of 6"
    assert "No episode fits." in text("main")
    press(*[Keys.BACKSPACE] * 30)
    press(recorded[4].scenario)
    assert text("#count") == "2 of 6"
    press(Keys.ESCAPE)
    assert browser.switch_to.active_element.get_attribute("id") == "list"
    errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not errors


@pytest.mark.enable_socket
def test_what_was_said_is_shown_and_never_run(browser: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(view_page([hostile_trajectory()]), "utf-8")
    browser.get(page.as_uri())
    assert browser.title == "Trajectories"
    assert HOSTILE_TEXT in browser.find_element("css selector", "main").text
    assert not browser.find_elements("css selector", "img")
