"""The same stages on Ray come to the same bundles."""

from __future__ import annotations

import asyncio
import importlib.util
import warnings
from pathlib import Path

import pytest

from envscaler_gym.synthesis.running import run_synthesis
from envscaler_gym.synthesis.switchboard import Access
from tests.synthesis.shed_runs import begin, carry_out, files_of, scripted

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
    pytest.mark.enable_socket,
    pytest.mark.usefixtures("clean_registry"),
]


def test_ray_comes_to_the_same_bundles_and_reports_what_happened(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    local, spread = begin(tmp_path, "local"), begin(tmp_path, "spread")
    wanted, _ = carry_out(local)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        import ray

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
        request.addfinalizer(ray.shutdown)
        stopped = asyncio.run(run_synthesis(spread, Access(scripted, max_calls=9), engine="ray"))
        assert stopped.status == "stopped"
        assert "resume the run" in stopped.reason
        events: list[object] = []
        report = asyncio.run(run_synthesis(spread, Access(scripted), engine="ray", watch=events.append))
    assert report.status == "finished"
    assert report.usage == wanted.usage
    assert files_of(spread) == files_of(local)
    assert {type(event).__name__ for event in events} == {
        "Planned",
        "Started",
        "Answered",
        "Tried",
        "Finished",
        "Ended",
    }
