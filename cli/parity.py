"""The verb `parity`: does every artifact compute what the reference computes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..parity.gate import Gate
    from ..parity.rows import Row


def parity(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of a model.")],
    weights: Annotated[
        Path | None,
        typer.Option(help="Trained components to compare with.", show_default="the bundle's own"),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Every length, number of steps and clip.")
    ] = False,
    locate: Annotated[
        bool, typer.Option("--locate", help="On FAIL, name the first bad operation.")
    ] = False,
    repro: Annotated[
        Path, typer.Option(help="Folder for what --locate saves to reproduce a FAIL.")
    ] = Path("parity-repro"),
    json_out: Annotated[Path | None, typer.Option("--json", help="Report to write (JSON).")] = None,
    junit_out: Annotated[
        Path | None, typer.Option("--junit", help="Report to write (JUnit XML).")
    ] = None,
    html_out: Annotated[Path | None, typer.Option("--html", help="Report to write (HTML).")] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the matrix as Markdown.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print failures only.")] = False,
) -> None:
    """Hold every artifact of BUNDLE, on every engine present, against the PyTorch reference."""
    from ..core.outputs import check_target
    from ..parity import report
    from ..parity.gate import Gate

    for target in (json_out, junit_out, html_out):
        check_target(target)
    gate = Gate.open(bundle, weights=weights, full=full)
    rows = tracked(gate.rows(), shown=not quiet and not as_markdown)
    save(rows, bundle, json_out=json_out, junit_out=junit_out, html_out=html_out)
    if as_markdown:
        typer.echo(report.markdown(rows))
    if locate:
        _locate(gate, repro)
    finish(rows, quiet=quiet)


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
    json_out: Path | None = None,
    junit_out: Path | None = None,
    html_out: Path | None = None,
) -> None:
    """Write the reports that are asked for."""
    from ..core.outputs import write_text
    from ..parity import report

    if json_out:
        write_text(report.to_json(rows, bundle), json_out)
    for target, text in ((junit_out, report.junit), (html_out, report.html)):
        if target:
            write_text(text(rows), target)


def finish(rows: list[Row], *, quiet: bool, absent: bool = True) -> None:
    """Print the failures, what engines `absent` here left undone, and the count.

    Raises `ParityError` for a FAIL.
    """
    from ..core.errors import ParityError
    from ..parity import report
    from ..parity.rows import Status, failed

    told = [row for row in rows if absent or row.status is not Status.NOT_RUN]
    for row in told:
        if row.status is Status.FAIL or (row.status is Status.NOT_RUN and not quiet):
            typer.echo(report.line(row))
    counts = ((sum(row.status is status for row in told), status) for status in Status)
    shown = ", ".join(f"{n} {status}" for n, status in counts if n or status is not Status.NOT_RUN)
    if not quiet:
        typer.echo(f"{len(told)} rows: {shown}")
    if failed(rows):
        raise ParityError(f"{len(failed(rows))} of {len(rows)} rows fail")


def _locate(gate: Gate, repro: Path) -> None:
    from ..parity.repro import located

    for text in located(gate, repro):
        typer.echo(text)
