"""Golden vectors and noise as plain little-endian float32, for hosts that read no `.npz`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ... import families
from ...core.bundle.manifest import Manifest
from ...core.errors import IntegrityError
from ...core.signal import noise
from ...core.spec import Array, Component
from ...parity import golden
from ...parity.rows import PIPELINE

FOLDER = "vectors"
INDEX = "vectors.json"
# (seed, step, first frame, frames, channels): the golden hash, high words, a start within a block.
NOISE = ((1234, 0, 0, 4096, 1), (2**64 - 1, 3, 999, 16, 50), (2**32 + 7, 0, 2**33, 16, 64))


def write(manifest: Manifest, bundle: Path, out: Path) -> None:
    """Write the vectors of the bundle below `out`, and what they are into `vectors.json`.

    Raises `IntegrityError` for a bundle without golden vectors.
    """
    folder = out / FOLDER
    folder.mkdir()
    _, host = families.of(manifest)
    noises = _noise(folder) if host.schedules else []
    index = {"noise": noises, "speech": _speech(manifest, bundle, folder)}
    (folder / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def _noise(folder: Path) -> list[dict[str, Any]]:
    names = ("seed", "step", "first_frame", "frames", "channels")
    return [
        # As text: a number of JSON is a double to many readers.
        {name: str(value) for name, value in zip(names, call, strict=True)}
        | _written(folder, f"noise-{i}", noise.normals(*call))
        for i, call in enumerate(NOISE)
    ]


def _speech(manifest: Manifest, bundle: Path, folder: Path) -> dict[str, Any]:
    if manifest.golden is None:
        raise IntegrityError(f"{bundle} holds no golden vectors; build it again")
    vectors = golden.read(bundle / manifest.golden.path)
    family, host = families.of(manifest)
    frames = frames_of(manifest)
    outputs = vectors.outputs[frames]
    share = len(vectors.wave) / (frames * host.hop)
    return {
        "latent_frames": frames,
        "seed": "0",
        "steps": host.default_steps,
        "wave": _written(folder, "wave", vectors.wave),
        "restored": _written(folder, "restored", outputs[PIPELINE]),
        "components": {
            component.name: _written(folder, component.name, outputs[component.name])
            | {"output": component.outputs[0].name, "kept": _kept(component, frames, share)}
            for component in family.components(host)
        },
    }


def frames_of(manifest: Manifest) -> int:
    """The number of latent frames of the vectors: the first that every artifact takes."""
    fixed = [a.enumerated_frames[0] for a in manifest.artifacts if a.enumerated_frames]
    return max(fixed, default=golden.SPEECH_FRAMES)


def _kept(component: Component, frames: int, share: float) -> list[int]:
    """Which frames of a component's output lie in its file."""
    first = component.outputs[0]
    shape = component.shape_of(first, frames)
    total = shape[component.frames_axis(first)]
    kept: list[int] = golden.kept_frames(total, int(np.prod(shape)) // total, share).tolist()
    return kept


def _written(folder: Path, name: str, values: Array) -> dict[str, Any]:
    (folder / f"{name}.f32").write_bytes(values.astype("<f4").tobytes())
    return {"file": f"{FOLDER}/{name}.f32", "shape": list(values.shape)}
