from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

from envscaler_gym.rollout import EvalConfig, EvalFolder, PolicyPlayer, evaluate, evaluate_on_ray, summarize_eval

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason='pip install "envscaler-gym[ray]"'),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]


def test_a_cluster_gives_the_same_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    players = tuple(PolicyPlayer(policy=name) for name in ("reference", "random"))
    config = EvalConfig.of(("envscaler/Library-v0",), players, difficulty="easy", tries=2)
    here, there = EvalFolder(tmp_path / "here", config), EvalFolder(tmp_path / "there", config)
    asyncio.run(evaluate(here))
    seen: list[str] = []
    evaluate_on_ray(there, on_result=lambda episode: seen.append(episode.policy))
    assert len(seen) == len(here.episodes)
    assert there.episodes == here.episodes
    assert summarize_eval(EvalFolder(tmp_path / "there", config).episodes) == summarize_eval(here.episodes)
