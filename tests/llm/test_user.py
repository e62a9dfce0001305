from __future__ import annotations

import asyncio
import copy
from pathlib import Path

import pytest

from envscaler_gym import ToolEnv
from envscaler_gym.errors import MissingCompletion
from envscaler_gym.llm.model import CompletionRequest
from envscaler_gym.llm.recorded import Recorded
from envscaler_gym.llm.scripted import Scripted
from envscaler_gym.llm.store import CompletionStore
from envscaler_gym.llm.user import STOP, LLMUser
from envscaler_gym.scenario import Scenario
from envscaler_gym.trajectories import replay
from envscaler_gym.wrappers import RecordTrajectory

LIBRARY = "envscaler/Library-v0"
SCENARIO = Scenario(
    id="move",
    start_state="s",
    task="Renew my books and note my move.",
    requests=("Please renew my books.", "I have moved."),
    facts={"address": "I now live at 3 Mill Lane."},
)


def test_the_model_is_told_what_it_wants_and_knows_and_sees_the_roles_turned_round() -> None:
    model = Scripted(["Please renew my books.", "3 Mill Lane."])
    user = LLMUser(model, name="m")
    first = user.reply(SCENARIO, ())
    assert first == "Please renew my books."
    assert user.reply(SCENARIO, (first, "Done. What is your address?")) == "3 Mill Lane."
    system, *rest = model.requests[1].messages
    assert all(text in system.content for text in (*SCENARIO.requests, *SCENARIO.facts.values(), STOP))
    assert [message.role for message in rest] == ["user", "assistant", "user"]
    assert rest[-1].content == "Done. What is your address?"


def test_the_model_ends_the_conversation_but_not_before_it_began() -> None:
    user = LLMUser(Scripted([STOP, f"Thanks. {STOP}"]), name="m")
    assert user.reply(SCENARIO, ()) == SCENARIO.task
    assert user.reply(SCENARIO, (SCENARIO.task, "Done.")) is None


def test_episodes_with_recorded_turns_are_replayed_without_a_model(tmp_path: Path) -> None:
    def talk(request: CompletionRequest) -> str:
        said = sum(message.role == "assistant" for message in request.messages)
        return ["One thing.", "Another thing.", STOP][said]

    store = CompletionStore(tmp_path / "completions.jsonl")
    env = RecordTrajectory(ToolEnv(LIBRARY, mode="conversation"))
    env.unwrapped.user = LLMUser(Recorded(store, Scripted(talk)), name="m")  # type: ignore[attr-defined]
    observation, _ = env.reset(seed=0)
    assert observation == "One thing."
    assert env.step({"content": "Yes?"})[0] == "Another thing."
    assert env.step({"content": "Done."})[2]
    assert env.trajectory is not None
    replay(env.trajectory, user=LLMUser(Recorded(store), name="m"))
    with pytest.raises(MissingCompletion):
        replay(env.trajectory, user=LLMUser(Recorded(store), name="another"))


def test_an_environment_may_be_stepped_inside_of_an_event_loop() -> None:
    async def play() -> str:
        env = ToolEnv(LIBRARY, mode="conversation")
        env.user = LLMUser(Scripted(["Hello."]), name="m")
        return env.reset(seed=0)[0]

    assert asyncio.run(play()) == "Hello."


def test_the_user_goes_along_with_a_copy_and_has_no_place_in_task_mode() -> None:
    class Terse:
        def reply(self, scenario: Scenario, conversation: tuple[str, ...]) -> str | None:
            return None if conversation else f"{scenario.id}, please."

    env = ToolEnv(LIBRARY, mode="conversation")
    env.user = Terse()
    env.reset(seed=0)
    again = copy.deepcopy(env)
    assert again.reset(seed=1)[0] == env.reset(seed=1)[0]
    assert again.reset(seed=1)[0].endswith(", please.")
    with pytest.raises(ValueError, match="There is no user in task mode"):
        ToolEnv(LIBRARY).user = Terse()
