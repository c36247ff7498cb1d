"""`hiresldm plot`: spectrograms of audio files in one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Files = Annotated[list[Path], typer.Argument(help="Audio files, shown from the top.")]
Out = Annotated[Path, typer.Option(help="PNG file to write.")]


def plot(
    files: Files,
    out: Out,
) -> None:
    """Draw the spectrograms of audio files one above the other, on one scale."""
    from ...audio.reading.reader import read_mono
    from ...benchmarks.reports.spectrograms import draw
    from ...core.outputs import check_target

    check_target(out)
    draw([(file.name, read_mono(file)) for file in files], out)
