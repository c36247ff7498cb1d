"""The verb `parity`: does every artifact compute what the reference computes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import options
from ..rows import finish, save, tracked

if TYPE_CHECKING:
    from ...parity.gate import Gate

Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of a model.")]
Weights = Annotated[
    Path | None,
    typer.Option(help="Trained components to compare with.", show_default="the bundle's own"),
]
Full = Annotated[bool, typer.Option("--full", help="Every length, number of steps and clip.")]
Locate = Annotated[
    bool, typer.Option("--locate", help="On FAIL, name the first divergent operation.")
]
Repro = Annotated[Path, typer.Option(help="Folder for what --locate saves to reproduce a FAIL.")]
Junit = Annotated[Path | None, typer.Option("--junit", help="File for the rows (JUnit XML).")]
Html = Annotated[Path | None, typer.Option("--html", help="File for the rows (HTML).")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the matrix as Markdown.")]


def parity(
    bundle: Bundle,
    weights: Weights = None,
    full: Full = False,
    locate: Locate = False,
    repro: Repro = Path("parity-repro"),
    report_to: options.RowsReport = None,
    junit_out: Junit = None,
    html_out: Html = None,
    as_markdown: Markdown = False,
    as_json: options.Json = False,
    quiet: options.FailuresOnly = False,
) -> None:
    """Hold every artifact of BUNDLE, on every engine present, against the PyTorch reference."""
    from ...core.outputs import check_target
    from ...parity import report
    from ...parity.gate import Gate

    for target in (report_to, junit_out, html_out):
        check_target(target)
    gate = Gate.open(bundle, weights=weights, full=full)
    rows = tracked(gate.rows(), shown=not quiet and not as_markdown)
    save(rows, bundle, as_json=as_json, report_to=report_to, junit_out=junit_out, html_out=html_out)
    if as_markdown:
        typer.echo(report.markdown(rows))
    if locate:
        _locate(gate, repro, on_stderr=as_json)
    finish(rows, quiet=quiet, silent=as_json)


def _locate(gate: Gate, repro: Path, *, on_stderr: bool) -> None:
    from ...parity.debugging.repro import located

    for text in located(gate, repro):
        typer.echo(text, err=on_stderr)
