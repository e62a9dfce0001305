"""Property tests of an environment: what holds for every episode, and the shortest program where something does not.

    python examples/property_test.py

It needs Hypothesis: pip install "envscaler-gym[testing]". Under pytest, ``TestDesk = Desk.TestCase`` takes the place of
``run_state_machine_as_test``.
"""

from typing import Any

import gymnasium as gym
from hypothesis import Phase, given, settings
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

import envscaler_gym
from envscaler_gym.quality import state_machine
from envscaler_gym.quality.strategies import CallSequence, call_sequences, present

ENVIRONMENT = "envscaler/Library-v0"
EFFORT = settings(
    max_examples=40,
    stateful_step_count=30,
    phases=[Phase.generate, Phase.shrink],  # not Phase.explain, which takes longer than the others
    derandomize=True,  # the same every time; leave it out to try something new
    database=None,
)

gym.register_envs(envscaler_gym)
env = gym.make(ENVIRONMENT, max_steps=100)
rewards: list[float] = []


# A property of episodes: whatever is called, the reward is a fraction.
@EFFORT
@given(call_sequences(envscaler_gym.registry.get_bundle(ENVIRONMENT)))
def rewards_are_fractions(sequence: CallSequence) -> None:
    """Play the calls, end the episode and look at the reward."""
    env.reset(seed=0, options={"scenario": sequence.scenario})
    for call in sequence.calls:
        env.step(call.to_action())
    reward = float(env.step({"content": "Done."})[1])
    assert 0 <= reward <= 1
    rewards.append(reward)


rewards_are_fractions()
print(f"{len(rewards)} episodes, the best reward {max(rewards)}")

# A state machine: one rule per tool, and after each call everything that must hold in any environment.
Machine: Any = state_machine(ENVIRONMENT)


class Desk(Machine):  # type: ignore[misc]  # made at run time
    """What must hold at this desk in particular."""

    @rule(member_id=present("member_id"), copy_id=present("copy_id"))
    def what_is_lent_is_listed(self, member_id: str, copy_id: str) -> None:
        """Lend a copy; if that works, the member's loans name it."""
        if self.call("lend_copy", member_id=member_id, copy_id=copy_id)["success"]:
            loans = self.call("list_loans", member_id=member_id)["data"]
            assert copy_id in [loan["copy_id"] for loan in loans]

    @invariant()
    def payments_stay(self) -> None:
        """Nothing takes a payment back."""
        payments = self.state["payments"]
        assert self.initial_state["payments"].items() <= payments.items()


run_state_machine_as_test(Desk, settings=EFFORT)
print("the desk does what it must")


class WishfulDesk(Machine):  # type: ignore[misc]  # made at run time
    """Something that is not so, to see what a failure looks like."""

    @invariant()
    def nobody_leaves_the_queue(self) -> None:
        """Claim that who waits for a book keeps waiting."""
        for reservation_id, reservation in self.initial_state["reservations"].items():
            if reservation["status"] == "waiting":
                now = self.state["reservations"][reservation_id]["status"]
                assert now == "waiting", f"{reservation_id} is {now}"


try:
    run_state_machine_as_test(WishfulDesk, settings=EFFORT)
    raise SystemExit("everybody kept waiting")
except AssertionError as error:
    print("\nthe shortest program that shows otherwise:\n")
    print(next(note for note in error.__notes__ if note.startswith("import gymnasium")))
