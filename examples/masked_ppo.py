"""A small agent learns medium scenarios of the library with MaskablePPO, and the learning curve is drawn.

    pip install torch stable-baselines3 sb3-contrib matplotlib   # or: pip install "envscaler-gym[sb3]"
    python examples/masked_ppo.py

The agent has no language: it chooses from a menu of calls and sees numbers (envscaler_gym.wrappers.GroundedActions).
With `include_solution` the calls of the reference solution are on the menu, among dozens of others; the agent has to
find out which, and in which order. Without it (`--no-include-solution`) the menu comes from the task's words alone, and
not every task can be solved in full. Evaluation takes the most likely action, without the shaped reward.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from matplotlib.figure import Figure
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

import envscaler_gym
from envscaler_gym.wrappers import GroundedActions, PotentialReward

gym.register_envs(envscaler_gym)


@dataclass(frozen=True)
class Config:
    """Every knob."""

    environment: str = "envscaler/Library-v0"
    difficulty: str = "medium"
    include_solution: bool = True
    slots: int = 32
    max_steps: int = 8
    steps: int = 20_000
    envs: int = 8
    seed: int = 0
    gamma: float = 0.99
    learning_rate: float = 1e-3
    entropy: float = 0.01
    evaluate_every: int = 2_048
    random_episodes: int = 10
    picture: str = "masked_ppo.png"


def make(config: Config, split: str, *, shaped: bool) -> GroundedActions:
    """Return the environment that the agent acts in."""
    env: gym.Env[Any, Any] = gym.make(
        config.environment,
        split=split,
        difficulty=config.difficulty,
        max_steps=config.max_steps,
        disable_env_checker=True,
    )
    if shaped:
        env = PotentialReward(env, gamma=config.gamma)
    return GroundedActions(env, slots=config.slots, include_solution=config.include_solution, seed=config.seed)


def evaluate(config: Config, split: str, policy: Any, episodes: int = 1) -> dict[str, float]:
    """Play every scenario of a split and return its mean score."""
    env = make(config, split, shaped=False)
    scores = {}
    bundle = env.get_wrapper_attr("bundle")
    for scenario in (s.id for s in bundle.scenarios.values() if (s.split, s.difficulty) == (split, config.difficulty)):
        total = 0.0
        for episode in range(episodes):
            observation, _ = env.reset(seed=1000 + episode, options={"scenario": scenario})
            ended = False
            while not ended:
                observation, reward, terminated, truncated, _ = env.step(policy(observation, env.action_masks()))
                ended = terminated or truncated
                total += reward
        scores[scenario] = total / episodes
    env.close()
    return scores


class Curve(BaseCallback):
    """Evaluates now and then."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.points: list[tuple[int, float, float]] = []
        self.started = time.perf_counter()
        self.next = 0

    def _on_step(self) -> bool:
        if self.num_timesteps >= self.next:
            self.next += self.config.evaluate_every
            self.measure()
        return True

    def measure(self) -> None:
        """Add a point to the curve."""
        train, test = (mean(evaluate(self.config, split, self.choose)) for split in ("train", "test"))
        self.points = [point for point in self.points if point[0] != self.num_timesteps]
        self.points.append((self.num_timesteps, train, test))
        minutes = (time.perf_counter() - self.started) / 60
        figures = f"train reward {train:.3f}  test reward {test:.3f}"
        print(f"step {self.num_timesteps:6d}  {figures}  {minutes:.1f} min", flush=True)

    def choose(self, observation: Any, mask: Any) -> int:
        """Return the most likely action."""
        return int(self.model.predict(observation, action_masks=mask, deterministic=True)[0])


def mean(scores: dict[str, float]) -> float:
    """Return the mean over scenarios."""
    return float(np.mean(list(scores.values())))


def draw(config: Config, points: list[tuple[int, float, float]], baselines: dict[str, float]) -> None:
    """Write the learning curve as a picture."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    steps, train, test = zip(*points, strict=True)
    axes.plot(steps, train, label="train scenarios")
    axes.plot(steps, test, label="test scenarios, never trained on")
    for policy, style in (("random", "--"), ("do nothing", ":")):
        axes.axhline(baselines[f"{policy}, train"], linestyle=style, color="gray", label=f"{policy}, train scenarios")
    title = f"MaskablePPO, {config.difficulty} {config.environment}"
    axes.set(xlabel="steps", ylabel="mean reward", ylim=(-0.02, 1.02), title=title)
    axes.legend(loc="center right")
    figure.savefig(config.picture, dpi=150)


def main(config: Config) -> None:
    """Train, evaluate against baselines and draw."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(config.seed)
    baselines: dict[str, float] = {}
    for split in ("train", "test"):
        random = evaluate(config, split, lambda _, mask: int(rng.choice(np.flatnonzero(mask))), config.random_episodes)
        noop = evaluate(config, split, lambda _, __: 0)
        baselines |= {f"random, {split}": mean(random), f"do nothing, {split}": mean(noop)}
    print(", ".join(f"{name}: reward {value:.3f}" for name, value in baselines.items()))

    envs = DummyVecEnv([lambda: Monitor(make(config, "train", shaped=True)) for _ in range(config.envs)])
    model = MaskablePPO(
        "MlpPolicy",
        envs,
        n_steps=128,
        batch_size=256,
        gamma=config.gamma,
        learning_rate=config.learning_rate,
        ent_coef=config.entropy,
        policy_kwargs={"net_arch": [128, 128]},
        seed=config.seed,
    )
    curve = Curve(config)
    model.learn(config.steps, callback=curve)
    curve.measure()
    for split in ("train", "test"):
        for scenario, score in evaluate(config, split, curve.choose).items():
            print(f"{split:5s} {scenario:30s} reward {score:.3f}")
    draw(config, curve.points, baselines)
    print(f"learning curve: {Path(config.picture).resolve()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in fields(Config):
        flag = "--" + field.name.replace("_", "-")
        if isinstance(field.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default)
        else:
            parser.add_argument(flag, type=type(field.default), default=field.default)
    main(Config(**vars(parser.parse_args())))
