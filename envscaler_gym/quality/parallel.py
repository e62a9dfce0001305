"""Several bundles, in several processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from functools import partial
from queue import Empty, Queue
from typing import Any, TypeAlias

from envscaler_gym.quality.check import CALLS, check_bundle
from envscaler_gym.quality.reports import QualityReport
from envscaler_gym.registry import get_bundle

__all__ = ["BundleProgress", "check_all"]

BundleProgress: TypeAlias = Callable[[str, str, int, int], None]
"""Is told the bundle's name, what is being tried, how much of it is done, and how much there is in all."""

_News: TypeAlias = tuple[str, str, int, int]
_POLL = 0.2  # seconds between looks at how far the processes have come


def check_all(
    names: Sequence[str],
    *,
    jobs: int = 1,
    calls: int = CALLS,
    seed: int = 0,
    trust: bool = False,
    on_progress: BundleProgress | None = None,
) -> Iterator[QualityReport]:
    """Put bundles through every gate, and yield their reports in the order of the names.

    Args:
        names: Bundles as :func:`envscaler_gym.registry.find` takes them.
        jobs: Number of processes; with 1, everything happens in this one.
        calls: How many generated calls the tools of each bundle are tried with.
        seed: Seed of what is generated.
        trust: Run unreviewed code outside of workers.
        on_progress: Is told how far it has come.

    Raises:
        UnknownNameError: There is no bundle of a name.
        BundleError: A bundle is malformed.
        IsolationUnavailable: Code is to run in a worker, and this machine cannot lock one down.
    """
    check = partial(_check, calls=calls, seed=seed, trust=trust)
    if jobs == 1 or len(names) == 1:
        for name in names:
            yield check(name, tell=on_progress)
        return
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(min(jobs, len(names)), mp_context=context) as pool:
        news = manager.Queue()
        futures = [pool.submit(check, name, tell=news) for name in names]
        for future in futures:
            _await(future, news, on_progress)
            yield future.result()


def _await(future: Future[QualityReport], news: Queue[_News], on_progress: BundleProgress | None) -> None:
    done = False
    while not done:
        done = bool(wait([future], timeout=_POLL).done)
        while True:
            try:
                item = news.get_nowait()
            except Empty:
                break
            if on_progress is not None:
                on_progress(*item)


def _check(name: str, *, tell: BundleProgress | Queue[_News] | None, **options: Any) -> QualityReport:
    def progress(what: str, done: int, total: int) -> None:
        if callable(tell):
            tell(name, what, done, total)
        elif tell is not None:
            tell.put((name, what, done, total))

    return check_bundle(get_bundle(name), on_progress=progress, **options)
