"""Options that several verbs have, each told once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_MODEL = "Folder of a model."

Bundle = Annotated[
    Path | None, typer.Option(envvar="HIRESLDM_BUNDLE", help=_MODEL, show_default="built-in")
]
BundleArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="BUNDLE", envvar="HIRESLDM_BUNDLE", help=_MODEL, show_default="built-in"
    ),
]
Weights = Annotated[
    Path | None, typer.Option(help="Folder of trained components.", show_default="built-in")
]
Backend = Annotated[str, typer.Option(help="Engine that runs the model.")]
Precision = Annotated[
    str | None, typer.Option(help="fp32, fp16, int8, ...", show_default="the bundle's first")
]
Steps = Annotated[
    int | None, typer.Option(help="Diffusion steps; more is slower.", show_default="best")
]
Strength = Annotated[
    float, typer.Option(help="Share of the restored sound, 0 to 1; the rest is as it was.")
]
Mono = Annotated[bool, typer.Option("--mono", help="Make one channel of all.")]
Split = Annotated[str, typer.Option(help="Part of the data: train, valid or test.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where a run stopped.")]
Report = Annotated[Path | None, typer.Option("--report", help="File for the result (JSON).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]
