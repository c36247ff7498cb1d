"""`hiresldm distill`: a student of the diffusion model that needs few steps."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import options

if TYPE_CHECKING:
    from ...distill.run import Outcome


class MethodName(StrEnum):
    """The methods; polish goes on from a student of another."""

    CONSISTENCY = "consistency"
    SHORTCUT = "shortcut"
    REGRESSOR = "regressor"
    POLISH = "polish"


Teacher = Annotated[Path, typer.Option(help="Folder of a trained model: a run or a bundle.")]
Out = Annotated[Path, typer.Option(help="Folder of the student, complete with all components.")]
MethodArgument = Annotated[
    MethodName | None, typer.Argument(metavar="METHOD", help="How; or give --method.")
]
MethodOption = Annotated[MethodName | None, typer.Option(help="How the student learns.")]
Minutes = Annotated[float, typer.Option(min=0.01, help="Training time.")]
Cache = Annotated[
    Path | None,
    typer.Option(help="Folder of prepared speech.", show_default="that of teacher or OUT"),
]
LearningRate = Annotated[float | None, typer.Option(min=1e-6, show_default="the method's own")]


def distill(
    teacher: Teacher,
    out: Out,
    named: MethodArgument = None,
    data: options.TrainingData = None,
    method: MethodOption = None,
    minutes: Minutes = 10.0,
    cache: Cache = None,
    seed: options.TrainingSeed = 0,
    learning_rate: LearningRate = None,
    discriminator: options.Discriminator = False,
    device: options.TrainingDevice = "auto",
    resume: options.Resume = False,
    as_json: options.Json = False,
    quiet: options.NoBar = False,
) -> None:
    """Distill a trained denoiser into one that needs one to four steps."""
    chosen = _only_one(named, method)
    from ...distill.run import Job, Method
    from ...distill.run import distill as run

    about = (Method(chosen), teacher, data, out, minutes, learning_rate, cache, seed, device)
    job = Job(*about, discriminator=discriminator)
    outcome = run(job, resume=resume, quiet=quiet)
    typer.echo(json.dumps(asdict(outcome)) if as_json else _text(outcome, out))


def _only_one(named: MethodName | None, method: MethodName | None) -> MethodName:
    from ...core.errors import UsageError

    if (named is None) == (method is None):
        names = ", ".join(MethodName)
        raise UsageError(f"name one method, as the argument or as --method; accepted: {names}")
    return next(name for name in (named, method) if name is not None)


def _text(outcome: Outcome, out: Path) -> str:
    peak = outcome.peak_bytes
    memory = "" if peak is None else f", at most {peak / 1e9:.2f} GB of memory"
    rows = [f"student {row}" for row in outcome.student]
    rows += [f"teacher {row}" for row in outcome.reference]
    learned = f"{outcome.steps} steps in {outcome.minutes} min ({outcome.skipped} skipped)"
    return "\n".join([f"{outcome.method}: {learned}{memory}, model in {out}", *rows])
