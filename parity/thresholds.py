"""`thresholds.toml`, read strictly: what counts as the same, and why where it is less."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..core.bundle.schemes import Precision
from ..core.errors import UsageError

FILE = Path(__file__).with_name("thresholds.toml")
VERSION = 1
LIMITS = ("component_db", "step_db", "loop_db", "golden_db", "channel_db", "peak_db", "pipeline_db")
_NARROWING = ("component", "format", "precision", "runtime")
_LEAST_REASON = 20
"""Characters: a word is no reason."""


@dataclass(frozen=True)
class Loosened:
    """A limit that is lower for what fits `where`, and why."""

    where: Mapping[str, str]
    limit: str
    value: float
    reason: str


@dataclass(frozen=True)
class Thresholds:
    """The limits of every precision in dB, the audio budget, and the exceptions."""

    quiet_db: float
    audio: Mapping[str, float]
    floors: Mapping[str, Mapping[str, float]]
    loosened: tuple[Loosened, ...]

    def floor(self, limit: str, **where: str) -> float:
        """The limit for this component, format, precision and runtime, exceptions applied."""
        value = self.floors[where["precision"]][limit]
        for one in self.loosened:
            if one.limit == limit and one.where.items() <= where.items():
                value = min(value, one.value)
        return value


@cache
def load(path: Path = FILE) -> Thresholds:
    """Read the file.

    Raises `UsageError` for another version, a missing or unknown key, and for a loosened limit
    that has no reason or is not lower than what it replaces.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return _parsed(values)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: not a file of thresholds: {error}") from error


def _parsed(values: dict[str, Any]) -> Thresholds:
    if (version := values.pop("version")) != VERSION:
        raise ValueError(f"version {version}; this reader knows {VERSION}")
    floors: dict[str, dict[str, float]] = values.pop("floors")
    if floors.keys() != set(Precision):
        raise ValueError(f"floors for {', '.join(floors)}; needed: {', '.join(Precision)}")
    for precision, limits in floors.items():
        _check_names(limits, precision)
    loosened = tuple(_loosened(row, floors) for row in values.pop("loosened", []))
    return Thresholds(floors=floors, loosened=loosened, **values)


def _check_names(limits: Mapping[str, float], precision: str) -> None:
    needed = set(LIMITS) if precision == Precision.FP32 else set(LIMITS) - {"pipeline_db"}
    if limits.keys() != needed:
        raise ValueError(f"{precision} has {sorted(limits)}; needed: {sorted(needed)}")


def _loosened(row: dict[str, Any], floors: Mapping[str, Mapping[str, float]]) -> Loosened:
    where = {name: row.pop(name) for name in _NARROWING if name in row}
    one = Loosened(where=where, **row)
    if len(one.reason.strip()) < _LEAST_REASON:
        raise ValueError(f"{one.limit} is loosened for {where} without a reason in words")
    if one.value >= floors[where["precision"]][one.limit]:
        raise ValueError(f"{one.limit} = {one.value} for {where} loosens nothing")
    return one
