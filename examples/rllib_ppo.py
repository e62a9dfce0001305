"""RLlib's PPO with its action-masking module on the menu of calls.

    pip install torch "ray[rllib]"   # or: pip install "envscaler-gym[rllib]", in an environment of its own
    python examples/rllib_ppo.py

RLlib wants the mask inside the observation, under the keys `observations` and `action_mask`: `dict_obs=True`. It pins
an older Gymnasium, which this library works with as well.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass, fields
from typing import Any

import gymnasium as gym
import numpy as np
import ray
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.examples.rl_modules.classes.action_masking_rlm import ActionMaskingTorchRLModule
from ray.tune.registry import register_env

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
    iterations: int = 20
    batch: int = 1024
    runners: int = 0
    gamma: float = 0.99
    learning_rate: float = 1e-3
    entropy: float = 0.01
    seed: int = 0


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
    return GroundedActions(
        env, slots=config.slots, include_solution=config.include_solution, dict_obs=True, seed=config.seed
    )


def evaluate(module: Any, config: Config, split: str) -> float:
    """Play every scenario of a split once, always with the most likely action, and return the mean score."""
    env = make(config, split, shaped=False)
    scores = []
    for scenario in env.get_wrapper_attr("bundle").scenarios.values():
        if (scenario.split, scenario.difficulty) != (split, config.difficulty):
            continue
        observation, _ = env.reset(seed=1000, options={"scenario": scenario.id})
        reward, ended = 0.0, False
        while not ended:
            batch = {"obs": {name: torch.as_tensor(value)[None] for name, value in dict(observation).items()}}
            with torch.no_grad():
                logits = module.forward_inference(batch)["action_dist_inputs"]
            observation, reward, terminated, truncated, _ = env.step(int(logits.argmax()))
            ended = terminated or truncated
        scores.append(reward)
    env.close()
    return float(np.mean(scores))


def main(config: Config) -> None:
    """Train and evaluate."""
    ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    register_env("library-menu", lambda arguments: make(Config(**arguments), "train", shaped=True))
    algorithm = (
        PPOConfig()
        .environment("library-menu", env_config={f.name: getattr(config, f.name) for f in fields(Config)})
        .env_runners(num_env_runners=config.runners)
        .learners(num_learners=0)
        .rl_module(
            rl_module_spec=RLModuleSpec(
                module_class=ActionMaskingTorchRLModule, model_config={"head_fcnet_hiddens": [128, 128]}
            )
        )
        .training(
            train_batch_size_per_learner=config.batch,
            minibatch_size=min(256, config.batch),
            num_epochs=4,
            gamma=config.gamma,
            lr=config.learning_rate,
            entropy_coeff=config.entropy,
        )
        .debugging(seed=config.seed, log_level="ERROR")
        .build_algo()
    )
    for iteration in range(1, config.iterations + 1):
        result = algorithm.train()
        module = algorithm.get_module()
        train, test = (evaluate(module, config, split) for split in ("train", "test"))
        steps = result["num_env_steps_sampled_lifetime"]
        print(f"{iteration:3d}  step {int(steps):6d}  train reward {train:.3f}  test reward {test:.3f}", flush=True)
    algorithm.stop()
    ray.shutdown()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in fields(Config):
        flag = "--" + field.name.replace("_", "-")
        if isinstance(field.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default)
        else:
            parser.add_argument(flag, type=type(field.default), default=field.default)
    main(Config(**vars(parser.parse_args())))
