"""Targets without the hiss of their rooms: what lies at a speaker's stationary floor goes down.

Most recordings carry the noise of the room they were made in. A model that is asked for it learns
that hiss is speech, keeps it, and continues it to the top of the spectrum.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from ...core.spec import Array
from .corpus import RATE_HZ

N_FFT, HOP = 2048, 512
FLOOR_PERCENT = 3.0
"""What this share of all frames of a speaker lies below is the floor of a bin."""
CLOSED_DB, OPEN_DB = 9.0, 15.0
"""Above the floor: a smoothed bin is turned down fully below the one, and kept above the other."""
DEPTH_DB = 36.0
SILENT_DB = -60.0
"""Frames whose strongest bin lies below it are digital silence, which tells nothing of a room."""
FEWEST = 20
"""Frames that a floor is worked out from, silent ones included where there are no others."""

Levels = NDArray[np.float64]


def floor_db(clips: Sequence[Array]) -> Levels:
    """The stationary floor (bins,) of one speaker's clips (N,) at 48 kHz, in dB."""
    levels = np.concatenate([_smoothed_db(_spectrum(clip)) for clip in clips], axis=1)
    sounding = levels[:, levels.max(axis=0) > SILENT_DB]
    kept = sounding if sounding.shape[1] >= FEWEST else levels
    return np.asarray(ndimage.gaussian_filter1d(np.percentile(kept, FLOOR_PERCENT, axis=1), 4))


def gated(clip: Array, floor: Levels) -> Array:
    """The clip (N,) with every bin near the floor turned down, and everything else as it was.

    Gains are those of the most open bin nearby, smoothed, so that no onset or tail is cut.
    """
    spectrum = _spectrum(clip)
    over_db = _smoothed_db(spectrum) - floor[:, None]
    is_open = np.clip((over_db - CLOSED_DB) / (OPEN_DB - CLOSED_DB), 0.0, 1.0)
    kept = ndimage.uniform_filter(ndimage.maximum_filter(is_open, 3), 3)
    gain = 10 ** (DEPTH_DB * (kept - 1.0) / 20)
    return np.asarray(_transform().istft(spectrum * gain, k1=len(clip)), np.float32)


@cache
def _transform() -> signal.ShortTimeFFT:
    return signal.ShortTimeFFT(signal.windows.hann(N_FFT, sym=False), HOP, RATE_HZ)


def _spectrum(clip: Array) -> NDArray[np.complex64]:
    return np.asarray(_transform().stft(clip), np.complex64)


def _smoothed_db(spectrum: NDArray[np.complex64]) -> Levels:
    power = ndimage.uniform_filter(np.abs(spectrum) ** 2, (5, 3))
    return np.asarray(10 * np.log10(np.maximum(power, 0.0) + 1e-9), np.float64)
