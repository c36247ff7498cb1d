"""The verb `restore`: a file to a file, or a folder to a folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import ToolkitError, UsageError

if TYPE_CHECKING:
    from ..core.files import RestoredFile

Job = tuple[Path, Path]
"""An input file and its output file."""
Failure = dict[str, str]
Restore = Callable[[Path, Path, Callable[[float], None]], "RestoredFile"]


def restore(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Audio file, or folder of them.")],
    target: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="File (.wav .flac .ogg .mp3), or folder if IN is one."),
    ],
    steps: Annotated[
        int | None, typer.Option(help="Diffusion steps; more is slower.", show_default="best")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise; the same one repeats.")] = 0,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads.", show_default="all cores")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Folder of a model.", show_default="built-in")
    ] = None,
    backend: Annotated[str, typer.Option(help="Engine that runs the model.")] = "ort",
    precision: Annotated[
        str | None, typer.Option(help="fp32, fp16, int8, ...", show_default="the bundle's first")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print warnings and errors only.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace outputs that exist.")
    ] = False,
) -> None:
    """Restore speech from IN to OUT at 48 kHz."""
    from ..core.files import restore_file
    from ..runtimes.restorer import Restorer

    jobs = _jobs(source, target, overwrite=overwrite)
    restorer = Restorer.load(bundle, backend=backend, precision=precision, threads=threads)
    restorer.accepted_steps(steps)

    def run(given: Path, made: Path, progress: Callable[[float], None]) -> RestoredFile:
        return restore_file(
            restorer, given, made, steps=steps, seed=seed, overwrite=overwrite, progress=progress
        )

    done: list[RestoredFile]
    failed: list[Failure]
    with _progress(jobs, shown=sys.stderr.isatty() and not quiet) as progress:
        if source.is_dir():
            done, failed = _each(jobs, run, progress)
        else:
            done, failed = [run(*jobs[0], progress)], []
    _report(done, failed, backend=backend, as_json=as_json, quiet=quiet)
    if failed:
        raise typer.Exit(1)


def _jobs(source: Path, target: Path, *, overwrite: bool) -> list[Job]:
    from ..core.audio import READ_SUFFIXES, AudioReader, check_output

    if not source.is_dir():
        check_output(target, source=source, overwrite=overwrite)
        AudioReader(source)  # a bad input is told before the model is loaded
        return [(source, target)]
    if target.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"the output folder {target} lies inside {source}; name another folder")
    files = sorted(p for p in source.rglob("*") if p.suffix.lower() in READ_SUFFIXES)
    if not files:
        raise UsageError(f"{source} holds no audio files ({' '.join(READ_SUFFIXES)})")
    jobs = [(path, _output_of(target / path.relative_to(source))) for path in files]
    _refuse_collisions(jobs)
    return jobs


def _output_of(path: Path) -> Path:
    from ..core.audio import WRITE_FORMATS

    return path if path.suffix.lower() in WRITE_FORMATS else path.with_suffix(".wav")


def _refuse_collisions(jobs: Sequence[Job]) -> None:
    taken: dict[Path, Path] = {}
    for given, made in jobs:
        if made in taken:
            raise UsageError(f"{taken[made]} and {given} would both become {made}; rename one")
        taken[made] = given


def _each(
    jobs: Sequence[Job], run: Restore, progress: Callable[[float], None]
) -> tuple[list[RestoredFile], list[Failure]]:
    """Every job in turn; one that fails is told and the others go on."""
    done: list[RestoredFile] = []
    failed: list[Failure] = []
    for given, made in jobs:
        try:
            _make_folder(made.parent)
            done.append(run(given, made, progress))
        except ToolkitError as error:
            print(f"error: {error}", file=sys.stderr)
            failed.append({"input": str(given), "error": str(error)})
    return done, failed


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror}") from error


@contextmanager
def _progress(jobs: Sequence[Job], *, shown: bool) -> Iterator[Callable[[float], None]]:
    """A function that moves a bar on stderr by seconds of audio, or one that does nothing."""
    if not shown:
        yield lambda seconds: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("restoring", total=sum(_duration_s(given) for given, _ in jobs))
        yield lambda seconds: bar.advance(task, seconds)


def _duration_s(path: Path) -> float:
    from ..core.audio import AudioReader

    try:
        return AudioReader(path).duration_s
    except ToolkitError:
        return 0.0  # told when its turn comes


def _report(
    done: Sequence[RestoredFile],
    failed: Sequence[Failure],
    *,
    backend: str,
    as_json: bool,
    quiet: bool,
) -> None:
    for file in done:
        if file.attenuation_db > 0.0:
            level = f"{file.attenuation_db:.1f} dB"
            print(f"warning: {file.output} was turned down by {level}: clipping", file=sys.stderr)
    duration_s = sum(file.duration_s for file in done)
    rtf = sum(file.rtf * file.duration_s for file in done) / max(duration_s, 1e-9)
    if as_json:
        files = [asdict(file) | {"backend": backend} for file in done]
        totals = {"backend": backend, "duration_s": duration_s, "rtf": rtf}
        print(json.dumps({"files": files, "failed": failed, **totals}))
    elif not quiet:
        count = f"{len(done)} file" + ("s" if len(done) != 1 else "")
        print(f"restored {count}, {duration_s:.1f} s of audio, real-time factor {rtf:.3f}")
