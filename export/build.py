"""Weights in, bundle out: every part exported, hashed and listed, or nothing written at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch

from ..core import manifest as bundles
from ..core import noise
from ..core.errors import UsageError
from ..core.manifest import Manifest
from ..core.sampler import timesteps
from ..core.spec import Precision
from ..reference.components import components
from ..reference.model import Model, load, save_part
from . import to_onnx

STEPS = (1, 2, 4, 8, 16)
START = 1.0


def build(weights: Path, out: Path, *, default_steps: int, overwrite: bool = False) -> Manifest:
    """Export the model in the folder `weights` into a new bundle folder `out`.

    Weights are stored as fp16 first and exported from what was stored, so that the bundle and the
    reference hold the same numbers. Raises `UsageError` where `out` exists and is not to be
    overwritten, `IntegrityError` for unreadable weights, `ParityError` for a graph that differs.
    """
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists; give --overwrite to replace it")
    sampler = {steps: timesteps(steps, START) for steps in STEPS}
    if default_steps not in sampler:
        raise UsageError(f"{default_steps} default steps; accepted: {', '.join(map(str, STEPS))}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".build-") as folder:
        draft = Path(folder) / "bundle"
        draft.mkdir()
        manifest = _write(load(weights), draft, sampler, default_steps)
        if out.exists():
            out.rename(Path(folder) / "replaced")
        shutil.move(draft, out)
    return manifest


def _write(
    model: Model, out: Path, sampler: Mapping[int, tuple[float, ...]], default_steps: int
) -> Manifest:
    config = model.config
    for name, part in model.named_children():
        save_part(part, config, out / f"{name}.safetensors", torch.float16)
    stored = load(out)
    artifacts = tuple(
        to_onnx.export(component, component.build(stored), Precision.FP32, out, front=config.front)
        for component in components(config)
    )
    manifest = Manifest(
        model=config.name,
        front=config.front,
        sampler=sampler,
        default_steps=default_steps,
        noise_sha256=noise.golden_hash(),
        artifacts=artifacts,
    )
    bundles.save(manifest, out)
    return manifest
