"""A bar on stderr while a verb works, where somebody is looking."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
LINE_EVERY_S = 30.0
"""How often work is told of where no terminal shows a bar."""


@contextmanager
def counting(label: str, *, total: int | None, quiet: bool) -> Iterator[Callable[[], None]]:
    """A bar of `total` (None: of unknown length), and the function that moves it by one."""
    from rich.console import Console
    from rich.progress import Progress

    hidden = quiet or not sys.stderr.isatty()
    with Progress(console=Console(stderr=True), transient=True, disable=hidden) as progress:
        task = progress.add_task(label, total=total)
        yield lambda: progress.advance(task)


def tracked(items: Iterable[T], label: str, *, total: int, quiet: bool) -> Iterator[T]:
    """The items, with a bar of `total` while they are taken."""
    with counting(label, total=total, quiet=quiet) as advance:
        for item in items:
            yield item
            advance()


@contextmanager
def seconds_of(files: Sequence[Path], *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """A function that is told of seconds of audio that are done: a bar, or a line now and then."""
    if quiet:
        yield lambda seconds: None
        return
    total_s = sum(_duration_s(file) for file in files)
    if not sys.stderr.isatty():
        yield _Lines(total_s)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("restoring", total=total_s)
        yield lambda seconds: bar.advance(task, seconds)


class _Lines:
    """Says on stderr how much is done, every `LINE_EVERY_S`."""

    def __init__(self, total_s: float) -> None:
        self._total_s, self._done_s, self._told = total_s, 0.0, time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, seconds: float) -> None:
        with self._lock:
            self._done_s += seconds
            now = time.monotonic()
            if now - self._told >= LINE_EVERY_S:
                self._told = now
                print(f"restored {self._done_s:.0f} of {self._total_s:.0f} s", file=sys.stderr)


def _duration_s(path: Path) -> float:
    from ..audio.reading.reader import header_s

    try:
        return (header_s(path) or 0.0) if path.is_file() else 0.0
    except OSError:
        return 0.0  # told when its turn comes
