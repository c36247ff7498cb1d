"""The verb `evaluate`: how good the restored audio is, in figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options
from ..lists import NAMES, numbers, words
from ..told import origin, tell

if TYPE_CHECKING:
    from ...benchmarks.quality.comparison import Asked, Compared
    from ...benchmarks.quality.sources import Source
    from ...benchmarks.reports.gallery import Gallery

Data = Annotated[
    Path | None, typer.Option(help="Speech to damage: a folder of audio, or of manifests.")
]
Degraded = Annotated[
    Path | None, typer.Option(help="Instead of --data: a folder of recordings as they are.")
]
Clean = Annotated[
    Path | None,
    typer.Option(help="Clean versions of --degraded, by the same names.", show_default="none"),
]
Bundle = Annotated[
    list[str] | None,
    typer.Option(help="DIR or NAME=DIR; may be repeated.", show_default="built-in"),
]
Backend = Annotated[
    list[str] | None, typer.Option(metavar=NAMES, help="Engines.", show_default="ort")
]
Precision = Annotated[
    list[str] | None,
    typer.Option(metavar=NAMES, help="Precisions.", show_default="the bundle's first"),
]
Peer = Annotated[
    list[str] | None,
    typer.Option(
        metavar=NAMES,
        help="Other enhancers: rnnoise, deepfilternet3, nsnet2, gtcrn, all.",
        show_default="none",
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        metavar=NAMES,
        help="fast, all, dnsmos, distillmos, pesq, estoi, visqol, lsd, mcd, lost, sisdr, spk, wer.",
        show_default="fast",
    ),
]
Html = Annotated[
    Path | None, typer.Option(help="Page to write, with tables and clips to hear (HTML).")
]
Listen = Annotated[int, typer.Option(min=0, help="Clips of each kind of damage in the page.")]


def evaluate(
    context: typer.Context,
    data: Data = None,
    split: options.Split = "test",
    degraded: Degraded = None,
    clean: Clean = None,
    bundle: Bundle = None,
    backend: Backend = None,
    precision: Precision = None,
    steps: options.StepCounts = None,
    peer: Peer = None,
    metrics: Metrics = None,
    per_class: options.PerClass = 16,
    seed: options.Seed = 0,
    threads: options.MeasuringThreads = None,
    report_to: options.Report = None,
    html: Html = None,
    listen: Listen = 2,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure the quality of restored speech on damaged clips, drawn by a seed or recorded."""
    from ...benchmarks import report
    from ...benchmarks.quality.comparison import Asked
    from ...benchmarks.quality.sources import source_of
    from ...benchmarks.reports.gallery import Gallery
    from ...benchmarks.reports.html import page
    from ...core.outputs import check_target, write_text

    check_target(report_to)
    report.check_page(html)
    source = source_of(data, split, seed=seed, per_class=per_class, degraded=degraded, clean=clean)
    asked = Asked(
        bundle or (), words(backend), words(precision), numbers("--steps", steps), words(peer),
        words(metrics), seed, threads,
    )  # fmt: skip
    gallery = Gallery(per_class=listen if html else 0)
    compared = _compared(source, asked, gallery, quiet=quiet)
    result = compared.as_dict() | origin(context, compared.packages)
    if html:
        write_text(page(result, gallery.exhibits), html)
    tell(result, lambda: _text(result), out=report_to, as_json=as_json, quiet=quiet)


def _compared(source: Source, asked: Asked, gallery: Gallery, *, quiet: bool) -> Compared:
    from ...benchmarks.quality.comparison import compare
    from ..progress import tracked

    return compare(
        source,
        asked,
        watch=gallery.watch,
        track=lambda scored, total: tracked(scored, "evaluating", total=total, quiet=quiet),
    )


def _text(result: dict[str, Any]) -> str:
    from ...benchmarks.quality import per_speaker, tables

    told = [tables.markdown(result["rows"])]
    if result["speakers"]:
        told += ["", per_speaker.markdown(result["speakers"])]
    return "\n".join(told)
