"""`hiresldm prepare`: speech, noise and rooms made ready for training, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import options

Data = Annotated[Path, typer.Argument(help="Folder of audio, or of manifests.")]
Out = Annotated[Path, typer.Argument(help="Folder to write; the --cache of train.")]
Coded = Annotated[int, typer.Option(min=0, help="Codecs that half of the clips pass.")]


def prepare(
    data: Data,
    out: Out,
    coded: Coded = 2,
    quiet: options.Quiet = False,
) -> None:
    """Decode speech, noise and rooms, take the hiss out of targets, and pass clips through codecs.

    Training does the same by itself where it finds nothing prepared.
    """
    from contextlib import suppress

    from ...core.errors import UsageError
    from ...training.data.material import SPEEDS
    from ...training.data.prepared import prepare as write
    from ...training.data.prepared import read_index

    write(data, "train", out / "train", speeds=SPEEDS, variants=coded)
    with suppress(UsageError):  # not all data has validation speech
        write(data, "valid", out / "valid", speeds=(1.0,), variants=0)
    facts = read_index(out / "train")["facts"]
    if not quiet:
        typer.echo(
            f"{out}: {facts['speech_minutes']} min of {facts['speakers']} speakers, "
            f"{facts['noises']} noises, {facts['rooms']} rooms"
        )
