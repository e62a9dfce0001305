"""Random rollouts in four processes at once, over every environment that comes with the library.

python examples/vector_rollout.py
"""

import gymnasium as gym
import numpy as np

import envscaler_gym

gym.register_envs(envscaler_gym)

if __name__ == "__main__":
    envs = gym.make_vec("envscaler/Suite-v0", num_envs=4, vectorization_mode="async", split="train", max_steps=20)
    assert isinstance(envs, gym.vector.AsyncVectorEnv)
    observations, infos = envs.reset(seed=0)
    returns: list[float] = []
    for _ in range(200):
        # The vector environment's own action space is a copy; the environments know what their episodes hold.
        actions = envs.call("sample_action")
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        returns += [float(reward) for reward, end in zip(rewards, terminated | truncated, strict=True) if end]
    print(f"{len(returns)} episodes, mean reward {np.mean(returns):.3f}")
    envs.close()
