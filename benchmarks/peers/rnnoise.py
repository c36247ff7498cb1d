"""RNNoise 0.2 (Valin 2018) as pyrnnoise carries it: a C library, called here in float."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...core.spec import Array

PACKAGE = "pyrnnoise"
MODEL = {"darwin": "librnnoise.dylib", "win32": "rnnoise.dll"}.get(sys.platform, "librnnoise.so")
"""Its weights are in the library."""
_FRAME = 480
_DELAY = 960
_FULL_SCALE = np.float32(32_768)


def load(model: Path) -> Callable[[Array], Array]:
    """Open the library; the package's own code rounds to 16 bits."""
    library = ctypes.CDLL(str(model))
    library.rnnoise_create.restype = ctypes.c_void_p
    library.rnnoise_create.argtypes = [ctypes.c_void_p]
    library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
    library.rnnoise_process_frame.restype = ctypes.c_float
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, *[ctypes.c_void_p] * 2]

    def enhance(wave: Array) -> Array:
        count = len(wave)
        padded = np.pad(wave, (0, _DELAY + -count % _FRAME)) * _FULL_SCALE
        frames = np.ascontiguousarray(padded, np.float32).reshape(-1, _FRAME)
        state = library.rnnoise_create(None)
        for frame in frames:
            library.rnnoise_process_frame(state, frame.ctypes.data, frame.ctypes.data)
        library.rnnoise_destroy(state)
        return frames.reshape(-1)[_DELAY : _DELAY + count] / _FULL_SCALE

    return enhance
