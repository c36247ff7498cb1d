"""Other voices, microphones and noises out of the same crops, drawn anew for every batch.

The recordings are few: what is not varied is learnt by heart, and is of no use on other speakers.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from ...core.spec import Array
from .corpus import RATE_HZ
from .noises import NoiseBank, Rng

EQUALISED, BLED, NOISY = 0.75, 0.3, 0.35
"""Shares of the crops: through another microphone, hearing another crop's damage, or a noise."""
CORNERS_HZ = np.geomspace(60, 24_000, 10)
COLOUR_DB, NOISE_COLOUR_DB = 4.5, 6.0
SNR_DB = (-2.0, 25.0)


def varied(clean: Array, damaged: Array, noise: NoiseBank, rng: Rng) -> tuple[Array, Array]:
    """Crops (B, N) in other colours, with other crops' damage and fresh noise added to them.

    The level of each damaged crop stays what it was; its clean one follows.
    """
    before = _power(damaged)
    chosen = rng.random(len(clean)) < EQUALISED
    clean, damaged = clean.copy(), damaged.copy()
    pair = np.stack([clean[chosen], damaged[chosen]])
    clean[chosen], damaged[chosen] = _coloured(pair, COLOUR_DB, rng)
    bled, noisy = (rng.random(len(clean)) < share for share in (BLED, NOISY))
    damaged[bled] += _at_some_level(np.roll(damaged - clean, 1, axis=0)[bled], clean[bled], rng)
    damaged[noisy] += _at_some_level(_noises(clean[noisy], noise, rng), clean[noisy], rng)
    scale = np.sqrt(before / np.maximum(_power(damaged), 1e-9))
    return clean * scale, damaged * scale


def _coloured(waves: Array, spread_db: float, rng: Rng) -> Array:
    """Waves (..., B, N) through one random smooth filter of zero phase per B."""
    spectra = fft.rfft(waves, axis=-1, workers=-1)
    frequency_hz = np.linspace(1, RATE_HZ / 2, spectra.shape[-1])
    gains_db = np.empty((waves.shape[-2], len(frequency_hz)), np.float32)
    for row in gains_db:
        row[:] = np.interp(frequency_hz, CORNERS_HZ, rng.normal(0, spread_db, len(CORNERS_HZ)))
    filtered = fft.irfft(spectra * 10 ** (gains_db / 20), waves.shape[-1], axis=-1, workers=-1)
    return np.asarray(filtered, np.float32)


def _noises(like: Array, noise: NoiseBank, rng: Rng) -> Array:
    """Noises (B, N), each in another colour than its own, and half of them backwards."""
    drawn = np.empty_like(like)
    for row in drawn:
        row[:] = noise.draw(len(row), rng)[:: rng.choice([-1, 1])]
    return _coloured(drawn, NOISE_COLOUR_DB, rng)


def _at_some_level(added: Array, speech: Array, rng: Rng) -> Array:
    """Errors (B, N) at a random level below speech; next to none stay as they are."""
    power, wanted = _power(added), _power(speech)
    snr_db = rng.uniform(*SNR_DB, size=(len(added), 1))
    gain = np.sqrt(wanted / np.maximum(power, 1e-9)) * 10 ** (-snr_db / 20)
    return np.asarray(np.where(power > 1e-3 * wanted, gain, 0.0) * added, np.float32)


def _power(waves: Array) -> Array:
    return np.asarray((waves**2).mean(axis=1, keepdims=True), np.float32)
