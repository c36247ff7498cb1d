"""Sample rates: which are accepted, and the way from one to another, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from ..errors import AudioError
from ..spec import Array

RATE_HZ = 48_000
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1_000, 768_000


class Resampler:
    """Blocks (n, channels) at any rate to another as they come, `output_frames(total)` in all."""

    def __init__(self, sample_rate_hz: int, channels: int, to_hz: int = RATE_HZ) -> None:
        self._rates_hz, self._channels = (sample_rate_hz, to_hz), channels
        self._stream = None
        if sample_rate_hz != to_hz:
            self._stream = soxr.ResampleStream(sample_rate_hz, to_hz, channels, "float32", "VHQ")
        self._taken = self._given = 0

    def push(self, block: Array) -> Array:
        """Take a block, and give what is finished."""
        if self._stream is None:
            return block
        self._taken += len(block)
        out: Array = self._stream.resample_chunk(block)
        self._given += len(out)
        return out

    def flush(self) -> Array:
        """The rest of the signal, which ends here."""
        none = np.zeros((0, self._channels), np.float32)
        if self._stream is None or not self._taken:
            return none
        rest = self._stream.resample_chunk(none, last=True)
        missing = output_frames(self._taken, *self._rates_hz) - self._given
        return np.pad(rest, ((0, max(0, missing - len(rest))), (0, 0)))[:missing]


def resample(
    blocks: Iterable[Array], sample_rate_hz: int, channels: int, to_hz: int = RATE_HZ
) -> Iterator[Array]:
    """Blocks (n, channels) at any rate to another, `output_frames(total)` frames in all."""
    stream = Resampler(sample_rate_hz, channels, to_hz)
    for block in blocks:
        yield stream.push(block)
    yield stream.flush()


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
