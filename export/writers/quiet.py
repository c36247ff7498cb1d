"""Converters that talk of their own affairs, kept quiet for as long as they run."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def quiet(name: str | None = None) -> Iterator[None]:
    """Inside, only errors of the logger `name` (None: the root) come through, and no prints."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):  # standard output is for results
            yield
    finally:
        logger.setLevel(level)
