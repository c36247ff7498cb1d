"""`hiresldm calibrate`: inputs of every component, captured while damaged speech is restored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import options
from ..told import tell

Out = Annotated[Path, typer.Option(help="Calibration file to write (safetensors).")]
Clips = Annotated[int, typer.Option(min=1, help="Damaged clips, kinds of damage in turn.")]
Seconds = Annotated[float, typer.Option(min=0.1, max=8.0, help="Length of a clip.")]


def calibrate(
    data: options.SpeechFolder,
    out: Out,
    weights: options.Weights = None,
    clips: Clips = 28,
    seconds: Seconds = 1.0,
    seed: options.Seed = 0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Capture what quantizers calibrate on: inputs of every component at every sampler step."""
    from ...calibration import store
    from ...calibration.capture import capture
    from ...calibration.cases import cases
    from ...core.outputs import check_target
    from ...families.checkpoints import load
    from ...runtimes.restorer import EMBEDDED_BUNDLE
    from ..progress import tracked

    check_target(out)
    model = load(weights or EMBEDDED_BUNDLE)
    drawn = cases(data, clips=clips, seconds=seconds, seed=seed)
    captured = capture(model, tracked(drawn, "capturing", total=clips, quiet=quiet), seed=seed)
    facts = {"clips": str(clips), "seconds": str(seconds), "seed": str(seed)}
    store.save(out, captured, facts=facts | {"config": model.config.to_json()})
    held = store.load(out)
    counts = {c.name: len(held.samples(c.name)) for c in model.components}
    result = {"path": str(out), "sha256": held.sha256, "samples": counts}
    tell(result, lambda: _text(out, held.sha256, counts), as_json=as_json, quiet=quiet)


def _text(out: Path, sha256: str, counts: dict[str, int]) -> str:
    held = ", ".join(f"{count} inputs of {name}" for name, count in counts.items())
    return f"{out}: {out.stat().st_size / 1e6:.1f} MB, sha256 {sha256}\n{held}"
