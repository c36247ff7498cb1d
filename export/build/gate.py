"""A written artifact on its engine: near enough to PyTorch, how large, how quick."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...core.bundle.manifest import bytes_of
from ...core.errors import BackendMissingError, ParityError
from ...core.spec import Array, Arrays, Artifact, Component, Runner
from ...parity.distance import Distance, distance
from ...runtimes.restorer import backends, runtime_of, stands_in

EXACT_DB = 200.0
"""Stands for any more, equality too: no float32 arithmetic comes this near."""
RUNS = 5
MARGIN = 1.2
"""Times differ by less than this from run to run, on a busy machine too."""


@dataclass(frozen=True)
class Measured:
    """An artifact's size, worst SNR over the samples, and the least CPU time of a call.

    `parity_db` is None where no engine here opens the format, `ms_per_s`, milliseconds of one
    core per second of audio, where the engine is only an interpreter. `findings`
    are what keeps a component meant for the neural engine off it.
    """

    artifact: Artifact
    bytes: int
    engine: str | None
    parity_db: float | None
    ms_per_s: float | None
    findings: Sequence[str] = ()


def measure(
    artifact: Artifact,
    root: Path,
    component: Component,
    reference: Runner,
    samples: Sequence[Arrays],
    *,
    floor_db: float,
    frame_s: float,
) -> Measured:
    """Run the artifact; raises `ParityError` where it comes not as near as `floor_db`, and for NaN.

    `frame_s` is what a frame of the component stands for.
    """
    size = sum(bytes_of(root / file.path) for file in artifact.files)
    engine, runner = engine_of(artifact, root)
    if engine is None or runner is None:
        return Measured(artifact, size, None, None, None)
    fitted = [fit(component, sample, artifact.enumerated_frames) for sample in samples]
    far = [_worst(reference(sample), runner(sample)) for sample in fitted]
    gated = _gated(artifact, min(far, key=lambda one: one.snr_db), floor_db)
    timed = not stands_in(runtime_of(engine))
    ms = _ms_per_s(runner, component, fitted[0], frame_s) if timed else None
    return Measured(gated, size, engine, gated.gate["parity_db"], ms)


def _gated(artifact: Artifact, far: Distance, floor_db: float) -> Artifact:
    """The artifact with what was measured of it; raises `ParityError` below its floor."""
    if far.fault:
        raise ParityError(f"{artifact.path}: its output has {far.fault}")
    parity_db = min(far.snr_db, EXACT_DB)
    if parity_db < floor_db:
        raise ParityError(
            f"{artifact.path}: {parity_db:.1f} dB from PyTorch; accepted: {floor_db:.0f} or more"
        )
    return replace(artifact, gate={"parity_db": round(parity_db, 1), "floor_db": floor_db})


def dominated(rows: Sequence[Measured]) -> dict[str, str]:
    """Why artifacts are not worth shipping, by their paths.

    Every component of their format and precision is larger and slower and no nearer to PyTorch than
    it is in another precision: what is left still makes whole pipelines.
    """
    by_variant: dict[tuple[str, str], dict[str, Measured]] = {}
    for row in rows:
        variant = by_variant.setdefault((row.artifact.format, row.artifact.precision), {})
        variant[row.artifact.component] = row
    reasons: dict[str, str] = {}
    for (kind, _), components in by_variant.items():
        for (other_kind, precision), others in by_variant.items():
            if kind == other_kind and all(
                _beats(others[name], components[name]) for name in components
            ):
                reason = f"larger and slower than {precision}, and not nearer"
                reasons |= {row.artifact.path: reason for row in components.values()}
    return reasons


def _beats(other: Measured, row: Measured) -> bool:
    if None in (row.ms_per_s, other.ms_per_s, row.parity_db, other.parity_db):
        return False
    return (
        row.bytes > other.bytes
        and row.ms_per_s > MARGIN * other.ms_per_s  # type: ignore[operator]  # not None, see above
        and row.parity_db <= other.parity_db  # type: ignore[operator]
    )


def fit(component: Component, sample: Arrays, enumerated_frames: Sequence[int]) -> Arrays:
    """The sample repeated or cut to the smallest enumerated length that holds it, or the last."""
    if not enumerated_frames:
        return sample
    have = frames_of(component, sample)
    frames = min((b for b in enumerated_frames if b >= have), default=max(enumerated_frames))
    return {
        tensor.name: _fitted(sample[tensor.name], component.shape_of(tensor, frames))
        for tensor in component.inputs
    }


def frames_of(component: Component, sample: Arrays) -> int:
    """Frames of a sample."""
    lengths = {
        sample[tensor.name].shape[axis] // component.shape_of(tensor, 1)[axis]
        for tensor in component.inputs
        for axis, size in enumerate(tensor.shape)
        if not isinstance(size, int)
    }
    return int(lengths.pop())


def _fitted(value: Array, shape: Sequence[int]) -> Array:
    for axis, size in enumerate(shape):
        value = np.take(value, np.arange(size) % value.shape[axis], axis=axis)
    return value


def engine_of(artifact: Artifact, root: Path) -> tuple[str | None, Runner | None]:
    """The first engine made for the format that runs here, and the artifact opened on it."""
    for name, runtime in backends().items():
        if artifact.format in runtime.FORMATS:
            try:
                return name, runtime.load(artifact, root, threads=1)
            except BackendMissingError:
                continue
    return None, None


def _worst(wanted: Mapping[str, Array], got: Mapping[str, Array]) -> Distance:
    return min(
        (distance(value, got[name]) for name, value in wanted.items()), key=lambda one: one.snr_db
    )


def _ms_per_s(runner: Runner, component: Component, sample: Arrays, frame_s: float) -> float:
    audio_s = frames_of(component, sample) * frame_s
    taken = []
    for _ in range(RUNS):
        began = time.process_time()
        runner(sample)
        taken.append(time.process_time() - began)
    return 1000 * min(taken) / audio_s
