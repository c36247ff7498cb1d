"""Bare samples, as pipes carry them: channels interleaved, little-endian."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedIOBase

import numpy as np

from ..core.errors import UsageError
from ..core.spec import Array

_FULL_SCALE = {"u8": ("u1", 128.0), "s16": ("<i2", 32_768.0), "s32": ("<i4", 2_147_483_648.0)}
_BYTES = {"u8": 1, "s16": 2, "s24": 3, "s32": 4, "f32": 4}
WRITTEN = ("s16", "f32")
"""Encodings that results may have."""
_READ = 16_384


def blocks(source: BufferedIOBase, channels: int, encoding: str) -> Iterator[Array]:
    """Blocks (n, channels) as they arrive; a last frame that is not whole is left out."""
    frame, kept = _BYTES[encoding] * channels, b""
    while data := source.read1(_READ):
        data = kept + data
        whole = len(data) - len(data) % frame
        kept = data[whole:]
        yield decoded(data[:whole], encoding).reshape(-1, channels)


def decoded(data: bytes, encoding: str) -> Array:
    """Samples (n,) with full scale at 1.0."""
    if encoding == "f32":
        return np.frombuffer(data, "<f4").astype(np.float32)
    if encoding == "s24":
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        data, encoding = wide.tobytes(), "s32"
    dtype, full_scale = _FULL_SCALE[encoding]
    samples = np.frombuffer(data, dtype).astype(np.float32)
    return (samples - (full_scale if encoding == "u8" else 0)) / np.float32(full_scale)


def encoded(samples: Array, encoding: str) -> bytes:
    """Samples (n, channels) as bytes; beyond full scale `s16` clips."""
    if encoding == "f32":
        return samples.astype("<f4").tobytes()
    return np.rint(np.clip(samples, -1.0, 1.0) * 32_767).astype("<i2").tobytes()


def check_written(encoding: str) -> None:
    """Raise `UsageError` for an encoding that a stream is not written in."""
    if encoding not in WRITTEN:
        raise UsageError(
            f"a stream cannot be written as {encoding!r}; accepted with --latency are raw samples: "
            f"--stdout {' or '.join(WRITTEN)}"
        )
