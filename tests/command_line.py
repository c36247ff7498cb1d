"""What a run of the command line is given and leaves, for the fixtures `run` and `clip`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """What a run of the command line left: exit code and streams."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]
Clip = Callable[..., Path]
