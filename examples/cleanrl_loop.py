"""PPO in one file, read from top to bottom, on the menu of calls; its network scores calls, whatever slot they are in.

    pip install torch   # or: pip install "envscaler-gym[sb3]"
    python examples/cleanrl_loop.py

In the style of CleanRL, with Gymnasium's vector environments. The same small network looks at every call on the menu,
so what it learns of one call holds for others, in scenarios that it has never seen too.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, fields
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import nn
from torch.distributions import Categorical

import envscaler_gym
from envscaler_gym.wrappers import GroundedActions, PotentialReward
from envscaler_gym.wrappers.grounding import GLOBAL_FEATURES, SLOT_FEATURES

gym.register_envs(envscaler_gym)


@dataclass(frozen=True)
class Config:
    """Every knob."""

    environment: str = "envscaler/Library-v0"
    difficulty: str = "medium"
    include_solution: bool = True
    slots: int = 32
    max_steps: int = 8
    steps: int = 30_000
    envs: int = 8
    rollout: int = 128
    minibatches: int = 4
    epochs: int = 4
    gamma: float = 0.99
    gae_lambda: float = 0.95
    learning_rate: float = 1e-3
    clip: float = 0.2
    entropy: float = 0.01
    value: float = 0.5
    hidden: int = 128
    seed: int = 0


class Agent(nn.Module):
    """Compares what an episode asks for with every call, and values the episode."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.episode = nn.Sequential(nn.Linear(GLOBAL_FEATURES, hidden), nn.Tanh())
        self.call = nn.Sequential(nn.Linear(SLOT_FEATURES, hidden), nn.Tanh())
        self.wanted = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.Tanh(), nn.Linear(hidden, hidden))
        self.finish = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1))
        self.critic = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, observation: torch.Tensor, mask: torch.Tensor) -> tuple[Categorical, torch.Tensor]:
        """Return the policy over actions and the value, for a batch."""
        calls = self.call(observation[:, GLOBAL_FEATURES:].unflatten(1, (-1, SLOT_FEATURES)))
        summary = torch.cat([self.episode(observation[:, :GLOBAL_FEATURES]), calls.mean(1)], -1)
        scores = (calls @ self.wanted(summary)[:, :, None]).squeeze(-1)
        logits = torch.cat([self.finish(summary), scores], -1)
        return Categorical(logits=logits.masked_fill(~mask, -1e9)), self.critic(summary).squeeze(-1)


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


@torch.no_grad()
def evaluate(agent: Agent, config: Config, split: str) -> dict[str, float]:
    """Play every scenario of a split once, always with the most likely action, and return the scores."""
    env = make(config, split, shaped=False)
    scores = {}
    for scenario in env.get_wrapper_attr("bundle").scenarios.values():
        if (scenario.split, scenario.difficulty) != (split, config.difficulty):
            continue
        observation, _ = env.reset(seed=1000, options={"scenario": scenario.id})
        ended = False
        while not ended:
            policy, _ = agent(torch.as_tensor(observation)[None], torch.as_tensor(env.action_masks())[None])
            observation, reward, terminated, truncated, _ = env.step(int(policy.probs.argmax()))
            ended = terminated or truncated
        scores[scenario.id] = float(reward)
    env.close()
    return scores


def main(config: Config) -> None:
    """Train and evaluate."""
    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    envs = gym.vector.SyncVectorEnv(
        [lambda: make(config, "train", shaped=True)] * config.envs, autoreset_mode=AutoresetMode.SAME_STEP
    )
    agent = Agent(config.hidden)
    optimizer = torch.optim.Adam(agent.parameters(), lr=config.learning_rate, eps=1e-5)
    started = time.perf_counter()

    shape = (config.rollout, config.envs)
    observations = torch.zeros((*shape, GLOBAL_FEATURES + config.slots * SLOT_FEATURES))
    masks = torch.zeros((*shape, config.slots + 1), dtype=torch.bool)
    actions, log_probs = torch.zeros(shape, dtype=torch.long), torch.zeros(shape)
    rewards, ends, values = torch.zeros(shape), torch.zeros(shape), torch.zeros(shape)

    observation, info = envs.reset(seed=config.seed)
    for update in range(1, config.steps // (config.rollout * config.envs) + 1):
        for t in range(config.rollout):
            observations[t], masks[t] = torch.as_tensor(observation), torch.as_tensor(info["action_mask"] == 1)
            with torch.no_grad():
                policy, values[t] = agent(observations[t], masks[t])
            actions[t] = policy.sample()
            log_probs[t] = policy.log_prob(actions[t])
            observation, reward, terminated, truncated, info = envs.step(actions[t].numpy())
            rewards[t], ends[t] = torch.as_tensor(reward), torch.as_tensor(terminated | truncated)

        with torch.no_grad():
            _, following = agent(torch.as_tensor(observation), torch.as_tensor(info["action_mask"] == 1))
            advantages = torch.zeros(shape)
            last = torch.zeros(config.envs)
            for t in reversed(range(config.rollout)):
                going = 1 - ends[t]
                delta = rewards[t] + config.gamma * following * going - values[t]
                advantages[t] = last = delta + config.gamma * config.gae_lambda * going * last
                following = values[t]
            returns = advantages + values

        flat = [x.flatten(0, 1) for x in (observations, masks, actions, log_probs, advantages, returns)]
        for _ in range(config.epochs):
            for picked in np.array_split(rng.permutation(config.rollout * config.envs), config.minibatches):
                obs, mask, action, old, advantage, target = (x[torch.as_tensor(picked)] for x in flat)
                policy, value = agent(obs, mask)
                ratio = (policy.log_prob(action) - old).exp()
                advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
                gain = torch.min(ratio * advantage, ratio.clamp(1 - config.clip, 1 + config.clip) * advantage).mean()
                loss = config.value * (value - target).square().mean() - gain - config.entropy * policy.entropy().mean()
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
                optimizer.step()

        if update % 2 == 0:
            train, test = (np.mean(list(evaluate(agent, config, split).values())) for split in ("train", "test"))
            minutes = (time.perf_counter() - started) / 60
            step = update * config.rollout * config.envs
            print(f"step {step:6d}  train reward {train:.3f}  test reward {test:.3f}  {minutes:.1f} min", flush=True)
    for split in ("train", "test"):
        for name, score in evaluate(agent, config, split).items():
            print(f"{split:5s} {name:30s} reward {score:.3f}")
    envs.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in fields(Config):
        flag = "--" + field.name.replace("_", "-")
        if isinstance(field.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default)
        else:
            parser.add_argument(flag, type=type(field.default), default=field.default)
    main(Config(**vars(parser.parse_args())))
