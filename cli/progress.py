"""A bar on stderr while a verb works, where somebody is looking."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def counting(label: str, *, total: int, quiet: bool) -> Iterator[Callable[[], None]]:
    """A bar of `total`, and the function that moves it by one."""
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
