"""Search by forking: try random calls from every snapshot and keep the best.

    python examples/fork_search.py

A snapshot is a whole episode, so a search needs neither replays nor copies of the environment. The environment grades
only at the end, so each candidate is ended with a message, looked at, and thrown away.
"""

from dataclasses import dataclass

import gymnasium as gym

import envscaler_gym

gym.register_envs(envscaler_gym)


@dataclass(frozen=True)
class Config:
    """Every knob of the search."""

    scenario: str = "renew-before-trip"
    depth: int = 6
    tries: int = 150
    seed: int = 1


config = Config()
env = gym.make("envscaler/Library-v0").unwrapped
assert isinstance(env, envscaler_gym.ToolEnv)
env.reset(seed=config.seed, options={"scenario": config.scenario})
env.action_space.seed(config.seed)

best, best_reward = env.snapshot(), 0.0
for depth in range(config.depth):
    here = best
    for _ in range(config.tries):
        env.restore(here)
        action = env.action_space.sample()
        if env.step(action)[4]["outcome"] != "success":
            continue
        candidate = env.snapshot()
        reward = env.step({"content": ""})[1]
        if reward > best_reward:
            best, best_reward = candidate, reward
            print(f"depth {depth}: {action} -> {reward}")
    if best is here:
        break
print(f"best reward {best_reward}")
env.close()
