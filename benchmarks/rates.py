"""The rate that most metrics take."""

from __future__ import annotations

import numpy as np
import soxr

from ..core.signal.rates import RATE_HZ
from ..core.spec import Array

METRIC_HZ = 16_000


def at_16_khz(wave: Array) -> Array:
    """A wave (N,) at 48 kHz as (N / 3,) at 16 kHz."""
    return np.asarray(soxr.resample(wave, RATE_HZ, METRIC_HZ), np.float32)
