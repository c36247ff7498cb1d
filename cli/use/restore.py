"""The verb `restore`: files and folders, or a pipe."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...core.errors import UsageError
from .. import options

if TYPE_CHECKING:
    from .restoring import Request


class Depth(StrEnum):
    """Bits of a sample."""

    B16 = "16"
    B24 = "24"
    FLOAT = "float"


Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="IN... OUT",
        readable=False,  # one that is not fails alone
        help="Files or folders to restore, then the file or folder to make; - is a pipe.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("-o", "--out", metavar="OUT", help="The file or folder to make instead."),
]
Seed = Annotated[
    int,
    typer.Option(envvar="HIRESLDM_SEED", help="Seed of the noise; the same one repeats."),
]
KeepRate = Annotated[bool, typer.Option("--keep-rate", help="Write the sample rate of IN.")]
BitDepth = Annotated[Depth | None, typer.Option(help="Of WAV and FLAC.", show_default="24")]
Bitrate = Annotated[
    int | None, typer.Option(metavar="KBPS", help="Of MP3, Opus and AAC, in kbit/s.")
]
Stdin = Annotated[
    str | None,
    typer.Option(
        metavar="RATE,CHANNELS,ENCODING", help="Raw samples on standard input: 16000,1,s16."
    ),
]
Stdout = Annotated[
    str, typer.Option(metavar="FORMAT", help="wav, flac, mp3, ... or raw s16 or f32.")
]
Latency = Annotated[
    str | None,
    typer.Option(metavar="live|quality", help="From pipe to pipe, restore samples as they come."),
]
SkipExisting = Annotated[
    bool,
    typer.Option("--skip-existing", help="Leave out what an earlier run has made already."),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on within files that an earlier run was stopped in."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Jobs = Annotated[int, typer.Option(min=1, help="Files restored side by side.")]


def restore(
    paths: Paths,
    out: Out = None,
    steps: options.Steps = None,
    seed: Seed = 0,
    strength: options.Strength = 1.0,
    keep_rate: KeepRate = False,
    mono: options.Mono = False,
    bit_depth: BitDepth = None,
    bitrate: Bitrate = None,
    stdin: Stdin = None,
    stdout: Stdout = "wav",
    latency: Latency = None,
    skip_existing: SkipExisting = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
    jobs: Jobs = 1,
    threads: options.Threads = None,
    bundle: options.Bundle = None,
    backend: options.Backend = "ort",
    precision: options.Precision = None,
    as_json: options.Json = False,
    quiet: options.WarningsOnly = False,
) -> None:
    """Restore speech from IN to OUT: at the model's 48 kHz, every channel, as long as it was."""
    from ...audio.files import Wanted
    from ...audio.writing.writer import Form
    from ...runtimes.model import Model
    from .restoring import Request

    sources, target = _asked(paths, out)
    form = Form(depth=bit_depth.value if bit_depth else None, bitrate_kbps=bitrate)
    wanted = Wanted(steps, seed, strength, mono, keep_rate, form)
    model = Model(bundle, backend, precision, threads)
    request = Request(
        sources, target, wanted, model, stdin, stdout, skips_existing=skip_existing,
        resumes=resume, overwrite=overwrite, at_once=jobs, as_json=as_json, quiet=quiet,
    )  # fmt: skip
    if latency is None:
        _restore(request)
    else:
        _stream(request, latency)


def _asked(paths: list[Path], out: Path | None) -> tuple[list[Path], Path]:
    """Inputs and output."""
    if out is None:
        *paths, out = paths
    if not paths:
        raise UsageError("an input and an output are needed, as in: hiresldm restore IN OUT")
    return paths, out


def _restore(request: Request) -> None:
    """Files, folders and whole pipes; exits with the code of what failed."""
    from .restoring import run

    with tempfile.TemporaryDirectory(prefix="hiresldm-") as folder:
        if code := run(request, Path(folder)):
            raise typer.Exit(code)


def _stream(request: Request, latency: str) -> None:
    """Samples from pipe to pipe, as they come; raises `UsageError` for anything else."""
    from . import streaming
    from .restoring import PIPE

    wanted, ends = request.wanted, [*request.sources, request.target]
    if ends != [PIPE, PIPE] or wanted.is_mono or wanted.keeps_rate or request.as_json:
        raise UsageError(
            "--latency is for one stream: hiresldm restore - - --latency live --stdin "
            "RATE,CHANNELS,ENCODING --stdout s16, without --mono, --keep-rate and --json"
        )
    made = streaming.Made(latency, wanted.steps, wanted.seed, wanted.strength)
    streaming.pipe(request.model, made, request.stdin, request.stdout, quiet=request.quiet)
