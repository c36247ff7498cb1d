"""Integrated loudness after ITU-R BS.1770-4 with both gates, streaming, for mono at 48 kHz.

The K-weighting is applied to the power spectrum of each 400 ms block (Parseval), with the exact
response of the standard's two filters, so no recursive filter and no state between blocks.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .spec import Array

RATE_HZ = 48_000
BLOCK = RATE_HZ * 400 // 1000
HOP = BLOCK // 4
SILENCE_LUFS = -60.0
"""Below this a signal counts as silence and is not amplified."""

_OFFSET_DB = -0.691
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_GAIN_LIMIT_DB = 40.0
# Biquads of BS.1770-4, tables 1 and 2: (numerator, denominator) at 48 kHz.
_SHELF = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (1.0, -1.69065929318241, 0.73248077421585),
)
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))


class LoudnessMeter:
    """Measures one channel; what it holds grows by one number per 100 ms."""

    def __init__(self) -> None:
        self._pending: Array = np.zeros(0, np.float32)
        self._powers: list[float] = []

    def add(self, wave: Array) -> None:
        """Take the next samples (n,) at 48 kHz; any block sizes give the same result."""
        pending = np.concatenate([self._pending, wave])
        begin = 0
        while begin + BLOCK <= len(pending):
            self._powers.append(weighted_power(pending[begin : begin + BLOCK]))
            begin += HOP
        self._pending = pending[begin:].copy()

    def integrated_lufs(self) -> float:
        """Gated loudness so far in LUFS; ungated below 400 ms; -inf for silence."""
        if self._powers:
            return _gated(np.array(self._powers))
        return _lufs(weighted_power(self._pending)) if len(self._pending) else -np.inf


def gain_to(target_lufs: float, measured_lufs: float) -> float:
    """Linear gain to the target, within +-40 dB; 1.0 for silence, which stays silence."""
    if measured_lufs < SILENCE_LUFS:
        return 1.0
    gain_db = min(max(target_lufs - measured_lufs, -_GAIN_LIMIT_DB), _GAIN_LIMIT_DB)
    return float(10.0 ** (gain_db / 20.0))


def weighted_power(wave: Array) -> float:
    """Mean square of the K-weighted wave (n,)."""
    spectrum = np.fft.rfft(wave.astype(np.float64))
    power = (np.abs(spectrum) ** 2) @ _weights(len(wave))
    return float(power) / len(wave) ** 2


@cache
def _weights(length: int) -> NDArray[np.float64]:
    """|H(f)|^2 of both filters for the bins of an rfft; inner bins stand for two."""
    z = np.exp(-2j * np.pi * np.arange(length // 2 + 1) / length)
    response = np.ones(len(z))
    for top, bottom in (_SHELF, _HIGH_PASS):
        response *= np.abs(np.polyval(top[::-1], z) / np.polyval(bottom[::-1], z)) ** 2
    response[1 : (length + 1) // 2] *= 2.0
    return response


def _gated(powers: NDArray[np.float64]) -> float:
    heard = powers[powers > _power(_ABSOLUTE_GATE_LUFS)]
    if not len(heard):
        return -np.inf
    gate = heard.mean() * 10.0 ** (_RELATIVE_GATE_LU / 10.0)
    return _lufs(float(heard[heard > gate].mean()))


def _lufs(power: float) -> float:
    return _OFFSET_DB + 10.0 * float(np.log10(power)) if power > 0.0 else -np.inf


def _power(lufs: float) -> float:
    return float(10.0 ** ((lufs - _OFFSET_DB) / 10.0))
