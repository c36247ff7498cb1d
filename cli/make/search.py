"""`hiresldm search`: the smallest mix of precisions whose audio stays within a budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options
from ..told import origin, tell

if TYPE_CHECKING:
    from ...calibration.search import Found, Trial
    from ...calibration.sensitivity import Sensitivity
    from ...calibration.simulation import Layers
    from ...calibration.store import Calibration
    from ...families.checkpoints import Model
    from ...parity.evaluator import TrialEvaluator

PACKAGES = ("torch", "speechmos", "pystoi")

CalibrationFile = Annotated[Path, typer.Option(help="Calibration file of these weights.")]
Out = Annotated[Path, typer.Option(help="Mixed-precision config to write (JSON).")]
Steps = Annotated[int, typer.Option(help="Diffusion steps: 1, 2 or 4.")]
AllowedLoss = Annotated[
    str,
    typer.Option(
        metavar="lsd=X,estoi=X,dnsmos=X",
        help="What may be lost against fp32.",
        show_default="parity's own",
    ),
]
TrialsReport = Annotated[
    Path | None,
    typer.Option("--report", help="File for every trial and sensitivity (JSON)."),
]


def search(
    context: typer.Context,
    data: options.SpeechFolder,
    calibration: CalibrationFile,
    out: Out,
    weights: options.Weights = None,
    split: options.Split = "valid",
    per_class: options.PerClass = 2,
    steps: Steps = 1,
    budget: AllowedLoss = "",
    seed: options.Seed = 0,
    report_to: TrialsReport = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Choose fp16, int8 or int4 for every layer: the smallest trial that still sounds right."""
    from ...benchmarks.quality.testset import pairs
    from ...benchmarks.reports import builds
    from ...calibration import mixed_precision, store
    from ...core.outputs import check_target
    from ...families.checkpoints import load
    from ...parity.evaluator import Budget, TrialEvaluator
    from ...runtimes.restorer import EMBEDDED_BUNDLE

    check_target(out)
    check_target(report_to)
    limits, captured = (Budget.parse(budget) if budget else Budget.usual()), store.load(calibration)
    model = load(weights or EMBEDDED_BUNDLE)
    captured.require(model.config.to_json())
    clips = list(pairs(data, split, seed=seed, per_class=per_class))
    evaluator = TrialEvaluator(model, clips, limits, steps=steps, seed=seed)
    sensitivities = _measured(model, captured, quiet=quiet)
    found = _searched(evaluator, sensitivities, quiet=quiet)
    mixed_precision.save(found.config, out)
    result = _result(found, model, sensitivities)
    result |= {"clips": len(clips), "calibration": captured.sha256} | origin(context, PACKAGES)
    tell(result, lambda: builds.trials(result), out=report_to, as_json=as_json, quiet=quiet)


def _measured(model: Model, calibration: Calibration, *, quiet: bool) -> list[Sensitivity]:
    from ...calibration.sensitivity import choices, measure
    from ..progress import tracked

    found = measure(model, calibration)
    return list(tracked(found, "measuring layers", total=len(choices(model)), quiet=quiet))


def _searched(evaluator: TrialEvaluator, sensitivities: list[Sensitivity], *, quiet: bool) -> Found:
    from ...calibration.search import MOST_TRIALS
    from ...calibration.search import search as run
    from ..progress import counting

    with counting("evaluating", total=MOST_TRIALS, quiet=quiet) as advance:

        def evaluate(name: str, layers: Layers) -> Trial:
            trial = evaluator(name, layers)
            advance()
            return trial

        return run(evaluator.model, sensitivities, evaluate)


def _result(found: Found, model: Model, sensitivities: list[Sensitivity]) -> dict[str, Any]:
    from dataclasses import asdict

    from ...calibration.simulation import fp32_bytes

    return {
        "chosen": found.chosen.name,
        "fp32_bytes": fp32_bytes(model),
        "trials": [asdict(trial) for trial in found.trials],
        "sensitivities": [asdict(one) for one in sensitivities],
    }
