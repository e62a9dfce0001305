"""What all tests share: a user's folder that holds nothing but two toy bundles, and settings of Hypothesis."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import gymnasium as gym
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# Before anything imports the library, which registers the bundles of the user's folder.
HOME = Path(tempfile.mkdtemp(prefix="envscaler-home-"))
os.environ["ENVSCALER_HOME"] = str(HOME)
os.environ.pop("ENVSCALER_PATH", None)
# Test folders import the toys, and processes that tests start import the library.
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
sys.path.insert(0, str(ROOT))

settings.register_profile(
    "tests", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    """Save the toys to the user's folder, as reviewed ones, and register them."""
    from envscaler_gym import registry
    from tests import toys

    bundles = {"tea_shop": toys.tea_shop(), "hostile": toys.hostile()}
    for slug, bundle in bundles.items():
        bundle.save(HOME / "envs" / slug)
    reviewed = {bundle.digest: {"id": bundle.id} for bundle in bundles.values()}
    (HOME / "trust.json").write_text(json.dumps(reviewed))
    registry.register_all()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Delete the user's folder."""
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture
def clean_registry() -> Iterator[None]:
    """Put back what a test registers."""
    from envscaler_gym import registry

    before = dict(gym.registry), dict(registry._paths), list(registry._problems)
    yield
    gym.registry.clear()
    gym.registry.update(before[0])
    registry._paths.clear()
    registry._paths.update(before[1])
    registry._problems[:] = before[2]


@pytest.fixture
def run_python() -> Callable[..., str]:
    """Return a function that runs a program in a fresh interpreter and returns what it prints."""

    def run(code: str, **environment: str) -> str:
        command = [sys.executable, "-W", "error", "-c", code]
        done = subprocess.run(
            command, env=os.environ | environment, cwd="/", capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
