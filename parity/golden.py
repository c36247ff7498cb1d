"""Golden vectors: a moment of speech, and what the reference made of it, inside the bundle.

They prove a bundle where torch is not installed, and prove the reference itself: an altered
weight changes what is computed from it on every engine alike, but not what was written down.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import families
from ..core.bundle import manifest as bundles
from ..core.bundle.manifest import Manifest
from ..core.errors import IntegrityError, UsageError, reason
from ..core.family import Runners
from ..core.spec import Array, Arrays, Component, File
from . import inputs, thresholds
from .candidates import Candidate, candidates
from .captured import Trace, trace
from .components import Limits, fault_of
from .distance import distance
from .rows import GOLDEN, LIMIT_DB, PIPELINE, Row, Status

SPEECH_FRAMES = 12
"""Latent frames of speech, 0.24 s; silence follows where a component takes more."""
_KEPT_VALUES = 6200
"""Of each output about so many values are kept, as whole frames."""
_WAVE = "wave"
_MOST_BYTES = 1 << 26
"""Unpacked; a few hundred kilobytes are usual."""


@dataclass(frozen=True)
class Golden:
    """The wave (N,), and by number of latent frames the kept frames of every output."""

    wave: Array
    outputs: Mapping[int, Mapping[str, Array]]


def write(manifest: Manifest, root: Path) -> Manifest:
    """Write the vectors of the model in `root` and give the manifest that lists them.

    The caller saves the manifest. Raises `IntegrityError` for unreadable weights.
    """
    from ..families.checkpoints import load
    from ..runtimes import on_torch

    runners = on_torch.runners(load(root))
    _, host = families.of(manifest)
    samples = SPEECH_FRAMES * host.hop
    noisy = inputs.signals(samples, host.sample_rate_hz)[inputs.NOISY]
    stored = np.rint(noisy * 32767).astype(np.int16)
    arrays: dict[str, Any] = {_WAVE: stored}
    for frames in _lengths(manifest):
        made = _run(runners, manifest, _as_wave(stored), frames)
        arrays |= {f"{frames}/{name}": kept for name, kept in made.items()}
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    draft = root / "golden.partial"
    draft.write_bytes(content.getvalue())
    digest = bundles.sha256_of(draft)
    path = draft.rename(root / f"golden.{digest[:12]}.npz")
    return replace(manifest, golden=File(path.name, digest))


def check(root: Path) -> Iterator[Row]:
    """Rows of every artifact of the bundle on every engine present, without torch.

    Raises `IntegrityError` for a bundle that is altered, and `UsageError` for one that was built
    without golden vectors.
    """
    manifest = bundles.load(root)
    bundles.verify(manifest, root)
    if manifest.golden is None:
        raise UsageError(f"{root} holds no golden vectors; build it again, or use parity")
    for candidate in candidates(manifest, root):
        yield from candidate.faults
        yield from rows(manifest, root, candidate)


def rows(manifest: Manifest, root: Path, candidate: Candidate) -> Iterator[Row]:
    """Rows of one candidate; none where the bundle holds no vectors or a component did not open."""
    if manifest.golden is None or not candidate.complete:
        return
    golden = read(root / manifest.golden.path)
    frames = candidate.enumerated_frames[0] if candidate.enumerated_frames else SPEECH_FRAMES
    expected = golden.outputs.get(frames)
    if expected is None:
        raise IntegrityError(f"{manifest.golden.path} holds no vectors of {frames} frames")
    try:
        made = _run(candidate.runners, manifest, golden.wave, frames)
    except Exception as error:  # whatever an engine throws at an input is a finding
        yield candidate.row(PIPELINE, GOLDEN, Status.FAIL, f"does not run: {error}")
        return
    own = {artifact.component for artifact in candidate.artifacts} or set(expected)
    for name, wanted in expected.items():
        if name in own | {PIPELINE}:
            yield _row(candidate, name, wanted, made[name])


def _row(candidate: Candidate, name: str, wanted: Array, got: Array) -> Row:
    far = distance(wanted, got)
    floor = thresholds.load().floor(
        "golden_db",
        component=name,
        format=candidate.format,
        precision=candidate.precision,
        runtime=candidate.runtime,
    )
    fault = fault_of(far, Limits(floor, -np.inf, -np.inf), speech=True)
    value = float(np.clip(far.snr_db, -LIMIT_DB, LIMIT_DB))
    status = Status.FAIL if fault else Status.PASS
    return candidate.row(name, GOLDEN, status, fault, value=value, floor=floor)


def _run(runners: Runners, manifest: Manifest, wave: Array, frames: int) -> dict[str, Array]:
    """What is kept of a run in which every component takes what the one before has made."""
    family, host = families.of(manifest)
    padded = np.pad(wave, (0, frames * host.hop - len(wave)))
    made: Trace = trace(runners, host, padded)
    share = len(wave) / len(padded)
    kept = {
        component.name: _kept(component, made.calls[component.name][-1].outputs, share)
        for component in family.components(host)
    }
    return kept | {PIPELINE: made.wave[: len(wave)].reshape(-1, 1).astype(np.float16)}


def _kept(component: Component, outputs: Arrays, share: float) -> Array:
    """Evenly spread frames (T, C) of the part of the first output that holds speech."""
    first = component.outputs[0]
    by_frame = np.moveaxis(outputs[first.name], component.frames_axis(first), 0)
    output = by_frame.reshape(len(by_frame), -1)
    kept: Array = output[kept_frames(*output.shape, share)]
    return kept


def kept_frames(frames: int, channels: int, share: float) -> NDArray[np.int64]:
    """Which frames are kept of an output (frames, channels) whose first `share` holds speech."""
    spoken = round(frames * share)
    count = min(spoken, max(2, _KEPT_VALUES // channels))
    return np.linspace(0, spoken - 1, count).astype(np.int64)


def read(path: Path) -> Golden:
    """The vectors in a file; raises `IntegrityError` for one that holds none."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES:
                raise ValueError(f"they take more than {_MOST_BYTES} bytes")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in file}
        return _golden(arrays)
    except Exception as error:  # those of zipfile, zlib and NumPy share no narrower base
        raise IntegrityError(f"{path}: not golden vectors: {reason(error, path)}") from error


def _golden(arrays: dict[str, np.ndarray]) -> Golden:
    """The vectors of stored arrays; raises KeyError, ValueError for others than `write` makes."""
    stored = arrays.pop(_WAVE)
    if stored.dtype != np.int16 or stored.ndim != 1 or not stored.size:
        raise ValueError(f"the wave is {stored.dtype} of shape {stored.shape}, not int16 (N,)")
    outputs: dict[int, dict[str, Array]] = {}
    for name, kept in arrays.items():
        frames, _, component = name.partition("/")
        if kept.ndim != 2 or not np.issubdtype(kept.dtype, np.floating):
            raise ValueError(f"{name} is {kept.dtype} of shape {kept.shape}, not floats (T, C)")
        outputs.setdefault(int(frames), {})[component] = kept.astype(np.float32)
    return Golden(_as_wave(stored), outputs)


def _lengths(manifest: Manifest) -> list[int]:
    """The lengths of the vectors: one that any component takes, and the first enumerated one."""
    firsts = {a.enumerated_frames[0] for a in manifest.artifacts if a.enumerated_frames}
    return sorted({SPEECH_FRAMES, *firsts})


def _as_wave(stored: np.ndarray) -> Array:
    return stored.astype(np.float32) / np.float32(32767)
