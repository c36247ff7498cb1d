"""What peers that work on spectrograms share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...core.spec import Array


def session(model: Path) -> Any:
    """An ONNX file open on one thread."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def overlap_add(frames: np.ndarray, window: np.ndarray, hop: int) -> Array:
    """Wave of frames (T, n) that were cut with `window` (n,) every `hop` samples.

    Frames are windowed again and divided by the sum of squared windows, so that what was not
    altered comes back as it was.
    """
    count, length = frames.shape
    wave = np.zeros((count - 1) * hop + length)
    weight = np.zeros_like(wave)
    for index, frame in enumerate(frames):
        where = slice(index * hop, index * hop + length)
        wave[where] += frame * window
        weight[where] += window**2
    return np.asarray(wave / np.maximum(weight, 1e-8), np.float32)
