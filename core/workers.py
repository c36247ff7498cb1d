"""Chunks side by side: the threads that compute them, and the order in which they come back."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


class Workers:
    """So many threads, which all who share a restorer share; with one, whoever calls computes.

    They are started when they are first needed, and anew in a forked process, which has none.
    """

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0
        self._starting = Lock()

    def map(self, function: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
        """What the function makes of each item, in order; few items are taken ahead of time."""
        if self.count == 1:
            yield from map(function, items)
            return
        pool, underway = self._started(), deque[Future[Made]]()
        try:
            for item in items:
                underway.append(pool.submit(function, item))
                # One more than there are threads: none waits while its result is written.
                if len(underway) > self.count:
                    yield underway.popleft().result()
            while underway:
                yield underway.popleft().result()
        finally:
            for future in underway:
                future.cancel()

    def _started(self) -> ThreadPoolExecutor:
        if self._process != os.getpid():
            self._starting = Lock()  # a fork may have caught it taken
        with self._starting:
            if self._pool is None or self._process != os.getpid():
                self._pool = ThreadPoolExecutor(self.count, "restore")
                self._process = os.getpid()
            return self._pool
