"""Libraries that talk of their own affairs, kept from it: in logs, on streams, over the network."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path


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


@contextmanager
def silenced() -> Iterator[None]:
    """Inside, standard error goes nowhere, whoever writes to it, past Python's streams too."""
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere, redirect_stderr(io.StringIO()):
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def refuse_telemetry() -> None:
    """Let packages that tell their makers of their use, unasked, find nothing to tell with.

    To be called before they are imported.
    """
    # openvino, already when it is imported, and nncf tell with it, and do without it.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
