"""`hiresldm train`: one stage of the model on a folder of speech."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .. import options
from ..asked import command
from ..lists import NAMES, words


class StageName(StrEnum):
    """The stages, in the order in which they are trained."""

    RECOVERY = "recovery"
    AUTOENCODER = "autoencoder"
    DENOISER = "denoiser"
    POLISH = "polish"


def train(
    context: typer.Context,
    stage: Annotated[StageName, typer.Argument(help="Stage to train; each needs those before it.")],
    data: Annotated[Path, typer.Option(help="Folder of audio, or of manifests.")],
    out: Annotated[Path, typer.Option(help="Run folder, shared by the stages of one model.")],
    config: Annotated[str, typer.Option(help="Sizes: edge, base or a JSON of changes.")] = "edge",
    minutes: Annotated[float, typer.Option(min=0.01, help="Training time of this stage.")] = 30.0,
    init: Annotated[
        Path | None, typer.Option(help="Folder of trained components to start from.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder of prepared speech (see prepare).", show_default="OUT/cache"),
    ] = None,
    device: Annotated[str, typer.Option(help="Where to train: auto, cpu or cuda.")] = "auto",
    batch: Annotated[
        int | None,
        typer.Option(min=2, help="Crops per step and process.", show_default="the stage's own"),
    ] = None,
    learning_rate: Annotated[float, typer.Option(min=1e-6)] = 1e-3,
    discriminator: Annotated[bool, typer.Option(help="Polish against a discriminator.")] = True,
    components: Annotated[
        list[str] | None,
        typer.Option(metavar=NAMES, help="What to polish.", show_default="all but the encoder"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    resume: options.Resume = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress bar.")] = False,
) -> None:
    """Train one stage of the model: recovery, autoencoder, denoiser, then a polish of all.

    On several GPUs or machines: torchrun --nproc-per-node N -m hiresldm train ...
    """
    from ...families.hiresldm.config import named
    from ...training.polish import POLISHED
    from ...training.run import Job
    from ...training.run import train as run

    job = Job(
        stage,
        data,
        out,
        named(config),
        minutes,
        seed=seed,
        learning_rate=learning_rate,
        init=init,
        cache=cache,
        device=device,
        batch=batch,
        discriminator=discriminator,
        components=tuple(words(components)) or POLISHED,
        command=command(context),
    )
    state = run(job, resume=resume, quiet=quiet)
    typer.echo(
        f"{stage}: {state.step} steps in {state.trained_s / 60:.1f} min"
        f" ({state.skipped} skipped), weights in {out}"
    )
