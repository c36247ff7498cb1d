"""`hiresldm prepare`: speech, noise and rooms made ready for training, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import options

Data = Annotated[Path, typer.Argument(help="Folder of audio, or of manifests.")]
Out = Annotated[Path, typer.Argument(help="Folder to write; the --cache of train.")]
Coded = Annotated[int, typer.Option(min=0, help="Codecs that half of the clips pass.")]
Shards = Annotated[
    int, typer.Option(min=1, help="Parts with speakers and noises of their own, for many machines.")
]


def prepare(
    data: Data,
    out: Out,
    coded: Coded = 2,
    shards: Shards = 1,
    quiet: options.Quiet = False,
) -> None:
    """Decode speech, noise and rooms, take the hiss out of targets, and pass clips through codecs.

    Training does the same by itself where it finds nothing prepared. Shards that are there already
    stay, so that an interrupted call can be repeated.
    """
    from ...core.errors import UsageError
    from ...training.data.prepared import fill, folders, read_index

    if not fill(data, out, variants=coded, shards=shards):
        raise UsageError(f"{out}: holds all of it already; delete it to prepare it anew")
    facts = read_index(folders(out, "train")[0])["facts"]
    if not quiet:
        typer.echo(
            f"{out}: {facts['speech_minutes']} min of {facts['speakers']} speakers, "
            f"{facts['noises']} noises, {facts['rooms']} rooms"
        )
