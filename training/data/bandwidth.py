"""How far up a recording holds speech, which the rate of its file does not tell."""

from __future__ import annotations

import numpy as np
from scipy import signal

from ...core.spec import Array
from .corpus import RATE_HZ

N_FFT = 2048
BAND_HZ = 250.0
DEEPEST_DB, LEAST_DB = 60.0, 6.0
"""Speech in a band lies no deeper below the strongest band, and above what pauses hold there."""
ACTIVE_DB = 25.0
"""Frames so far below the loud ones are still speech."""


def sounding_hz(clip: Array) -> float:
    """Upper end in Hz of the highest band of a clip (N,) at 48 kHz that speech reaches.

    A file at 48 kHz may have been a call, or have lost its top to a codec: what is learnt from it
    ends there.
    """
    transform = signal.ShortTimeFFT(
        signal.windows.hann(N_FFT, sym=False), N_FFT // 2, RATE_HZ, scale_to="magnitude"
    )
    power = np.abs(transform.stft(clip)) ** 2
    per_band = round(BAND_HZ / transform.delta_f)
    count = len(power) // per_band
    bands = power[: count * per_band].reshape(count, per_band, -1).sum(axis=1)
    level_db = _db(power.sum(axis=0))
    active = level_db > np.percentile(level_db, 95) - ACTIVE_DB
    pauses = level_db <= np.percentile(level_db, 10)
    speech_db = _db(np.percentile(bands[:, active], 98, axis=1))
    pause_db = _db(bands[:, pauses].mean(axis=1))
    sounding = (speech_db > speech_db.max() - DEEPEST_DB) & (speech_db > pause_db + LEAST_DB)
    highest = np.flatnonzero(sounding).max(initial=0)
    return float(min((highest + 1) * per_band * transform.delta_f, RATE_HZ / 2))


def _db(power: Array) -> Array:
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)))
