"""Signals that end the program: every clean-up is done, and no signal is lost on the way."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any

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
            signal.signal(number, lambda got, _: sys.exit(128 + got))
    sys.unraisablehook = _sent_again_or(before)
    try:
        yield
    finally:
        sys.unraisablehook = before


def _sent_again_or(otherwise: Callable[[Any], object]) -> Callable[[Any], object]:
    def hook(lost: Any) -> None:
        if not isinstance(lost.exc_value, (KeyboardInterrupt, SystemExit)):
            otherwise(lost)
            return
        number = getattr(lost.exc_value, "code", 128 + signal.SIGINT) - 128
        # By a thread: here it would be raised where it was lost.
        Timer(_SOON_S, os.kill, (os.getpid(), number)).start()

    return hook
