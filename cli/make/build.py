"""`hiresldm build`: a bundle from trained weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options
from ..lists import NAMES, NUMBERS, numbers, words
from ..told import origin, tell

if TYPE_CHECKING:
    from ...core.family import Host
    from ...export.build.bundle import Built
    from ...export.build.plan import Plan
    from ...families.checkpoints import Model
    from ...parity.evaluator import Evaluator

PACKAGES = ("torch", "onnx", "openvino", "nncf", "coremltools", "executorch", "litert-torch")

Out = Annotated[Path, typer.Argument(help="Bundle folder to make.")]
Family = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Whose networks: hiresldm, ...", show_default="hiresldm"),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="Trained: a run, a bundle, or a file that others published.",
        show_default="built-in",
    ),
]
Untrained = Annotated[
    bool, typer.Option("--untrained", help="Random weights instead of trained ones.")
]
Size = Annotated[
    str | None, typer.Option(help="Of --untrained: edge, base, ...", show_default="edge")
]
Formats = Annotated[
    str, typer.Option(metavar=NAMES, help="Of onnx, openvino, coreml, ort, executorch, litert.")
]
Precisions = Annotated[
    str,
    typer.Option(
        metavar=NAMES,
        help="Of fp32, fp16, bf16, int8, int8-dynamic, int4, w8a8, mixed, pal6, pal4.",
    ),
]
Components = Annotated[
    str, typer.Option(metavar=NAMES, help="Components to export.", show_default="all")
]
PrecisionConfig = Annotated[Path | None, typer.Option(help="Precision per layer, for mixed.")]
Calibration = Annotated[Path | None, typer.Option(help="Captured inputs, for w8a8.")]
Steps = Annotated[
    str,
    typer.Option(
        metavar=NUMBERS,
        help="Numbers of sampler steps offered.",
        show_default="the weights' own",
    ),
]
DefaultSteps = Annotated[
    int | None,
    typer.Option(help="Steps when none are asked for.", show_default="the weights' own"),
]
Audio = Annotated[
    Path | None,
    typer.Option(help="Speech to damage and restore: what every precision does to its sound."),
]
PerClass = Annotated[int, typer.Option(min=1, help="Clips of each kind of damage, for --audio.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan, write nothing.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")]


def build(
    context: typer.Context,
    out: Out,
    family: Family = None,
    weights: Weights = None,
    untrained: Untrained = False,
    size: Size = None,
    formats: Formats = "onnx",
    precisions: Precisions = "fp32",
    components: Components = "",
    precision_config: PrecisionConfig = None,
    calibration: Calibration = None,
    steps: Steps = "",
    default_steps: DefaultSteps = None,
    audio: Audio = None,
    per_class: PerClass = 1,
    report_to: options.Report = None,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Export every component in every format and precision, prove each file, write the bundle.

    The default, onnx in fp32, runs with nothing but the base install; the
    embedded bundle was made with --precisions int8-dynamic,fp32.
    """
    from ...core.outputs import check_target
    from ...export.build import sources
    from ...export.build.plan import plan as planned

    check_target(report_to)
    model = sources.model_of(family, weights, untrained=untrained, size=size)
    plan = planned(
        model, formats=words(formats), precisions=words(precisions), components=words(components),
        precision_config=precision_config, calibration=calibration,
    )  # fmt: skip
    if dry_run:
        tell({"plan": plan.table()}, lambda: _plan_text(plan), as_json=as_json)
        return
    counts = numbers("--steps", steps)
    host = sources.host_of(model, weights, counts, default_steps, own=not untrained)
    made = _made(model, plan, host, out, audio, per_class, overwrite=overwrite, quiet=quiet)
    result = origin(context, PACKAGES) | made
    tell(result, lambda: _text(result), out=report_to, as_json=as_json, quiet=quiet)


def _made(
    model: Model,
    plan: Plan,
    host: Host,
    out: Path,
    audio: Path | None,
    per_class: int,
    *,
    overwrite: bool,
    quiet: bool,
) -> dict[str, Any]:
    """What came of the plan: its files, on `audio` what they do to sound, and peak memory."""
    from ...core.memory import peak_bytes
    from ...export.build import pipelines

    evaluator = audio and pipelines.evaluator_of(
        plan, model, audio, per_class=per_class, steps=host.default_steps
    )
    built = _built(model, plan, host, out, overwrite=overwrite, quiet=quiet)
    made = built.as_dict()
    if evaluator:
        made["audio"] = _evaluated(built, out, evaluator, quiet=quiet)
    return made | {"peak_bytes": peak_bytes()}


def _built(
    model: Model, plan: Plan, host: Host, out: Path, *, overwrite: bool, quiet: bool
) -> Built:
    from ...export.build.bundle import build as run
    from ..progress import counting

    if not quiet:
        typer.echo(_plan_text(plan) + "\n", err=True)
    with counting("exporting", total=len(plan.rows), quiet=quiet) as advance:
        return run(model, plan, out, host=host, overwrite=overwrite, started=lambda _: advance())


def _evaluated(
    built: Built, out: Path, evaluator: Evaluator, *, quiet: bool
) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from ...export.build import pipelines
    from ...parity.evaluator import Budget
    from ..progress import tracked

    found = pipelines.evaluate(built, out, evaluator, Budget.usual())
    total = pipelines.count(built)
    return [asdict(one) for one in tracked(found, "evaluating", total=total, quiet=quiet)]


def _plan_text(plan: Plan) -> str:
    from ...benchmarks.reports import builds

    return builds.planned(plan.table())


def _text(result: dict[str, Any]) -> str:
    from ...benchmarks.reports import builds

    told = [builds.artifacts(result)]
    return "\n\n".join([*told, builds.pipelines(result)] if "audio" in result else told)
