from __future__ import annotations

import pytest

from envscaler_gym.scenario import Scenario
from envscaler_gym.users import ScriptedUser

SCENARIO = Scenario(
    id="move",
    start_state="s",
    task="Renew my books and tell the library about my move.",
    requests=("Please renew all my books.", "And I have moved.", "Then cancel my hold."),
    facts={
        "card number": "My card has the number 4417.",
        "address": "I now live at 3 Mill Lane.",
        "new address": "It is the red house.",
    },
)
NOTHING = "I have nothing to add to that. Please go by what I told you and what you can look up."


def talk(*turns: str, scenario: Scenario = SCENARIO) -> list[str | None]:
    """Return all that the user says while the agent says ``turns``."""
    user = ScriptedUser()
    conversation: tuple[str, ...] = ()
    heard = [user.reply(scenario, conversation)]
    for turn in turns:
        conversation = (*conversation, heard[-1] or "", turn)
        heard.append(user.reply(scenario, conversation))
    return heard


def test_requests_come_one_at_a_time_and_then_it_ends() -> None:
    assert talk("All renewed.", "Noted.", "Cancelled.") == [*SCENARIO.requests, None]


@pytest.mark.parametrize(
    "turn",
    ["Done. Anything else?", "What else can I do for you?", "Done! How may I help you further?", "Any other requests?"],
)
def test_asked_for_more_it_goes_on(turn: str) -> None:
    assert talk(turn)[-1] == SCENARIO.requests[1]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is your card number?", "My card has the number 4417."),
        ("Could you give me the NUMBER of your card, please?", "My card has the number 4417."),
        ("Which address?", "I now live at 3 Mill Lane."),
        ("What are your card numbers and your address?", "My card has the number 4417. I now live at 3 Mill Lane."),
        ("What is your new address?", "I now live at 3 Mill Lane. It is the red house."),
        ("What is your date of birth?", NOTHING),
        ("Are you sure?", NOTHING),
    ],
)
def test_it_answers_what_it_knows_and_invents_nothing(question: str, answer: str) -> None:
    assert talk(question) == [SCENARIO.requests[0], answer]


def test_a_question_does_not_use_up_a_request() -> None:
    assert talk("What is your card number?", "All renewed.")[-1] == SCENARIO.requests[1]


def test_questions_without_end_come_to_an_end() -> None:
    heard = talk(*["Are you sure?"] * 12)
    assert heard[-1] is None
    assert [turn for turn in heard if turn != NOTHING] == [*SCENARIO.requests, None]


def test_a_scenario_without_requests_is_said_as_a_whole() -> None:
    plain = SCENARIO.model_copy(update={"requests": ()})
    assert talk("Done.", scenario=plain) == [SCENARIO.task, None]
