"""The verb `bench`: how fast, how quick to start, how much memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..lists import NUMBERS, numbers
from ..told import origin, tell

if TYPE_CHECKING:
    from ...core.spec import Array

_EXAMPLE = Path(__file__).parents[2] / "examples" / "noisy.wav"


def bench(
    context: typer.Context,
    speech: Annotated[
        Path | None, typer.Option(help="Speech to restore.", show_default="the built-in example")
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(envvar="HIRESLDM_BUNDLE", help="Folder of a model.", show_default="built-in"),
    ] = None,
    threads: Annotated[
        list[str] | None,
        typer.Option(
            envvar="HIRESLDM_THREADS", metavar=NUMBERS, help="CPU threads.", show_default="1,2"
        ),
    ] = None,
    steps: Annotated[
        list[str] | None,
        typer.Option(metavar=NUMBERS, help="Diffusion steps.", show_default="best"),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.5, max=3600, help="Audio per run.")] = 10.0,
    long_seconds: Annotated[
        float,
        typer.Option(min=0.5, max=36_000, help="Audio of the long file whose memory is measured."),
    ] = 600.0,
    runs: Annotated[int, typer.Option(min=1, help="Runs after one to warm up.")] = 5,
    report_to: Annotated[
        Path | None, typer.Option("--report", help="File for the result (JSON).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")] = False,
) -> None:
    """Measure speed, start-up and memory on this machine."""
    from ...benchmarks import provenance, report
    from ...core.outputs import check_target
    from ...runtimes.restorer import EMBEDDED_BUNDLE

    check_target(report_to)
    root = bundle or EMBEDDED_BUNDLE
    wave = _tiled(speech, seconds)
    about = origin(context) | {"model": provenance.model(root)}
    result = about | _measured(
        root,
        wave,
        threads=numbers("--threads", threads) or [1, 2],
        steps=numbers("--steps", steps) or [None],
        runs=runs,
        long_s=long_seconds,
    )
    tell(result, lambda: report.speed_markdown(result), out=report_to, as_json=as_json, quiet=quiet)


def _measured(
    root: Path,
    wave: Array,
    *,
    threads: Sequence[int],
    steps: Sequence[int | None],
    runs: int,
    long_s: float,
) -> dict[str, Any]:
    from ...benchmarks.speed import processes
    from ...benchmarks.speed import timing as speed
    from ...core.audio import RATE_HZ

    def load(count: int) -> speed.Timed:
        return speed.Timed.load(root, threads=count)

    return {
        "rows": speed.rows(load, wave, threads=threads, steps=steps, runs=runs),
        "startup": processes.startup(root, runs=runs),
        "memory": processes.memory(
            wave, root, short_s=len(wave) / RATE_HZ, long_s=long_s, threads=threads[0]
        ),
    }


def _tiled(speech: Path | None, seconds: float) -> Array:
    """The speech as mono (N,) at 48 kHz, repeated or cut to this length."""
    import numpy as np

    from ...audio.reader import read_mono
    from ...core.audio import RATE_HZ

    return np.resize(read_mono(speech or _EXAMPLE), round(seconds * RATE_HZ))
