"""Other voices, microphones and noises out of the same crops, drawn anew for every batch."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ...core.spec import Array
from .noises import Rng

EQUALISED, BLED = 0.6, 0.35
"""Shares of the crops that pass another microphone, and that hear what went wrong elsewhere."""
CORNERS_HZ = np.geomspace(60, 24_000, 10)
COLOUR_DB = 3.5
SNR_DB = (-2.0, 25.0)


def varied(clean: Array, damaged: Array, rate_hz: int, rng: Rng) -> tuple[Array, Array]:
    """Crops (B, N) with other colours, and with other crops' damage added as noise.

    The level of each damaged crop stays what it was; its clean one follows.
    """
    before = _power(damaged)
    clean, damaged = _equalised(np.stack([clean, damaged]), rate_hz, rng)
    damaged = _bled(clean, damaged, rng)
    scale = np.sqrt(before / np.maximum(_power(damaged), 1e-9))
    return clean * scale, damaged * scale


def _equalised(pair: Array, rate_hz: int, rng: Rng) -> Array:
    """Clean and damaged (2, B, N) through the same smooth filter of zero phase, a part of them."""
    chosen = np.flatnonzero(rng.random(pair.shape[1]) < EQUALISED)
    spectra = fft.rfft(pair[:, chosen], axis=-1, workers=-1)
    frequency_hz = np.linspace(1, rate_hz / 2, spectra.shape[-1])
    gains_db = [
        np.interp(frequency_hz, CORNERS_HZ, rng.normal(0, COLOUR_DB, len(CORNERS_HZ)))
        for _ in chosen
    ]
    filtered = pair.copy()
    if len(chosen):
        gains = (10 ** (np.stack(gains_db) / 20)).astype(np.float32)
        filtered[:, chosen] = fft.irfft(spectra * gains, pair.shape[-1], axis=-1, workers=-1)
    return filtered


def _bled(clean: Array, damaged: Array, rng: Rng) -> Array:
    """Damaged crops (B, N), a part of them with the error of another one added to them."""
    errors = np.roll(damaged - clean, int(rng.integers(1, max(2, len(clean)))), axis=0)
    speech, error = _power(clean), _power(errors)
    snr_db = rng.uniform(*SNR_DB, size=(len(clean), 1))
    wanted = rng.random((len(clean), 1)) < BLED
    heard = wanted & (error > 1e-3 * speech)  # what is hardly damaged has nothing to give
    gain = np.sqrt(speech / np.maximum(error, 1e-9)) * 10 ** (-snr_db / 20)
    return np.asarray(damaged + np.where(heard, gain, 0.0) * errors, np.float32)


def _power(waves: Array) -> Array:
    return np.asarray((waves**2).mean(axis=1, keepdims=True), np.float32)
