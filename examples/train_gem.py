"""A policy without a network learns a scenario through GEM: text in, text out, in a vector of environments.

    pip install "envscaler-gym[gem]"
    python examples/train_gem.py

The policy holds a table: for each step of an episode, how much it likes each of a few things to say. They are the
calls of the reference solution, calls drawn at random, and "Done."; REINFORCE finds out which to say, and when. A
language model takes the table's place in GEM's trainers (Oat, ROLL, verl), which play the very same environments.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, fields
from typing import Any

import gem
import numpy as np

import envscaler_gym.integrations.gem  # noqa: F401 - registers the environments with GEM
from envscaler_gym.registry import get_bundle


@dataclass(frozen=True)
class Config:
    """Every knob."""

    environment: str = "envscaler:Library-v0"
    difficulty: str = "medium"
    random_calls: int = 8
    episodes: int = 16
    steps: int = 100
    horizon: int = 10
    learning_rate: float = 2.0
    seed: int = 0


def things_to_say(config: Config) -> list[str]:
    """Return the texts that the policy chooses from."""
    env = gem.make(config.environment, difficulty=config.difficulty, split="train")
    first, info = env.reset(seed=config.seed)
    print(f"{info['environment']}, {info['scenario']}: a first observation of {len(first):,} characters ends with\n")
    scenario = get_bundle(info["environment"]).scenario(info["scenario"])
    print(f"    {scenario.task}\n")
    calls = [{"name": call.name, "arguments": dict(call.arguments)} for call in scenario.solution]
    texts = [f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in calls]
    for _ in range(config.random_calls):
        texts.append(env.sample_random_action())
        env.step(texts[-1])
    env.close()
    return [*texts, "Done."]


def play(config: Config, envs: Any, texts: list[str], logits: Any, rng: Any) -> tuple[list[list[int]], Any]:
    """Play an episode in each environment, and return what was said and the rewards."""
    envs.reset(seed=[config.seed] * config.episodes)  # the same scenario in all of them
    said: list[list[int]] = [[] for _ in range(config.episodes)]
    rewards = np.zeros(config.episodes)
    running = list(range(config.episodes))
    while running:
        for i in running:
            p = np.exp(logits[len(said[i])])
            said[i].append(int(rng.choice(len(texts), p=p / p.sum())))
        _, gained, terminated, _, _ = envs.step({i: texts[said[i][-1]] for i in running})
        rewards[running] += gained
        running = [i for i, ended in zip(running, terminated, strict=True) if not ended]
    return said, rewards


def main(config: Config) -> None:
    """Learn, and print how the reward rises."""
    texts = things_to_say(config)
    envs = gem.make_vec(
        [config.environment] * config.episodes,
        difficulty=config.difficulty,
        split="train",
        max_steps=config.horizon,  # an episode that gets there is graded as it stands
    )
    rng = np.random.default_rng(config.seed)
    logits = np.zeros((config.horizon, len(texts)))
    means = []
    for step in range(config.steps):
        said, rewards = play(config, envs, texts, logits, rng)
        means.append(float(rewards.mean()))
        advantages = (rewards - rewards.mean()) / (rewards.std() + 1e-8)
        slope = np.zeros_like(logits)
        for choices, advantage in zip(said, advantages, strict=True):
            for t, choice in enumerate(choices):
                p = np.exp(logits[t])
                slope[t] -= advantage * p / p.sum()
                slope[t, choice] += advantage
        logits += config.learning_rate * slope / config.episodes
        if (step + 1) % max(1, config.steps // 10) == 0:
            print(f"step {step + 1:4d}  mean reward {means[-1]:.3f}")
    tenth = max(1, config.steps // 10)
    print(f"mean reward of the first {tenth} steps: {np.mean(means[:tenth]):.3f}")
    print(f"mean reward of the last {tenth} steps: {np.mean(means[-tenth:]):.3f}")
    for env in envs.envs:
        env.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in fields(Config):
        parser.add_argument("--" + field.name.replace("_", "-"), type=type(field.default), default=field.default)
    main(Config(**vars(parser.parse_args())))
