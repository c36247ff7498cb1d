"""How far a candidate's output is from the reference's: finite first, then three ratios."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.spec import Array


@dataclass(frozen=True)
class Distance:
    """Power of the reference in dB over that of the error: of all values, and of the worst ones.

    inf where candidate and reference are equal, -inf where the candidate cannot be compared.
    """

    snr_db: float
    channel_db: float
    peak_db: float
    fault: str = ""
    """In words, why there is nothing to compare."""


def distance(
    expected: Array, got: Array, *, least_power: float = 0.0, frames_axis: int = 0
) -> Distance:
    """Compare outputs, all of whose axes but that of the frames are channels.

    A reference below `least_power` is taken to have it.
    """
    if not np.isfinite(expected).all():
        return _broken("the reference itself is not finite")
    if got.shape != expected.shape:
        return _broken(f"shape {got.shape} instead of {expected.shape}")
    if not np.isfinite(got).all():
        return _broken(f"{np.count_nonzero(~np.isfinite(got))} values are not finite numbers")
    error = np.square(got.astype(np.float64) - expected)
    signal = max(power(expected), least_power)
    channels = error.mean(axis=frames_axis)
    return Distance(
        snr_db=_ratio_db(signal, float(error.mean())),
        channel_db=_ratio_db(signal, float(channels.max())),
        peak_db=_ratio_db(signal, float(error.max())),
    )


def power(values: Array) -> float:
    """Mean square."""
    return float(np.square(values.astype(np.float64)).mean())


def _ratio_db(signal: float, error: float) -> float:
    if error == 0.0:
        return np.inf
    return 10.0 * float(np.log10(signal / error)) if signal > 0.0 else -np.inf


def _broken(fault: str) -> Distance:
    return Distance(-np.inf, -np.inf, -np.inf, fault)
