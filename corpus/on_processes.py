"""Workers as processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from functools import lru_cache
from itertools import islice
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from .clip import Clip, Outcome
from .worker import Worker

_AHEAD = 2
"""Clips taken from the source for each worker: one in work, one that waits."""


def outcomes(worker: Worker, clips: Iterable[Clip], *, count: int) -> Iterator[Outcome]:
    """What becomes of the clips as each ends, by `count` processes; one that dies is replaced."""
    with ExitStack() as opened:
        seats: SimpleQueue[_Seat] = SimpleQueue()
        for _ in range(count):
            seats.put(opened.enter_context(_Seat(worker)))
        threads = opened.enter_context(ThreadPoolExecutor(count))
        waiting = iter(clips)
        running = {threads.submit(_seated, seats, one) for one in islice(waiting, _AHEAD * count)}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {threads.submit(_seated, seats, c) for c in islice(waiting, len(done))}
                yield from (future.result() for future in done)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


class _Seat:
    """A process for one clip at a time: if it dies, that clip is why."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._process = _process()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.shutdown(cancel_futures=True)

    def __call__(self, clip: Clip) -> Outcome:
        while True:  # the spool counts attempts, and gives up
            try:
                return self._process.submit(_outcome, self._worker, clip).result()
            except BrokenProcessPool:
                self._process.shutdown()
                self._process = _process()


def _seated(seats: SimpleQueue[_Seat], clip: Clip) -> Outcome:
    seat = seats.get()
    try:
        return seat(clip)
    finally:
        seats.put(seat)


def _process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _end_with_parent)


def _end_with_parent() -> None:
    """Leave no process behind where the first one is killed: an idle one would wait for ever."""

    def watch() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _outcome(worker: Worker, clip: Clip) -> Outcome:
    return _opened(worker)(clip)


@lru_cache(maxsize=1)
def _opened(worker: Worker) -> Callable[[Clip], Outcome]:
    """Loaded once in each process."""
    return worker.opened()
