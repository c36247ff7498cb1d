"""Sample rates: which are accepted, and the way from one to another, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from .errors import AudioError
from .spec import Array

RATE_HZ = 48_000
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1_000, 768_000


def resample(
    blocks: Iterable[Array], sample_rate_hz: int, channels: int, to_hz: int = RATE_HZ
) -> Iterator[Array]:
    """Blocks (n, channels) at any rate to another, `output_frames(total)` frames in all."""
    if sample_rate_hz == to_hz:
        yield from blocks
        return
    stream = soxr.ResampleStream(sample_rate_hz, to_hz, channels, "float32", "VHQ")
    taken = given = 0
    for block in blocks:
        taken += len(block)
        out = stream.resample_chunk(block)
        given += len(out)
        yield out
    rest = stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)
    missing = output_frames(taken, sample_rate_hz, to_hz) - given
    yield np.pad(rest, ((0, max(0, missing - len(rest))), (0, 0)))[:missing]


def output_frames(frames: int, sample_rate_hz: int, to_hz: int = RATE_HZ) -> int:
    """Frames at one rate of `frames` at another: rounded, one at least."""
    return max(1, round(frames * to_hz / sample_rate_hz))


def check_rate(sample_rate_hz: int, what: str) -> None:
    """Raise `AudioError` for a sample rate that no speech recording has."""
    if not LOWEST_RATE_HZ <= sample_rate_hz <= HIGHEST_RATE_HZ:
        raise AudioError(
            f"{what} has a sample rate of {sample_rate_hz} Hz; "
            f"accepted are {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz"
        )
