"""`hiresldm build`: a bundle from trained weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .told import origin, tell

if TYPE_CHECKING:
    from ..export.build.bundle import Built
    from ..export.build.plan import Plan
    from ..families.checkpoints import Model
    from ..parity.evaluator import Evaluator


def build(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="Bundle folder to make.")],
    family: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose networks: hiresldm, ...", show_default="hiresldm"),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Trained: a run, a bundle, or a file that others published.",
            show_default="built-in",
        ),
    ] = None,
    untrained: Annotated[
        bool, typer.Option("--untrained", help="Random weights instead of trained ones.")
    ] = False,
    size: Annotated[
        str | None, typer.Option(help="Of --untrained: edge, base, ...", show_default="edge")
    ] = None,
    formats: Annotated[str, typer.Option(help="Of onnx, openvino, coreml, ort.")] = "onnx",
    precisions: Annotated[
        str, typer.Option(help="Of fp32, fp16, int8, int4, w8a8, mixed, pal6, pal4.")
    ] = "fp32",
    components: Annotated[str, typer.Option(help="Components to export.", show_default="all")] = "",
    precision_config: Annotated[
        Path | None, typer.Option(help="Precision per layer, for mixed.")
    ] = None,
    calibration: Annotated[Path | None, typer.Option(help="Captured inputs, for w8a8.")] = None,
    steps: Annotated[
        str, typer.Option(help="Numbers of sampler steps offered.", show_default="the weights' own")
    ] = "",
    default_steps: Annotated[
        int | None,
        typer.Option(help="Steps when none are asked for.", show_default="the weights' own"),
    ] = None,
    audio: Annotated[
        Path | None,
        typer.Option(help="Speech to damage and restore: what every precision does to its sound."),
    ] = None,
    per_class: Annotated[
        int, typer.Option(min=1, help="Clips of each kind of damage, for --audio.")
    ] = 1,
    report: Annotated[Path | None, typer.Option(help="File for the measurements (JSON).")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan, write nothing.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")] = False,
) -> None:
    """Export every component in every format and precision, prove each file, write the bundle.

    Lists are separated by commas. The default, onnx in fp32, is what `restore` runs with nothing
    but the base install.
    """
    from ..benchmarks import report as reports
    from ..benchmarks.reports import tables
    from ..calibration.simulation import fp32_bytes
    from ..core.memory import peak_bytes
    from ..core.outputs import check_target
    from ..export.build import sources
    from ..export.build.bundle import build as run
    from ..export.build.plan import plan as planned
    from .progress import counting

    check_target(report)
    model = sources.model_of(family, weights, untrained=untrained, size=size)
    plan = planned(
        model,
        formats=_items(formats),
        precisions=_items(precisions),
        components=_items(components),
        precision_config=precision_config,
        calibration=calibration,
    )
    if dry_run:
        rows = _planned(plan)
        print(reports.to_json({"plan": rows}) if as_json else tables.planned(rows))
        return
    host = sources.host_of(
        model, weights, _numbers(_items(steps)), default_steps, own=not untrained
    )
    evaluator = _evaluator(audio, per_class, host.default_steps, plan, model) if audio else None
    if not quiet:
        typer.echo(tables.planned(_planned(plan)) + "\n", err=True)
    with counting("exporting", total=len(plan.rows), quiet=quiet) as advance:
        built = run(
            model,
            plan,
            out,
            host=host,
            overwrite=overwrite,
            started=lambda _: advance(),
        )
    result = _result(model, built)
    if evaluator:
        result["audio"] = _evaluated(built, out, evaluator, fp32_bytes(model), quiet=quiet)
    if report:
        packages = ("torch", "onnx", "openvino", "nncf", "coremltools")
        about = origin(context, packages) | {"peak_bytes": peak_bytes()}
        reports.write(about | result, report)
    tell(result, lambda: _text(result), as_json=as_json, quiet=quiet)


def _text(result: dict[str, Any]) -> str:
    from ..benchmarks.reports import tables

    told = [tables.artifacts(result)]
    return "\n\n".join([*told, tables.pipelines(result)] if "audio" in result else told)


def _numbers(steps: list[str]) -> list[int]:
    from ..core.errors import UsageError

    if not all(text.isdecimal() and int(text) for text in steps):
        raise UsageError(f"--steps {','.join(steps)}: give numbers of 1 or more, such as 1,2,4")
    return [int(text) for text in steps]


def _evaluator(
    audio: Path, per_class: int, default_steps: int, plan: Plan, model: Model
) -> Evaluator:
    from ..benchmarks.quality.testset import pairs
    from ..export.build import pipelines
    from ..parity.evaluator import Evaluator

    pipelines.check(plan, [component.name for component in model.components])
    clips = list(pairs(audio, "valid", seed=0, per_class=per_class))
    return Evaluator(clips, steps=default_steps, seed=0)


def _evaluated(
    built: Built, out: Path, evaluator: Evaluator, full: int, *, quiet: bool
) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from ..export.build import pipelines
    from ..parity.evaluator import Budget
    from .progress import tracked

    total = pipelines.count(built)
    found = pipelines.evaluate(built, out, evaluator, Budget.usual())
    evaluated = tracked(found, "evaluating", total=total, quiet=quiet)
    return [asdict(one) | {"of_fp32": one.bytes / full} for one in evaluated]


def _items(text: str) -> list[str]:
    """The words of a list, each once."""
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _planned(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "component": row.component.name,
            "format": row.exporter.FORMAT,
            "precision": str(row.precision),
            "predicted_bytes": row.predicted_bytes,
        }
        for row in plan.rows
    ]


def _result(model: Model, built: Built) -> dict[str, Any]:
    from dataclasses import asdict

    from ..calibration.simulation import fp32_bytes

    floats = {name: fp32_bytes(component) for name, component in model.named_children()}
    rows = [
        {
            "component": m.artifact.component,
            "format": m.artifact.format,
            "precision": m.artifact.precision,
            "bytes": m.bytes,
            "of_fp32": m.bytes / floats[m.artifact.component],
            "engine": m.engine,
            "parity_db": m.parity_db,
            "ms_per_s": m.ms_per_s,
            "left_out": built.dropped.get(m.artifact.path),
            "findings": list(m.findings),
        }
        for m in built.measured
    ]
    return {"artifacts": [asdict(row) for row in built.manifest.artifacts], "rows": rows}
