"""Noise made from nothing or from speech, because recorded noise is scarce."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import soxr

from ...core.spec import Array
from .corpus import RATE_HZ

Rng = np.random.Generator


class NoiseBank:
    """Endless noise: recordings, babble of voices, and synthetic kinds, mixed and filtered."""

    def __init__(self, recordings: list[Array], voices: Callable[[Rng], Array]) -> None:
        self.recordings = recordings
        self.voices = voices

    def draw(self, length: int, rng: Rng) -> Array:
        """A noise (length,) of unit level: one kind, or two at different levels."""
        noise = self._kind(length, rng)
        if rng.random() < 0.3:
            noise = noise + rng.uniform(0.2, 1.0) * self._kind(length, rng)
        if rng.random() < 0.3:
            noise = noise * slow_envelope(length, rng)
        return unit(noise)

    def _kind(self, length: int, rng: Rng) -> Array:
        if self.recordings and rng.random() < 0.5:
            return unit(self._recorded(length, rng))
        makers = (coloured, coloured, hum, wind, clicks, self._babble)
        return unit(makers[rng.integers(len(makers))](length, rng))

    def _recorded(self, length: int, rng: Rng) -> Array:
        source = self.recordings[rng.integers(len(self.recordings))]
        if rng.random() < 0.5:  # another pitch makes another noise
            source = soxr.resample(source, RATE_HZ, RATE_HZ * rng.uniform(0.7, 1.4), quality="LQ")
        start = rng.integers(len(source))
        return np.asarray(np.resize(np.roll(source, -start), length), np.float32)

    def _babble(self, length: int, rng: Rng) -> Array:
        total = np.zeros(length, np.float32)
        for _ in range(rng.integers(2, 8)):
            voice = self.voices(rng)
            total += rng.uniform(0.3, 1.0) * np.resize(
                np.roll(voice, rng.integers(len(voice))), length
            )
        return total


def unit(wave: Array) -> Array:
    """Scale to an RMS of one; silence stays silence."""
    return np.asarray(wave / max(float(np.sqrt(np.mean(wave**2))), 1e-6), np.float32)


def coloured(length: int, rng: Rng) -> Array:
    """Gaussian noise whose spectrum falls by 0 to 9 dB per octave and has a random tilt."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequency_hz = np.fft.rfftfreq(length, 1 / RATE_HZ)
    spectrum *= np.maximum(frequency_hz, 20.0) ** -rng.uniform(0.0, 1.5)
    bumps = np.interp(frequency_hz, np.geomspace(20, 24_000, 9), rng.normal(0, 5, 9))
    return np.fft.irfft(spectrum * 10 ** (bumps / 20), length).astype(np.float32)


def hum(length: int, rng: Rng) -> Array:
    """Mains at 50 or 60 Hz with falling harmonics, and a little hiss."""
    time_s = np.arange(length) / RATE_HZ
    base_hz = rng.choice([50.0, 60.0]) * rng.uniform(0.995, 1.005)
    total = 0.01 * rng.standard_normal(length)
    for harmonic in range(1, rng.integers(4, 40)):
        level = rng.uniform(0, 1) / harmonic ** rng.uniform(0.3, 1.2)
        total += level * np.sin(2 * np.pi * (base_hz * harmonic * time_s + rng.random()))
    return total.astype(np.float32)


def wind(length: int, rng: Rng) -> Array:
    """Gusts: noise below a few hundred hertz, its level wandering."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequency_hz = np.fft.rfftfreq(length, 1 / RATE_HZ)
    spectrum /= 1 + (frequency_hz / rng.uniform(60, 400)) ** rng.uniform(1.5, 3)
    return (np.fft.irfft(spectrum, length) * slow_envelope(length, rng) ** 2).astype(np.float32)


def clicks(length: int, rng: Rng) -> Array:
    """Sparse decaying pulses over faint hiss: taps, crackle, typing."""
    total = np.zeros(length, np.float32)
    positions = rng.integers(0, length, max(1, int(length / RATE_HZ * rng.uniform(1, 25))))
    total[positions] = rng.standard_normal(len(positions)) * 30
    decay = np.exp(-np.arange(2400) / rng.uniform(20, 600))
    pulse = decay * rng.standard_normal(2400)
    rung = np.convolve(total, pulse.astype(np.float32))[:length]
    return (rung + 0.02 * rng.standard_normal(length)).astype(np.float32)


def slow_envelope(length: int, rng: Rng) -> Array:
    """A level (length,) that wanders between about 0 and 2 a few times a second."""
    points = max(2, int(length / RATE_HZ * rng.uniform(0.5, 8)))
    corners = rng.gamma(2.0, 0.5, points)
    return np.interp(np.linspace(0, points - 1, length), np.arange(points), corners).astype(
        np.float32
    )
