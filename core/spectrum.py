"""Short-time spectra on NumPy, and their inverse."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .spec import Array

Complex = NDArray[np.complex64]
Real = NDArray[np.float64]


def stft(wave: Array, n_fft: int, hop: int) -> Complex:
    """Spectrum (T, n_fft / 2 + 1) of a wave (N,), N a multiple of the hop, T = N / hop.

    Frame t is centred on sample t * hop; zeros stand outside the wave.
    """
    padded = np.pad(wave, n_fft // 2)
    return windowed(padded, hann(n_fft), hop)[: len(wave) // hop]


def windowed(wave: Array, window: Array, hop: int) -> Complex:
    """Spectra (T, n / 2 + 1) of a wave (N,) under a window (n,) that moves by `hop` samples."""
    frames = np.lib.stride_tricks.sliding_window_view(wave, len(window))[::hop]
    return np.fft.rfft(frames * window).astype(np.complex64)


def istft(spectrum: np.ndarray, n_fft: int, hop: int) -> Array:
    """Wave (T * hop,) of a spectrum (T, n_fft / 2 + 1): the inverse of `stft`."""
    frames = np.fft.irfft(spectrum, n_fft)
    window = hann(n_fft)
    wave = overlap_add(frames.astype(np.float32) * window, hop)
    weight = overlap_add(np.broadcast_to(window**2, frames.shape), hop)
    half, length = n_fft // 2, len(spectrum) * hop
    inside = slice(half, half + length)
    return np.asarray(wave[inside] / np.maximum(weight[inside], 1e-6), np.float32)


def compress(spectrum: np.ndarray, exponent: float) -> Array:
    """Complex (T, bins) to real pairs (T, 2 * bins), magnitudes raised to `exponent`."""
    magnitude = np.abs(spectrum)
    scaled = spectrum * np.maximum(magnitude, 1e-12) ** np.float32(exponent - 1)
    return np.concatenate([scaled.real, scaled.imag], axis=-1, dtype=np.float32)


def expand(compressed: Array, exponent: float) -> np.ndarray:
    """Real pairs (T, 2 * bins) to complex (T, bins), undoing `compress`."""
    bins = compressed.shape[-1] // 2
    spectrum = compressed[..., :bins] + 1j * compressed[..., bins:]
    return spectrum * np.abs(spectrum) ** np.float32(1 / exponent - 1)


def triangles(bins_hz: Real, low_hz: Real, centre_hz: Real, high_hz: Real) -> Real:
    """Filters (bins, bands) of height one at their centres, zero from both ends on."""
    rise = (bins_hz[:, None] - low_hz) / (centre_hz - low_hz)
    fall = (high_hz - bins_hz[:, None]) / (high_hz - centre_hz)
    return np.maximum(0.0, np.minimum(rise, fall))


@cache
def hann(length: int) -> Array:
    """Periodic Hann window (length,)."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length), np.float32)


def overlap_add(frames: np.ndarray, hop: int) -> np.ndarray:
    """Sum frames (T, n) at steps of `hop`: each frame is cut in hop blocks, one add per block."""
    count, length = frames.shape
    blocks = -(-length // hop)
    padded = np.pad(frames, ((0, 0), (0, blocks * hop - length))).reshape(count, blocks, hop)
    out = np.zeros((count + blocks - 1, hop), np.float32)
    for block in range(blocks):
        out[block : block + count] += padded[:, block]
    return out.reshape(-1)
