"""Jobs that a format cannot do, each told in one sentence before anything is written."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.bundle.schemes import Precision
from ...core.errors import ExportError, UsageError
from ...core.spec import ExportJob


def check_precision(job: ExportJob, form: str, offered: Sequence[Precision]) -> None:
    """Raise `UsageError` for a precision that a format does not offer."""
    if job.precision not in offered:
        raise UsageError(f"{form}: no precision '{job.precision}'; there is {', '.join(offered)}")


def check_operations(job: ExportJob, form: str) -> None:
    """Raise `ExportError` for a network with operations of our own, for a format that has none."""
    if job.component.operations:
        lacking = ", ".join(job.component.operations)
        raise ExportError(f"{job.component.name}: {form} has no {lacking}")
