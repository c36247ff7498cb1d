"""Signals that end the program: every clean-up is done, and no signal is lost on the way."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any, NoReturn

_SOON_S = 0.05


@contextmanager
def heard() -> Iterator[None]:
    """End by SIGTERM and SIGHUP as by SIGINT: with an exception, so that drafts are removed.

    Where Python cannot pass the exception on, as when the signal comes while a generator that
    nobody needs is closed, it would print it and go on; here the signal is sent once more.
    """
    before = sys.unraisablehook
    for name in ("SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):  # Windows knows no SIGHUP
            signal.signal(number, _end)
    sys.unraisablehook = _sent_again_or(before)
    try:
        yield
    finally:
        sys.unraisablehook = before


class _End(SystemExit):
    """What a signal other than SIGINT raises."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def _end(number: int, _frame: object) -> NoReturn:
    raise _End(number)


def _sent_again_or(otherwise: Callable[[Any], object]) -> Callable[[Any], object]:
    def hook(lost: Any) -> None:
        match lost.exc_value:
            case KeyboardInterrupt():
                number = int(signal.SIGINT)
            case _End(number=number):
                pass
            case _:  # an exit that no signal asked for, too
                otherwise(lost)
                return
        # By a thread: here it would be raised where it was lost.
        Timer(_SOON_S, os.kill, (os.getpid(), number)).start()

    return hook
