"""The verb `evaluate`: how good the restored audio is, in figures."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..benchmarks.quality import ClipScores


def evaluate(
    data: Annotated[Path, typer.Option(help="Folder of speech, or of manifests.")],
    split: Annotated[str, typer.Option(help="Part of the data: train, valid or test.")] = "test",
    bundle: Annotated[
        Path | None, typer.Option(help="Folder of a model.", show_default="built-in")
    ] = None,
    steps: Annotated[
        list[int] | None,
        typer.Option(help="Diffusion steps; may be repeated.", show_default="best"),
    ] = None,
    per_class: Annotated[int, typer.Option(min=1, help="Clips of each kind of damage.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Seed of clips, damage and noise.")] = 0,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads.", show_default="all cores")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write the result to (JSON).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> None:
    """Measure the quality of restored speech on seeded, damaged clips."""
    from ..benchmarks import provenance, quality, report, scores
    from ..benchmarks.testset import CLASSES, pairs
    from ..runtimes.restorer import EMBEDDED_BUNDLE, Restorer

    scores.require()
    report.check_target(out)
    restorer = Restorer.load(bundle, threads=threads)
    systems = quality.systems_of(restorer, steps or [restorer.default_steps], seed=seed)
    drawn = pairs(data, split, seed=seed, per_class=per_class)
    scored = quality.evaluate(drawn, systems, workers=threads or os.cpu_count() or 1)
    clips = _tracked(scored, total=per_class * len(CLASSES), shown=not quiet)
    options: dict[str, object] = {"data": data, "split": split, "bundle": bundle, "steps": steps}
    options |= {"per-class": per_class, "seed": seed, "threads": threads}
    result: dict[str, Any] = {
        "rows": quality.rows(clips, seed=seed),
        "command": provenance.command("evaluate", options),
        "machine": provenance.machine(),
        "versions": provenance.versions(scores.packages()),
        "model": provenance.model(bundle or EMBEDDED_BUNDLE),
        "seed": seed,
        "clips": [quality.clip_row(clip) for clip in clips],
    }
    if out:
        report.write(result, out)
    if as_json:
        print(report.to_json(result))
    elif not quiet:
        print(report.quality_markdown(result["rows"]))


def _tracked(scored: Iterable[list[ClipScores]], *, total: int, shown: bool) -> list[ClipScores]:
    """Everything scored, in one list, with a bar on stderr meanwhile."""
    from rich.console import Console
    from rich.progress import track

    bar = track(
        scored,
        "evaluating",
        total=total,
        console=Console(stderr=True),
        transient=True,
        disable=not (shown and sys.stderr.isatty()),
    )
    return [clip for clips in bar for clip in clips]
