"""How a verb tells its result: into a file, as one JSON object, or as text for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer


def origin(context: typer.Context, packages: Sequence[str] = ()) -> dict[str, Any]:
    """What it takes to repeat a measurement: the command, the machine, the versions."""
    from ..benchmarks import provenance
    from .asked import command

    return {
        "command": command(context),
        "machine": provenance.machine(),
        "versions": provenance.versions(packages),
    }


def tell(
    result: Mapping[str, Any],
    text: Callable[[], str],
    *,
    out: Path | None = None,
    as_json: bool = False,
    quiet: bool = False,
) -> None:
    """Write the result to `out`, and print it: as JSON, else as `text`, or not at all if quiet."""
    from ..benchmarks import report

    if out:
        report.write(result, out)
    if as_json:
        print(report.to_json(result))
    elif not quiet:
        print(text())
