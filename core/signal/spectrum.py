"""Short-time spectra on NumPy, and their inverse."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from ..spec import Array

Complex = NDArray[np.complex64]
Real = NDArray[np.float64]

_ROWS = 64


def stft(wave: Array, n_fft: int, hop: int) -> Complex:
    """Spectrum (T, n_fft / 2 + 1) of a wave (N,), N a multiple of the hop, T = N / hop.

    Frame t is centred on sample t * hop; zeros stand outside the wave.
    """
    return np.fft.rfft(frames(wave, n_fft, hop) * hann(n_fft)).astype(np.complex64)


def frames(wave: Array, n_fft: int, hop: int) -> Array:
    """The pieces (T, n_fft) of a wave whose spectra `stft` gives: a view."""
    padded = np.pad(wave, n_fft // 2)
    return np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop][: len(wave) // hop]


def windowed(wave: Array, window: Array, hop: int) -> Complex:
    """Spectra (T, n / 2 + 1) of a wave (N,) under a window (n,) that moves by `hop` samples."""
    pieces = np.lib.stride_tricks.sliding_window_view(wave, len(window))[::hop]
    return np.fft.rfft(pieces * window).astype(np.complex64)


def istft(spectrum: np.ndarray, n_fft: int, hop: int) -> Array:
    """Wave (T * hop,) of a spectrum (T, n_fft / 2 + 1): the inverse of `stft`."""
    return joined(np.fft.irfft(spectrum, n_fft).astype(np.float32) * hann(n_fft), hop)


def joined(pieces: Array, hop: int) -> Array:
    """Wave (T * hop,) of pieces (T, n_fft) (windowed) whose spectra are those of `stft`."""
    count, n_fft = pieces.shape
    inside = slice(n_fft // 2, n_fft // 2 + count * hop)
    wave = overlap_add(pieces, hop)[inside]
    return np.asarray(wave / _weight(count, n_fft, hop)[inside], np.float32)


@lru_cache(maxsize=4)
def _weight(count: int, n_fft: int, hop: int) -> np.ndarray:
    """What windows of `count` pieces weigh together, sample by sample."""
    squared = np.broadcast_to(hann(n_fft) ** 2, (count, n_fft))
    return np.asarray(np.maximum(overlap_add(squared, hop), 1e-6))


def by_rows(function: Callable[[Array], Array], rows: Array, width: int) -> Array:
    """What a function makes of rows (n, ...), in (n, width).

    It is asked for a few at a time, so that what it makes on the way stays in the cache.
    """
    made = np.empty((len(rows), width), np.float32)
    for begin in range(0, len(rows), _ROWS):
        made[begin : begin + _ROWS] = function(rows[begin : begin + _ROWS])
    return made


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
    out = np.zeros((count + blocks - 1, hop), np.float32)
    for block in range(blocks):
        part = frames[:, block * hop : (block + 1) * hop]
        out[block : block + count, : part.shape[1]] += part
    return out.reshape(-1)
