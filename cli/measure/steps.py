"""The verb `steps`: quality against the number of denoiser evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options
from ..lists import NAMES, words
from ..told import origin, tell

if TYPE_CHECKING:
    from ...benchmarks.quality.testset import Pair

Teacher = Annotated[Path, typer.Option(help="Folder of the teacher: a run or a bundle.")]
Data = Annotated[Path, typer.Option(help="Speech to damage: audio, or manifests.")]
Student = Annotated[list[str] | None, typer.Option(help="NAME=DIR of a student; may be repeated.")]
Regressor = Annotated[Path | None, typer.Option(help="Folder of a direct regressor.")]
Seeds = Annotated[int, typer.Option(min=1, help="Seeds of the sampler's noise.")]
RobustSeeds = Annotated[
    int,
    typer.Option(min=2, help="Seeds of the first student at 1 and 2 steps."),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(metavar=NAMES, help="As in `evaluate`.", show_default="fast"),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of clips and damage.")]
Runs = Annotated[int, typer.Option(min=1, help="Runs of each timing.")]
Plot = Annotated[Path | None, typer.Option(help="Picture of the curves to write (PNG).")]


def steps(
    context: typer.Context,
    teacher: Teacher,
    data: Data,
    student: Student = None,
    regressor: Regressor = None,
    split: options.Split = "test",
    per_class: options.PerClass = 4,
    seeds: Seeds = 3,
    robust_seeds: RobustSeeds = 10,
    metrics: Metrics = None,
    seed: Seed = 0,
    threads: options.MeasuringThreads = None,
    runs: Runs = 3,
    report_to: options.Report = None,
    plot: Plot = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare a teacher, however sampled, with its students: quality, time, spread over seeds."""
    from ...benchmarks.quality import steps as contests
    from ...benchmarks.quality.metrics import scores
    from ...benchmarks.reports import curve
    from ...core.outputs import check_target
    from ..progress import tracked

    check_target(report_to)
    check_target(plot)
    folders = _students(student or [])
    scorers = scores.choose(words(metrics) or [scores.FAST], referenced=True)
    scores.require(scorers)
    workers = _workers(threads)
    drawn = _damaged(data, split, seed=seed, per_class=per_class)
    contest = contests.Contest(teacher, regressor, folders, drawn, scorers, seed, workers)
    track = partial(tracked, label="evaluating", quiet=quiet)
    compared = contests.compare(
        contest, seeds=seeds, robust_seeds=robust_seeds, runs=runs, track=track
    )
    packages = [*scores.packages(scorers), "torch"]
    result: dict[str, Any] = compared | origin(context, packages) | {"seed": seed}
    if plot:
        curve.draw(result["rows"], plot)
    tell(result, lambda: contests.markdown(result), out=report_to, as_json=as_json, quiet=quiet)


def _workers(threads: int | None) -> int:
    """The threads of everything that is measured, those of torch too."""
    import torch

    from ...core import processors

    workers = threads or processors.usable()
    torch.set_num_threads(workers)
    return workers


def _damaged(data: Path, split: str, *, seed: int, per_class: int) -> list[Pair]:
    from ...benchmarks.quality.testset import pairs
    from ...training.damage.kinds import CLEAN

    drawn = pairs(data, split, seed=seed, per_class=per_class)
    return [pair for pair in drawn if pair.kind != CLEAN]


def _students(named: Sequence[str]) -> dict[str, Path]:
    from ...benchmarks.quality.cases import REGRESSOR, TEACHER
    from ...core.errors import UsageError

    pairs = [text.partition("=") for text in named]
    for name, _, folder in pairs:
        if not name or not folder or name in {TEACHER, REGRESSOR}:
            raise UsageError(
                f"--student {name}={folder}: give NAME=DIR, a name other than teacher or regressor"
            )
    return {name: Path(folder) for name, _, folder in pairs}
