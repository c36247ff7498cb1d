"""`hiresldm train`: one stage of the model on a folder of speech."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class StageName(StrEnum):
    """The stages, in the order in which they are trained."""

    RECOVERY = "recovery"
    AUTOENCODER = "autoencoder"
    DENOISER = "denoiser"
    DECODER = "decoder"


def train(
    stage: Annotated[StageName, typer.Argument(help="Stage to train; each needs those before it.")],
    data: Annotated[Path, typer.Option(help="Folder of audio, or of manifests.")],
    out: Annotated[Path, typer.Option(help="Run folder, shared by the stages of one model.")],
    config: Annotated[str, typer.Option(help="Sizes: edge, base or a JSON of changes.")] = "edge",
    minutes: Annotated[float, typer.Option(min=0.01, help="Training time of this stage.")] = 30.0,
    variants: Annotated[int, typer.Option(min=1, help="Damaged versions of each clip.")] = 6,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    learning_rate: Annotated[float, typer.Option(min=1e-6)] = 1e-3,
    adversary: Annotated[
        float, typer.Option(min=0.0, help="Weight of the decoder's critic; 0 leaves it out.")
    ] = 1.0,
    init: Annotated[
        Path | None, typer.Option(help="Folder of trained parts to start from.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a run stopped.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Train one stage of the model: recovery, autoencoder, denoiser, then the decoder again."""
    from ..reference.config import named
    from ..reference.training.run import Job
    from ..reference.training.run import train as run

    job = Job(
        stage, data, out, named(config), minutes, variants, seed, learning_rate, init, adversary
    )
    state = run(job, resume=resume, quiet=quiet)
    typer.echo(
        f"{stage}: {state.step} steps in {state.trained_s / 60:.1f} min"
        f" ({state.skipped} skipped), weights in {out}"
    )
