"""`hiresldm build`: a bundle from trained weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def build(
    out: Annotated[Path, typer.Argument(help="Bundle folder to make.")],
    weights: Annotated[
        Path | None,
        typer.Option(help="Folder of trained parts (a run folder). Default: the embedded weights."),
    ] = None,
    default_steps: Annotated[int, typer.Option(help="Sampler steps when none are asked for.")] = 2,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest's rows.")] = False,
) -> None:
    """Export every part of a model to ONNX and write the bundle that `restore` runs."""
    import json
    from dataclasses import asdict

    from ..export.build import build as run
    from ..runtimes.restorer import EMBEDDED_BUNDLE

    manifest = run(
        EMBEDDED_BUNDLE if weights is None else weights,
        out,
        default_steps=default_steps,
        overwrite=overwrite,
    )
    if as_json:
        typer.echo(json.dumps({"artifacts": [asdict(row) for row in manifest.artifacts]}))
        return
    for row in manifest.artifacts:
        size_mb = sum((out / file.path).stat().st_size for file in row.files) / 1e6
        typer.echo(f"{row.component:10} {row.format} {row.precision} {size_mb:6.2f} MB")
