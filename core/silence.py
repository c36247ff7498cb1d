"""Libraries that talk of their own affairs on standard error, past Python's streams."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path


@contextmanager
def silenced() -> Iterator[None]:
    """Inside, standard error goes nowhere, whoever writes to it."""
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere, redirect_stderr(io.StringIO()):
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
