"""Recordings wait for a worker in a queue of bounded length."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, TypeVar

from ..core.errors import ToolkitError

T = TypeVar("T")
_LONGEST_WAIT_S = 60


class SaturatedError(ToolkitError):
    """All places are taken; `retry_s` is when one may be free."""

    def __init__(self, retry_s: int) -> None:
        super().__init__("the service is busy; try again later")
        self.retry_s = retry_s


class StoppedError(ToolkitError):
    """Nobody waits for the result any more."""


class Work:
    """Threads that do jobs in the order in which they came."""

    def __init__(self, workers: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(workers, "restoring")
        self._workers, self._places = workers, workers + waiting
        self._usual_s = 1.0
        self.inside = 0

    def check(self) -> None:
        """Raise `SaturatedError` where there is no place for a job now."""
        if self.inside >= self._places:
            wait_s = math.ceil(self._usual_s * self.inside / self._workers)
            raise SaturatedError(min(max(1, wait_s), _LONGEST_WAIT_S))

    async def run(
        self, job: Callable[[Callable[[], None]], T], gone: Callable[[], Coroutine[Any, Any, None]]
    ) -> T:
        """What a job gives; it is stopped once `gone` returns, or this is cancelled.

        The job is given a function to be called now and then, which raises `StoppedError` if need
        be. Raises `SaturatedError` where there is no place for it.
        """
        self.check()
        stopped = Event()

        def check() -> None:
            if stopped.is_set():
                raise StoppedError("the client has gone")

        def timed() -> T:
            check()
            began = time.perf_counter()
            made = job(check)
            self._usual_s += 0.1 * (time.perf_counter() - began - self._usual_s)
            return made

        self.inside += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, timed)
        leaving = asyncio.ensure_future(gone())
        either: set[asyncio.Future[Any]] = {future, leaving}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.set()
            leaving.cancel()
            try:
                await asyncio.wait({future})  # the place is free once the thread is
            finally:
                self.inside -= 1
        return future.result()

    def close(self) -> None:
        """Take no more jobs."""
        self._pool.shutdown(wait=False, cancel_futures=True)
