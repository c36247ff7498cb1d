"""Options that several verbs have, each told once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .lists import NUMBERS

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
StepCounts = Annotated[
    list[str] | None,
    typer.Option(metavar=NUMBERS, help="Diffusion steps.", show_default="best"),
]
Threads = Annotated[
    int | None,
    typer.Option(
        envvar="HIRESLDM_THREADS", help="CPU threads.", show_default="all that may be used"
    ),
]
Strength = Annotated[
    float, typer.Option(help="Share of the restored sound, 0 to 1; the rest is as it was.")
]
Mono = Annotated[bool, typer.Option("--mono", help="Make one channel of all.")]
SpeechFolder = Annotated[Path, typer.Option(help="Folder of speech, or of manifests.")]
AudioFolder = Annotated[Path, typer.Option(help="Folder of audio, or of manifests.")]
TrainingData = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Folder of audio, or of manifests.", show_default="what --cache holds"
    ),
]
Split = Annotated[str, typer.Option(help="Part of the data: train, valid or test.")]
PerClass = Annotated[int, typer.Option(min=1, help="Clips of each kind of damage.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of clips, damage and noise.")]
MeasuringThreads = Annotated[
    int | None, typer.Option(min=1, help="CPU threads.", show_default="all cores")
]
TrainingDevice = Annotated[str, typer.Option(help="Where to train: auto, cpu or cuda.")]
TrainingSeed = Annotated[int, typer.Option(min=0)]
Discriminator = Annotated[bool, typer.Option(help="Polish against a discriminator.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where a run stopped.")]
Report = Annotated[Path | None, typer.Option("--report", help="File for the result (JSON).")]
RowsReport = Annotated[Path | None, typer.Option("--report", help="File for the rows (JSON).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]
NoBar = Annotated[bool, typer.Option("-q", "--quiet", help="No progress bar.")]
FailuresOnly = Annotated[bool, typer.Option("-q", "--quiet", help="Print failures only.")]
WarningsOnly = Annotated[
    bool, typer.Option("-q", "--quiet", help="Print warnings and errors only.")
]
