"""The verb `evaluate`: how good the restored audio is, in figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .told import origin, tell


def evaluate(
    context: typer.Context,
    data: Annotated[
        Path | None, typer.Option(help="Speech to damage: a folder of audio, or of manifests.")
    ] = None,
    split: Annotated[str, typer.Option(help="Part of the data: train, valid or test.")] = "test",
    degraded: Annotated[
        Path | None, typer.Option(help="Instead of --data: a folder of recordings as they are.")
    ] = None,
    clean: Annotated[
        Path | None,
        typer.Option(help="Clean versions of --degraded, by the same names.", show_default="none"),
    ] = None,
    bundle: Annotated[
        list[str] | None,
        typer.Option(help="DIR or NAME=DIR; may be repeated.", show_default="built-in"),
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(help="Engine; may be repeated.", show_default="ort"),
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(help="Precision; may be repeated.", show_default="the bundle's first"),
    ] = None,
    steps: Annotated[
        list[int] | None,
        typer.Option(help="Diffusion steps; may be repeated.", show_default="best"),
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            help="Other enhancers: rnnoise, deepfilternet3, nsnet2, gtcrn, all; may be repeated.",
            show_default="none",
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            help="fast, all, dnsmos, distillmos, pesq, estoi, visqol, lsd, mcd, lost, sisdr, spk, "
            "wer; may be repeated.",
            show_default="fast",
        ),
    ] = None,
    per_class: Annotated[int, typer.Option(min=1, help="Clips of each kind of damage.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Seed of clips, damage and noise.")] = 0,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads.", show_default="all cores")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write the result to (JSON).")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Page to write, with tables and clips to hear (HTML).")
    ] = None,
    listen: Annotated[
        int, typer.Option(min=0, help="Clips of each kind of damage in the page.")
    ] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")] = False,
) -> None:
    """Measure the quality of restored speech on damaged clips, drawn by a seed or recorded."""
    from ..benchmarks import provenance, report
    from ..benchmarks.peers.load import peers_of
    from ..benchmarks.quality import evaluation as quality
    from ..benchmarks.quality import per_speaker, scores, systems
    from ..benchmarks.quality.sources import source_of
    from ..benchmarks.reports.gallery import Gallery
    from ..benchmarks.reports.html import page
    from ..core import processors
    from ..core.outputs import check_target, write_text
    from ..runtimes.restorer import EMBEDDED_BUNDLE
    from .progress import tracked

    check_target(out)
    report.check_page(html)
    source = source_of(data, split, seed=seed, per_class=per_class, degraded=degraded, clean=clean)
    scorers = scores.choose(metrics or [scores.FAST], referenced=source.referenced)
    scores.require(scorers)
    variants = systems.variants(bundle or [], backend or [], precision or [])
    peers = peers_of(peer or [])
    restorers = {one.name: systems.load(one, threads=threads) for one in variants}
    compared = systems.systems_of(
        restorers, steps or [], peers, seed=seed, referenced=source.referenced
    )
    gallery = Gallery(compared, per_class=listen if html else 0)
    renderings = gallery.watch(quality.render(source.pairs, compared))
    workers = threads or processors.usable()
    scored = quality.evaluate(renderings, compared, scorers, workers=workers)
    tracks = tracked(scored, "evaluating", total=source.count, quiet=quiet)
    clips = [clip for clips in tracks for clip in clips]
    lines = [quality.clip_row(clip) for clip in clips]
    packages = [*scores.packages(scorers), *(one.package for one in peers)]
    models = {one.name: provenance.model(one.bundle or EMBEDDED_BUNDLE) for one in variants}
    result: dict[str, Any] = {
        "rows": quality.rows(clips, seed=seed),
        "speakers": per_speaker.rows(lines),
        **origin(context, packages),
        "models": models,
        "seed": seed,
        "clips": lines,
    }
    if html:
        write_text(page(result, gallery.exhibits), html)
    tell(result, lambda: _text(result), out=out, as_json=as_json, quiet=quiet)


def _text(result: dict[str, Any]) -> str:
    from ..benchmarks.quality import per_speaker, tables

    told = [tables.markdown(result["rows"])]
    if result["speakers"]:
        told += ["", per_speaker.markdown(result["speakers"])]
    return "\n".join(told)
