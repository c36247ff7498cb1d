"""The verb `corpus`: all clips of a data set, with scores."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...core.errors import UsageError
from .. import options

if TYPE_CHECKING:
    from ...corpus.cleaning import Cleaning
    from ...corpus.clip import Clip, Outcome
    from ...corpus.run import Runner, Summary
    from ...corpus.worker import Worker

Given = Annotated[
    Path,
    typer.Argument(
        metavar="IN",
        help="A folder of audio, of WebDataset .tar or of .parquet; or one such file, or a "
        "manifest (.csv, .jsonl).",
    ),
]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="The folder to fill, or to go on.")]
Layout = Annotated[
    str | None,
    typer.Option(help="folder, csv, webdataset or parquet.", show_default="that of IN"),
]
Split = Annotated[
    float | None,
    typer.Option(min=1.0, metavar="SECONDS", help="Cut at silence into pieces this long."),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes, or workers of Ray.", show_default="all cores"),
]
Ray = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Ray cluster to work on; auto finds it.")
]
Gpus = Annotated[float, typer.Option(min=0.0, help="GPUs that a worker of Ray takes.")]
PerShard = Annotated[int, typer.Option(min=1, help="Clips of IN in a shard of OUT.")]
Encoding = Annotated[
    str, typer.Option("--format", help="flac, wav, opus, ...; WAV and FLAC with 16 bits.")
]
Dnsmos = Annotated[
    bool | None,
    typer.Option("--dnsmos/--no-dnsmos", help="Score it.", show_default="where installed"),
]


def corpus(
    given: Given,
    out: Out,
    layout: Layout = None,
    split: Split = None,
    workers: Workers = None,
    ray: Ray = None,
    gpus: Gpus = 0.0,
    per_shard: PerShard = 1000,
    encoding: Encoding = "flac",
    dnsmos: Dnsmos = None,
    steps: options.Steps = None,
    strength: options.Strength = 1.0,
    mono: options.Mono = False,
    bundle: options.Bundle = None,
    backend: options.Backend = "ort",
    precision: options.Precision = None,
    as_json: options.Json = False,
    quiet: options.WarningsOnly = False,
) -> None:
    """Restore every clip of IN into OUT, with scores to filter by; the same command goes on.

    Each clip has the noise of its own hash, so that it becomes the same wherever it is done.
    """
    from ...corpus import layouts
    from ...corpus.journal import Journal, spool_of
    from ...corpus.run import run
    from ...corpus.worker import Worker
    from ...runtimes.model import Model
    from ..progress import counting

    how = _cleaning(encoding, steps, strength, split, mono=mono, dnsmos=dnsmos)
    model = Model(bundle.absolute() if bundle else None, backend, precision, threads=1)
    model.load().accepted_steps(steps)  # a bad request is told before any work
    source = layouts.source_of(given.absolute(), out.absolute())
    chosen = layout or layouts.layout_of(given)
    sink = layouts.sink_of(chosen, out.absolute())
    settings = {"model": model.key, "layout": chosen, "in": str(given.absolute()), **asdict(how)}
    runner = _runner(Worker(model, how, spool_of(out.absolute())), workers, ray, gpus)
    journal = Journal(out.absolute(), settings)
    with counting("clips", total=None, quiet=quiet) as advance:
        summary = run(
            source, sink, journal, runner, per_shard=per_shard, progress=lambda _: advance()
        )
    _tell(summary, out, as_json=as_json, quiet=quiet)


def _cleaning(
    encoding: str,
    steps: int | None,
    strength: float,
    split: float | None,
    *,
    mono: bool,
    dnsmos: bool | None,
) -> Cleaning:
    from ...audio.files import Wanted
    from ...audio.writing.writer import Form
    from ...corpus.cleaning import Cleaning
    from ...corpus.scoring import dnsmos_wanted

    ending, depth = _ending(encoding)
    wanted = Wanted(steps, strength=strength, is_mono=mono, form=Form(depth=depth))
    return Cleaning(wanted, ending, split, dnsmos_wanted(dnsmos))


def _runner(worker: Worker, count: int | None, address: str | None, gpus: float) -> Runner:
    if address is None:
        from ...core.processors import usable
        from ...corpus import on_processes

        return partial(on_processes.outcomes, worker, count=count or usable())
    from ...corpus import on_ray

    def outcomes(clips: Iterable[Clip]) -> Iterator[Outcome]:
        try:
            yield from on_ray.outcomes(worker, clips, address=address, count=count, gpus=gpus)
        except ConnectionError as error:
            raise UsageError(
                f"no Ray cluster answers at {address}; start one: ray start"
            ) from error

    return outcomes


def _ending(encoding: str) -> tuple[str, str | None]:
    """The ending of files, and their bits where these are chosen; raises `UsageError`."""
    from ...audio.formats import WRITE_FORMATS

    kind = WRITE_FORMATS.get(f".{encoding}")
    if kind is None or kind.video:
        accepted = ", ".join(name[1:] for name, one in WRITE_FORMATS.items() if not one.video)
        raise UsageError(f"clips cannot be {encoding!r}; accepted: {accepted}")
    return f".{encoding}", "16" if kind.depths else None


def _tell(summary: Summary, out: Path, *, as_json: bool, quiet: bool) -> None:
    told: dict[str, Any] = {"out": str(out), **asdict(summary)}
    if summary.alike:
        print(f"warning: {summary.alike} clips are called like others", file=sys.stderr)
    if summary.quarantined:
        reasons = f"{out}/quarantine.jsonl tells why"
        print(f"warning: {summary.quarantined} clips were not restored; {reasons}", file=sys.stderr)
    if as_json:
        print(json.dumps(told))
    elif not quiet:
        text = f"restored {summary.restored} clips, {summary.audio_s / 3600:.3f} h of audio"
        print(text + (f"; {summary.known} had been done before" if summary.known else ""))
    if summary.quarantined and not summary.restored and not summary.known:
        raise typer.Exit(1)
