"""The verb `bench`: how fast, how quick to start, how much memory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options
from ..lists import NAMES, NUMBERS, numbers, words
from ..told import origin, tell

if TYPE_CHECKING:
    from ...benchmarks.report import Row
    from ...benchmarks.speed.contest import Contestant
    from ...core.spec import Array

Speech = Annotated[
    Path | None, typer.Option(help="Speech to restore.", show_default="the built-in example")
]
Backends = Annotated[str, typer.Option(metavar=NAMES, help="Engines.")]
Precisions = Annotated[
    str, typer.Option(metavar=NAMES, help="Precisions.", show_default="the bundle's first")
]
Threads = Annotated[
    str, typer.Option(envvar="HIRESLDM_THREADS", metavar=NUMBERS, help="CPU threads.")
]
Peer = Annotated[
    list[str] | None,
    typer.Option(
        metavar=NAMES,
        help="Other enhancers in the same rounds: rnnoise, deepfilternet3, nsnet2, gtcrn, all.",
        show_default="none",
    ),
]
Browser = Annotated[
    bool, typer.Option("--browser", help="The page of `serve` too, in headless Chromium.")
]
Seconds = Annotated[float, typer.Option(min=0.5, max=3600, help="Audio per run.")]
LongSeconds = Annotated[
    float,
    typer.Option(min=0.5, max=36_000, help="Audio of the long file whose memory is measured."),
]
Durations = Annotated[
    str,
    typer.Option(
        metavar=NUMBERS,
        help="Files of so many seconds, to see how time grows.",
        show_default="none",
    ),
]
Profile = Annotated[
    bool, typer.Option("--profile", help="Time by operator, as ONNX Runtime and OpenVINO tell it.")
]
Runs = Annotated[int, typer.Option(min=1, help="Rounds after one to warm up.")]
Html = Annotated[Path | None, typer.Option(help="Page to write, with bars (HTML).")]
Quality = Annotated[
    Path | None,
    typer.Option(
        help="A report of `evaluate` on the same bundle: the page draws quality against time.",
        show_default="none",
    ),
]


def bench(
    context: typer.Context,
    speech: Speech = None,
    bundle: options.Bundle = None,
    backends: Backends = "ort",
    precisions: Precisions = "",
    threads: Threads = "1,2",
    steps: options.StepCounts = None,
    peer: Peer = None,
    browser: Browser = False,
    seconds: Seconds = 10.0,
    long_seconds: LongSeconds = 600.0,
    durations: Durations = "",
    profile: Profile = False,
    runs: Runs = 5,
    report_to: options.Report = None,
    html: Html = None,
    quality: Quality = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure speed, start-up and memory on this machine, variants and peers in turns."""
    from ...benchmarks import provenance
    from ...benchmarks.reports import speed as tables
    from ...benchmarks.reports import tradeoff
    from ...benchmarks.speed.contest import Asked
    from ...benchmarks.speed.measure import measure
    from ...core.outputs import check_target, write_text
    from ...runtimes.restorer import EMBEDDED_BUNDLE

    check_target(report_to)
    check_target(html)
    scored = _evaluation(quality, html)
    root, wave = bundle or EMBEDDED_BUNDLE, _tiled(speech, seconds)
    asked = Asked(
        words(backends), words(precisions) or [None], numbers("--threads", threads),
        numbers("--steps", steps) or [None], words(peer),
    )  # fmt: skip
    about: dict[str, Any] = origin(context) | {"model": provenance.model(root)}
    if scored:
        tradeoff.names_of(about["model"], scored)
    with _pages(root, asked.threads, wanted=browser) as pages:
        result = about | measure(
            root, wave, asked, runs=runs, long_s=long_seconds,
            durations_s=numbers("--durations", durations), profiled=profile, beside=pages,
        )  # fmt: skip
    if html:
        write_text(tables.page(result, scored), html)
    tell(result, lambda: tables.markdown(result), out=report_to, as_json=as_json, quiet=quiet)


def _evaluation(report: Path | None, html: Path | None) -> Row | None:
    """The report of an evaluation, which is for a page; raises `UsageError` where it is none."""
    import json

    from ...benchmarks.report import check_page
    from ...core.errors import UsageError

    if report is None:
        return None
    if html is None:
        raise UsageError("--quality is drawn on the page; name that with --html")
    check_page(html)
    try:
        read: Row = json.loads(report.read_text(encoding="utf-8"))
        return {name: read[name] for name in ("rows", "models")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{report}: no report of `evaluate`: {error}") from error


def _pages(
    root: Path, threads: Sequence[int], *, wanted: bool
) -> AbstractContextManager[list[Contestant]]:
    """The page of `serve` in a browser, open as long as it takes part, where that is wanted."""
    from ...serving.browser import contestants

    return contestants(root, threads) if wanted else nullcontext([])


def _tiled(speech: Path | None, seconds: float) -> Array:
    """The speech as mono (N,) at 48 kHz, repeated or cut to this length."""
    import numpy as np

    from ...audio.reading.reader import read_mono
    from ...benchmarks.speed.timing import EXAMPLE
    from ...core.signal.rates import RATE_HZ

    return np.resize(read_mono(speech or EXAMPLE), round(seconds * RATE_HZ))
