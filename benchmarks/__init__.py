"""Benchmarks: how much the library costs over the bare calls, as ratios measured side by side in one run.

Run them with ``python -m benchmarks`` from the root of the repository.
"""
