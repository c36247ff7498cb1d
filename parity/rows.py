"""What the gate says: one row per artifact, engine and scope."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

LIMIT_DB = 300.0
"""Where equality to the bit, and the opposite, end up in a report: JSON has no infinity."""
PIPELINE, END_TO_END = "pipeline", "end to end"
"""The `component` of a row about all components together, and its scope."""
GOLDEN = "golden"
"""The scope of a row about golden vectors."""


class Status(StrEnum):
    """NOT_RUN is an engine that is absent here; it is never a pass."""

    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    NOT_RUN = "NOT_RUN"


@dataclass(frozen=True)
class Row:
    """`value` must reach `floor`; both are None where nothing could be measured."""

    component: str
    format: str
    precision: str
    runtime: str
    scope: str
    value: float | None
    floor: float | None
    status: Status
    reason: str = ""


def failed(rows: Iterable[Row]) -> list[Row]:
    """The rows that stop a build."""
    return [row for row in rows if row.status is Status.FAIL]
