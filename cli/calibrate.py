"""`hiresldm calibrate`: inputs of every part, captured while the model restores damaged speech."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .asked import command

if TYPE_CHECKING:
    from ..calibration.store import Calibration
    from ..reference.model import Model


def calibrate(
    context: typer.Context,
    data: Annotated[Path, typer.Option(help="Folder of speech, or of manifests.")],
    out: Annotated[Path, typer.Option(help="Calibration file to write (safetensors).")],
    weights: Annotated[
        Path | None, typer.Option(help="Folder of trained parts.", show_default="built-in")
    ] = None,
    clips: Annotated[int, typer.Option(min=1, help="Damaged clips, kinds of damage in turn.")] = 28,
    seconds: Annotated[float, typer.Option(min=0.1, max=8.0, help="Length of a clip.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of clips, damage and noise.")] = 0,
    compare: Annotated[
        Path | None,
        typer.Option(help="Also compare ways to choose w8a8 ranges: file to write (JSON)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")] = False,
) -> None:
    """Capture what quantizers calibrate on: inputs of every part at every sampler step."""
    from ..benchmarks import report
    from ..calibration import store
    from ..calibration.capture import capture
    from ..calibration.cases import cases
    from ..core.outputs import check_target
    from ..reference.model import PARTS, load
    from ..runtimes.restorer import EMBEDDED_BUNDLE
    from .progress import tracked

    check_target(out)
    check_target(compare)
    model = load(weights or EMBEDDED_BUNDLE)
    drawn = cases(data, clips=clips, seconds=seconds, seed=seed)
    captured = capture(model, tracked(drawn, "capturing", total=clips, quiet=quiet), seed=seed)
    about: dict[str, object] = {"clips": clips, "seconds": seconds, "seed": seed}
    facts = {name: str(value) for name, value in about.items()}
    facts["config"] = model.config.to_json()
    store.save(out, captured.samples, maxima=captured.maxima, facts=facts)
    calibration = store.load(out)
    counts = {part: len(calibration.samples(part)) for part in PARTS}
    result: dict[str, Any] = {"path": str(out), "sha256": calibration.sha256, "samples": counts}
    if compare:
        result["compared"] = _compared(model, calibration, quiet=quiet)
        report.write({**result, "command": command(context), **_machine()}, compare)
    if as_json:
        print(report.to_json(result))
    elif not quiet:
        print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, sha256 {calibration.sha256}")
        print(", ".join(f"{count} inputs of {part}" for part, count in counts.items()))
        if compare:
            print(_table(result["compared"]))


def _compared(model: Model, calibration: Calibration, *, quiet: bool) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from ..calibration.methods import METHODS, compare
    from ..reference.model import PARTS
    from .progress import tracked

    total = len(METHODS) * len(PARTS)
    rows = tracked(compare(model, calibration), "comparing", total=total, quiet=quiet)
    return [asdict(row) for row in rows]


def _machine() -> dict[str, Any]:
    from ..benchmarks import provenance

    return {"machine": provenance.machine(), "versions": provenance.versions(("onnx", "torch"))}


def _table(rows: list[dict[str, Any]]) -> str:
    from ..benchmarks import report

    return report.table(
        ["part", "ranges by", "w8a8 SNR, dB", "ranges changed", "s"],
        (
            [r["component"], r["method"], r["snr_db"], f"{r['changed']:.0%}", r["seconds"]]
            for r in rows
        ),
    )
