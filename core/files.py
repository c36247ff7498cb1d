"""Restoring a file: one pass to measure its loudness, one to restore it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .audio import RATE_HZ, AudioReader, AudioWriter, check_output
from .restorer import Restorer, measure
from .spec import Array

Progress = Callable[[float], None]
"""Called with the seconds of audio finished since the last call."""


@dataclass(frozen=True)
class RestoredFile:
    """What was done to a file; `rtf` is computing time over duration."""

    input: str
    output: str
    duration_s: float
    channels: int
    input_rate_hz: int
    steps: int
    seed: int
    attenuation_db: float
    rtf: float


def restore_file(
    restorer: Restorer,
    source: Path,
    target: Path,
    *,
    steps: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> RestoredFile:
    """Restore `source` to `target` (48 kHz), holding a few seconds of it in memory at a time.

    Raises `AudioError` for an input that cannot be restored and `UsageError` for an output,
    `steps` or a `seed` that is not accepted; then nothing is left behind.
    """
    began = time.perf_counter()
    check_output(target, source=source, overwrite=overwrite)
    chosen = restorer.accepted_steps(steps)
    reader = AudioReader(source)
    stream = restorer.stream(measure(reader, reader.channels), steps=chosen, seed=seed)
    writer = AudioWriter(target, channels=reader.channels, source=source, overwrite=overwrite)
    with writer:
        for block in reader:
            _write(writer, stream.process(block), progress)
        _write(writer, stream.flush(), progress)
    return RestoredFile(
        input=str(source),
        output=str(target),
        duration_s=reader.duration_s,
        channels=reader.channels,
        input_rate_hz=reader.sample_rate_hz,
        steps=chosen,
        seed=seed,
        attenuation_db=writer.attenuation_db,
        rtf=(time.perf_counter() - began) / reader.duration_s,
    )


def _write(writer: AudioWriter, block: Array, progress: Progress | None) -> None:
    writer.write(block)
    if progress:
        progress(len(block) / RATE_HZ)
