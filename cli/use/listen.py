"""The verb `listen`: from a microphone to a device or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import options

Out = Annotated[Path | None, typer.Argument(help="File to make.", show_default="the loudspeaker")]
Latency = Annotated[
    str, typer.Option(metavar="live|quality", help="Soon, or as good as whole files.")
]
DeviceName = Annotated[
    str | None,
    typer.Option(help="Number or part of the name.", show_default="the system's own"),
]
Channels = Annotated[int, typer.Option(min=1, max=8, help="Of the microphone.")]
Seconds = Annotated[
    float | None, typer.Option(min=0.1, help="When to stop.", show_default="at Ctrl-C")
]
Seed = Annotated[int, typer.Option(envvar="HIRESLDM_SEED", help="Seed of the noise.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")]
Threads = Annotated[
    int | None, typer.Option(envvar="HIRESLDM_THREADS", help="CPU threads, for channels.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print warnings only.")]


def listen(
    out: Out = None,
    latency: Latency = "live",
    microphone: DeviceName = None,
    speaker: DeviceName = None,
    channels: Channels = 1,
    seconds: Seconds = None,
    steps: options.Steps = None,
    seed: Seed = 0,
    strength: options.Strength = 1.0,
    overwrite: Overwrite = False,
    threads: Threads = None,
    bundle: options.Bundle = None,
    backend: options.Backend = "ort",
    precision: options.Precision = None,
    quiet: Quiet = False,
) -> None:
    """Restore what the microphone hears, while it hears it."""
    from ...audio.devices import Device, Form
    from ...runtimes.model import Model
    from . import streaming

    def device(text: str | None) -> Device:
        return int(text) if text is not None and text.isdecimal() else text

    streaming.listen(
        Model(bundle, backend, precision, threads),
        streaming.Made(latency, steps, seed, strength),
        Form(channels, device(microphone), device(speaker)),
        out,
        seconds=seconds,
        overwrite=overwrite,
        quiet=quiet,
    )
