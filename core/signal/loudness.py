"""Integrated loudness after ITU-R BS.1770-4, streaming, for mono at any rate.

The standard's first gate is absolute, at -70 LUFS: it takes a faint recording for silence, and
makes a gain that depends on the level. Here it lies 50 LU below the loudest block instead, where
it is for a recording of usual level, so that a louder or softer copy has the same loudness but for
its own gain, and so the same result.

The K-weighting is applied to the power spectrum of each 100 ms (Parseval), with the exact response
of the standard's two filters, so no recursive filter and no state; a block of the standard is four
of them, and every fourth of a block is transformed once.
"""

from __future__ import annotations

from collections import deque
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..spec import Array

HOP_S, BLOCK_HOPS = 0.1, 4
"""Blocks of the standard begin every hop, and have so many of them."""
SILENCE_LUFS = -85.0
"""Below this a signal counts as silence and is not amplified; 16-bit dither lies at -93."""
OFFSET_DB, RELATIVE_GATE_LU = -0.691, -10.0
"""Of BS.1770-4."""
PAUSE_GATE_LU = -50.0
"""Blocks this far below the loudest one are pauses."""

# Biquads of BS.1770-4, tables 1 and 2: (numerator, denominator).
_FILTERS_HZ = 48_000
_SHELF = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (1.0, -1.69065929318241, 0.73248077421585),
)
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))


class LoudnessMeter:
    """Measures one channel, or, of an endless one, the last `history_s` seconds.

    What it holds grows by one number per 100 ms.
    """

    def __init__(self, rate_hz: int, history_s: float | None = None) -> None:
        self._rate_hz, self._hop = rate_hz, round(HOP_S * rate_hz)
        self._pending: Array = np.zeros(0, np.float32)
        kept = None if history_s is None else round(history_s / HOP_S) + BLOCK_HOPS - 1
        self._powers: deque[float] = deque(maxlen=kept)

    def add(self, wave: Array) -> None:
        """Take the next samples (n,); any block sizes give the same result."""
        pending = np.concatenate([self._pending, wave])
        whole = len(pending) // self._hop * self._hop
        for begin in range(0, whole, self._hop):
            hop = pending[begin : begin + self._hop]
            self._powers.append(weighted_power(hop, self._rate_hz))
        self._pending = pending[whole:].copy()

    def integrated_lufs(self) -> float:
        """Gated loudness so far in LUFS; ungated below 400 ms; -inf for silence."""
        powers = np.array(self._powers)
        if len(powers) >= BLOCK_HOPS:
            return _gated(np.convolve(powers, np.full(BLOCK_HOPS, 1 / BLOCK_HOPS), "valid"))
        rest = weighted_power(self._pending, self._rate_hz) if len(self._pending) else 0.0
        samples = len(powers) * self._hop + len(self._pending)
        energy = powers.sum() * self._hop + rest * len(self._pending)
        return _lufs(energy / max(samples, 1))


def gain_to(target_lufs: float, measured_lufs: float) -> float:
    """Linear gain to the target; 1.0 for silence, which stays silence."""
    if measured_lufs < SILENCE_LUFS:
        return 1.0
    return float(10.0 ** ((target_lufs - measured_lufs) / 20.0))


def weighted_power(wave: Array, rate_hz: int) -> float:
    """Mean square of the K-weighted wave (n,)."""
    spectrum = np.fft.rfft(wave)
    power = (np.abs(spectrum) ** 2) @ power_weights(len(wave), rate_hz)
    return float(power) / len(wave) ** 2


@cache
def power_weights(length: int, rate_hz: int) -> NDArray[np.float64]:
    """|H(f)|^2 of both filters for the bins (length // 2 + 1,) of an rfft; inner ones count twice.

    The standard gives its filters at 48 kHz: at another rate they do the same to the same hertz.

    Weighted so, the squared magnitudes sum to the squared length times the weighted power.
    """
    bins = np.arange(length // 2 + 1) * (rate_hz / _FILTERS_HZ)
    z = np.exp(-2j * np.pi * bins / length)
    response = np.ones(len(z))
    for top, bottom in (_SHELF, _HIGH_PASS):
        response *= np.abs(np.polyval(top[::-1], z) / np.polyval(bottom[::-1], z)) ** 2
    response[1 : (length + 1) // 2] *= 2.0
    return response


def _gated(powers: NDArray[np.float64]) -> float:
    heard = powers[powers > powers.max() * 10.0 ** (PAUSE_GATE_LU / 10.0)]
    if not len(heard):
        return -np.inf
    gate = heard.mean() * 10.0 ** (RELATIVE_GATE_LU / 10.0)
    return _lufs(float(heard[heard > gate].mean()))


def _lufs(power: float) -> float:
    return OFFSET_DB + 10.0 * float(np.log10(power)) if power > 0.0 else -np.inf
