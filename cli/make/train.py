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


Stage = Annotated[StageName, typer.Argument(help="Stage to train; each needs those before it.")]
Out = Annotated[Path, typer.Option(help="Run folder, shared by the stages of one model.")]
Config = Annotated[str, typer.Option(help="Sizes: edge, base or a JSON of changes.")]
Minutes = Annotated[float, typer.Option(min=0.01, help="Training time of this stage.")]
Init = Annotated[Path | None, typer.Option(help="Folder of trained components to start from.")]
Cache = Annotated[
    Path | None,
    typer.Option(help="Folder of prepared speech (see prepare).", show_default="OUT/cache"),
]
Batch = Annotated[
    int | None,
    typer.Option(min=2, help="Crops per step and process.", show_default="the stage's own"),
]
LearningRate = Annotated[float, typer.Option(min=1e-6)]
Components = Annotated[
    list[str] | None,
    typer.Option(metavar=NAMES, help="What to polish.", show_default="all but the encoder"),
]


def train(
    context: typer.Context,
    stage: Stage,
    out: Out,
    data: options.TrainingData = None,
    config: Config = "edge",
    minutes: Minutes = 30.0,
    init: Init = None,
    cache: Cache = None,
    device: options.TrainingDevice = "auto",
    batch: Batch = None,
    learning_rate: LearningRate = 1e-3,
    discriminator: options.Discriminator = True,
    components: Components = None,
    seed: options.TrainingSeed = 0,
    resume: options.Resume = False,
    quiet: options.NoBar = False,
) -> None:
    """Train one stage of the model: recovery, autoencoder, denoiser, then a polish of all.

    On several GPUs or machines: torchrun --nproc-per-node N -m hiresldm train ..., best from a
    --cache in shards (see prepare).
    """
    from ...families.hiresldm.config import named
    from ...training.polish import POLISHED
    from ...training.run import Job
    from ...training.run import train as run

    job = Job(
        stage, data, out, named(config), minutes, seed, learning_rate, init, cache, device, batch,
        discriminator=discriminator, components=tuple(words(components)) or POLISHED,
        command=command(context),
    )  # fmt: skip
    state = run(job, resume=resume, quiet=quiet)
    typer.echo(
        f"{stage}: {state.step} steps in {state.trained_s / 60:.1f} min"
        f" ({state.skipped} skipped), weights in {out}"
    )
