"""The rows of a gate on the command line: shown as they come, saved, counted."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ..parity.rows import Row


def tracked(rows: Iterable[Row], *, shown: bool) -> list[Row]:
    """All the rows, with the latest one on stderr meanwhile where that is a terminal."""
    from rich.console import Console

    from ..parity import report

    made: list[Row] = []
    console = Console(stderr=True, quiet=not (shown and sys.stderr.isatty()))
    with console.status("parity") as status:
        for row in rows:
            made.append(row)
            status.update(report.line(row)[:100], spinner="line")
    return made


def save(
    rows: list[Row],
    bundle: Path,
    *,
    as_json: bool = False,
    report_to: Path | None = None,
    junit_out: Path | None = None,
    html_out: Path | None = None,
) -> None:
    """Print the rows as one JSON object, and write the reports, where that is asked for."""
    from ..core.outputs import write_text
    from ..parity import report

    if as_json or report_to:
        text = report.to_json(rows, bundle)
        if report_to:
            write_text(text, report_to)
        if as_json:
            typer.echo(text)
    for target, made in ((junit_out, report.junit), (html_out, report.html)):
        if target:
            write_text(made(rows), target)


def finish(rows: list[Row], *, quiet: bool, absent: bool = True, silent: bool = False) -> None:
    """Print the failures, what engines `absent` here left undone, and the count, unless `silent`.

    Raises `ParityError` for a FAIL.
    """
    from ..core.errors import ParityError
    from ..parity.rows import Status, failed

    told = [row for row in rows if absent or row.status is not Status.NOT_RUN]
    if not silent:
        _print(told, quiet=quiet)
    if failed(rows):
        raise ParityError(f"{len(failed(rows))} of {len(rows)} rows fail")


def _print(rows: list[Row], *, quiet: bool) -> None:
    from ..parity import report
    from ..parity.rows import Status

    for row in rows:
        if row.status is Status.FAIL or (row.status is Status.NOT_RUN and not quiet):
            typer.echo(report.line(row))
    counts = ((sum(row.status is status for row in rows), status) for status in Status)
    shown = ", ".join(f"{n} {status}" for n, status in counts if n or status is not Status.NOT_RUN)
    if not quiet:
        typer.echo(f"{len(rows)} rows: {shown}")
