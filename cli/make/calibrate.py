"""`hiresldm calibrate`: inputs of every component, captured while damaged speech is restored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
    about: dict[str, object] = {"clips": clips, "seconds": seconds, "seed": seed}
    facts = {name: str(value) for name, value in about.items()}
    facts["config"] = model.config.to_json()
    store.save(out, captured, facts=facts)
    calibration = store.load(out)
    counts = {c.name: len(calibration.samples(c.name)) for c in model.components}
    result: dict[str, Any] = {"path": str(out), "sha256": calibration.sha256, "samples": counts}
    held = ", ".join(f"{count} inputs of {name}" for name, count in counts.items())
    text = f"{out}: {out.stat().st_size / 1e6:.1f} MB, sha256 {calibration.sha256}\n{held}"
    tell(result, lambda: text, as_json=as_json, quiet=quiet)
