"""The verb `steps`: quality against the number of denoiser evaluations."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .asked import command

if TYPE_CHECKING:
    from ..benchmarks.quality import ClipScores, Rendering, System
    from ..benchmarks.scores import Scorer


def steps(
    context: typer.Context,
    teacher: Annotated[Path, typer.Option(help="Folder of the teacher: a run or a bundle.")],
    data: Annotated[Path, typer.Option(help="Speech to damage: audio, or manifests.")],
    student: Annotated[
        list[str] | None, typer.Option(help="NAME=DIR of a student; may be repeated.")
    ] = None,
    regressor: Annotated[Path | None, typer.Option(help="Folder of a direct regressor.")] = None,
    split: Annotated[str, typer.Option(help="Part of the data: train, valid or test.")] = "test",
    per_class: Annotated[int, typer.Option(min=1, help="Clips of each kind of damage.")] = 4,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of the sampler's noise.")] = 3,
    robust_seeds: Annotated[
        int,
        typer.Option(min=2, help="Seeds of the first student at 1 and 2 steps."),
    ] = 10,
    metrics: Annotated[
        list[str] | None,
        typer.Option(help="As in `evaluate`; may be repeated.", show_default="fast"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of clips and damage.")] = 0,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads.", show_default="all cores")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each timing.")] = 3,
    out: Annotated[Path | None, typer.Option(help="File to write the result to (JSON).")] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture of the curves to write (PNG).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> None:
    """Compare a teacher, however sampled, with its students: quality, time, spread over seeds."""
    import torch

    from ..benchmarks import curve, provenance, quality, report, robustness, scores
    from ..benchmarks import steps as table
    from ..benchmarks.memory import Memory
    from ..benchmarks.testset import pairs
    from ..core.outputs import check_target
    from ..reference.training.distortion import CLEAN

    check_target(out)
    check_target(plot)
    folders = _students(student or [])
    judges = scores.choose(metrics or [scores.FAST], referenced=True)
    scores.require(judges)
    torch.set_num_threads(threads or os.cpu_count() or 1)
    memory = Memory()
    cases = table.teacher_cases(teacher, memory)
    cases += table.regressor_cases(regressor, memory) if regressor else []
    students = [
        case for name in folders for case in table.student_cases(name, folders[name], memory)
    ]
    workers = threads or os.cpu_count() or 1
    drawn = [p for p in pairs(data, split, seed=seed, per_class=per_class) if p.kind != CLEAN]
    tried = table.trials([*cases, *students], range(seeds))
    plain = [trial.system() for trial in tried]
    scored = _scored(quality.render(drawn, plain), plain, judges, len(drawn), workers, quiet)
    first = next(iter(folders), None)
    few = [one for one in students if one.system == first and one.steps in robustness.STEPS]
    watch = robustness.SeedWatch(table.trials(few, range(robust_seeds)))
    seen = watch.watch(quality.render(drawn[::per_class], watch.systems))
    quick = [judge for judge in judges if not judge.slow] or judges
    spreads = _scored(seen, watch.systems, quick, len(drawn[::per_class]), workers, quiet)
    clocked = table.timings([*cases, *students], drawn[0].damaged, runs=runs)
    models = {"teacher": teacher, **({"regressor": regressor} if regressor else {}), **folders}
    lines = table.rows(tried, scored, seed=seed)
    result: dict[str, Any] = {
        "rows": [line | clock for line, clock in zip(lines, clocked, strict=True)],
        "differences": table.differences(tried, scored, seed=seed),
        "robustness": watch.rows(spreads),
        "models": {name: table.origin(folder) for name, folder in models.items()},
        "command": command(context),
        "machine": provenance.machine(),
        "versions": provenance.versions([*scores.packages(judges), "torch"]),
        "seed": seed,
    }
    if out:
        report.write(result, out)
    if plot:
        curve.draw(result["rows"], plot)
    if as_json:
        print(report.to_json(result))
    elif not quiet:
        print(table.markdown(result))


def _students(named: Sequence[str]) -> dict[str, Path]:
    from ..benchmarks.steps import REGRESSOR, TEACHER
    from ..core.errors import UsageError

    pairs = [text.partition("=") for text in named]
    for name, _, folder in pairs:
        if not name or not folder or name in {TEACHER, REGRESSOR}:
            raise UsageError(
                f"--student {name}={folder}: give NAME=DIR, a name other than teacher or regressor"
            )
    return {name: Path(folder) for name, _, folder in pairs}


def _scored(
    renderings: Iterable[Rendering],
    systems: Sequence[System],
    judges: Sequence[Scorer],
    total: int,
    workers: int,
    quiet: bool,
) -> list[list[ClipScores]]:
    """The scores of all systems, pair by pair, with a bar on stderr meanwhile."""
    from ..benchmarks.quality import evaluate
    from .progress import tracked

    if not systems:
        return []
    scored = evaluate(renderings, systems, judges, workers=workers)
    return list(tracked(scored, "evaluating", total=total, quiet=quiet))
