"""Waveform to spectrum and back, on NumPy: what every backend's host does around the networks.

Spectra cross the border of a component power-law compressed and as real pairs, shape (T, 2 * bins),
real parts first: values stay near one, which fp16 and integer engines need.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ...core.signal import spectrum
from ...core.signal.spectrum import compress, expand, hann
from ...core.spec import Array

Indices = NDArray[np.intp]

_MOST_OVERLAP = 32
_LARGEST_FFT, _MOST_BANDS, _MOST_CHANNELS = 16_384, 1024, 4096


__all__ = [
    "FrontEnd",
    "compress",
    "expand",
    "hann",
    "istft",
    "log_mel",
    "mel_basis",
    "mel_centres_hz",
    "stft",
]


@dataclass(frozen=True)
class FrontEnd:
    """The audio contract of a model; a bundle carries it and every host obeys it."""

    sample_rate_hz: int = 48_000
    n_fft: int = 2048
    hop: int = 480
    mel_bands: int = 128
    compression: float = 0.3
    """Exponent on the magnitude of every spectrum that enters or leaves a network."""
    loudness_lufs: float = -20.0
    latent_channels: int = 64
    latent_hop: int = 960
    """Samples per latent frame; signals are padded to a multiple of it."""

    def __post_init__(self) -> None:
        """Refuse sizes that no host could work with, in bounded memory; raises ValueError."""
        accepted = {
            "sample_rate_hz": self.sample_rate_hz == FrontEnd.sample_rate_hz,
            "n_fft": 2 <= self.n_fft <= _LARGEST_FFT and self.n_fft % 2 == 0,
            "hop": self.n_fft <= self.hop * _MOST_OVERLAP <= self.n_fft * _MOST_OVERLAP,
            "mel_bands": 1 <= self.mel_bands <= _MOST_BANDS,
            "compression": 0.01 <= self.compression <= 1.0,
            "loudness_lufs": -70.0 <= self.loudness_lufs <= 0.0,
            "latent_channels": 1 <= self.latent_channels <= _MOST_CHANNELS,
            "latent_hop": self.latent_hop in range(self.hop, self.sample_rate_hz + 1, self.hop),
        }
        for name, fits in accepted.items():
            if not fits:
                raise ValueError(f"a {name} of {getattr(self, name)} is not possible")

    @property
    def bins(self) -> int:
        """Frequency bins of a spectrum."""
        return self.n_fft // 2 + 1

    @property
    def stride(self) -> int:
        """Frames of a spectrum per latent frame."""
        return self.latent_hop // self.hop


def stft(wave: Array, front: FrontEnd) -> Array:
    """Compressed spectrum (T, 2 * bins) of a wave (N,), N a multiple of the hop, T = N / hop."""
    frames = spectrum.frames(wave, front.n_fft, front.hop)
    window = hann(front.n_fft)

    def compressed(block: Array) -> Array:
        return compress(np.fft.rfft(block * window), front.compression)

    return spectrum.by_rows(compressed, frames, 2 * front.bins)


def istft(compressed: Array, front: FrontEnd) -> Array:
    """Wave (T * hop,) of a compressed spectrum (T, 2 * bins): the inverse of `stft`."""
    window = hann(front.n_fft)

    def waves(block: Array) -> Array:
        frames = np.fft.irfft(expand(block, front.compression), front.n_fft)
        return np.asarray(frames, np.float32) * window

    return spectrum.joined(spectrum.by_rows(waves, compressed, front.n_fft), front.hop)


def log_mel(compressed: Array, front: FrontEnd) -> Array:
    """Natural-log mel spectrum (T, mel_bands) of a compressed spectrum, floored at 1e-5."""
    bins, (taps, weights, begins) = front.bins, _mel_taps(front)

    def mel(block: Array) -> Array:
        power = block[:, :bins] ** 2 + block[:, bins:] ** 2
        magnitude = power ** np.float32(0.5 / front.compression)
        # Sums of what is in each band: a product with all filters would start threads of its own.
        bands = np.add.reduceat(magnitude[:, taps] * weights, begins, axis=1)
        return np.asarray(np.log(np.maximum(bands, 1e-5)), np.float32)

    return spectrum.by_rows(mel, compressed, front.mel_bands)


@cache
def mel_basis(front: FrontEnd) -> Array:
    """Triangular mel filters (bins, mel_bands) from 20 Hz to half the rate, each summing to one."""
    edges_hz = _mel_edges_hz(front)
    bin_hz = np.arange(front.bins) * front.sample_rate_hz / front.n_fft
    # A band at the bottom is narrower than a bin; widening it to one bin keeps it from being empty.
    spacing_hz = front.sample_rate_hz / front.n_fft
    low = np.minimum(edges_hz[:-2], edges_hz[1:-1] - spacing_hz)
    high = np.maximum(edges_hz[2:], edges_hz[1:-1] + spacing_hz)
    basis = spectrum.triangles(bin_hz, low, edges_hz[1:-1], high)
    return np.asarray(basis / basis.sum(0), np.float32)


@cache
def _mel_taps(front: FrontEnd) -> tuple[Indices, Array, Indices]:
    """Of all mel filters one after another: bins (n,), weights (n,); where each filter begins."""
    basis = mel_basis(front)
    bands, bins = np.nonzero(basis.T)
    return bins, basis[bins, bands], np.searchsorted(bands, np.arange(front.mel_bands))


def mel_centres_hz(front: FrontEnd) -> Array:
    """Centre of each mel band (mel_bands,) in hertz."""
    return np.asarray(_mel_edges_hz(front)[1:-1], np.float32)


def _mel_edges_hz(front: FrontEnd) -> np.ndarray:
    top = _hz_to_mel(front.sample_rate_hz / 2)
    return _mel_to_hz(np.linspace(_hz_to_mel(20.0), top, front.mel_bands + 2))


def _hz_to_mel(hz: float) -> float:
    return float(2595.0 * np.log10(1.0 + hz / 700.0))


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
