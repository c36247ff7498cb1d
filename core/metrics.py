"""How near a candidate is to its reference: measures that need nothing but NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError
from .spec import Array

RATE_HZ = 48_000

_N_FFT = 2048
_HOP = 512
_POWER_FLOOR = 1e-8

Doubles = NDArray[np.float64]


def snr_db(reference: Array, candidate: Array) -> float:
    """Power of the reference over power of the error in dB, for arrays of any equal shape.

    inf where they are equal, -inf for a candidate that is not finite. Raises `UsageError` for
    unequal or empty shapes and for a reference that is not finite.
    """
    wanted, got = _checked(reference, candidate)
    if not np.isfinite(got).all():
        return -np.inf
    error = got - wanted
    return _ratio_db(float(np.vdot(wanted, wanted)), float(np.vdot(error, error)))


def si_sdr_db(reference: Array, candidate: Array) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux 2019), for equal shapes.

    -inf for a candidate that is silent or not finite. Raises as `snr_db` does.
    """
    wanted, got = _checked(reference, candidate)
    power = float(np.vdot(wanted, wanted))
    if not np.isfinite(got).all() or not got.any() or power == 0.0:
        return -np.inf
    target = wanted * (float(np.vdot(wanted, got)) / power)
    error = got - target
    return _ratio_db(float(np.vdot(target, target)), float(np.vdot(error, error)))


def lsd(
    reference: Array,
    candidate: Array,
    *,
    low_hz: float = 0.0,
    high_hz: float = RATE_HZ / 2,
    bandwidth_hz: float = RATE_HZ / 2,
) -> float:
    """Log-spectral distance of waves (N,) at 48 kHz over [low_hz, high_hz], as AP-BWE counts it.

    Bins above `bandwidth_hz`, where the reference holds no sound, are left out; nan where none is
    left, inf for a candidate that is not finite. Raises as `snr_db` does.
    """
    wanted, got = _checked(reference, candidate)
    if wanted.ndim != 1:
        raise UsageError(f"a wave of shape {wanted.shape} has no log-spectral distance; use (N,)")
    bins_hz = np.fft.rfftfreq(_N_FFT, 1 / RATE_HZ)
    used = (bins_hz >= low_hz) & (bins_hz <= min(high_hz, bandwidth_hz))
    if not used.any():
        return np.nan
    if not np.isfinite(got).all():
        return np.inf
    difference = (_log_power(wanted) - _log_power(got))[:, used]
    return float(np.sqrt((difference**2).mean(axis=1)).mean())


def _log_power(wave: Doubles) -> Doubles:
    """log10 |STFT|^2, (frames, bins), with centred frames as torch.stft has them by default."""
    padded = np.pad(wave, _N_FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::_HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_N_FFT) / _N_FFT)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    return np.asarray(np.log10(np.maximum(power, _POWER_FLOOR)), np.float64)


def _ratio_db(signal: float, error: float) -> float:
    if error == 0.0:
        return np.inf
    return 10.0 * float(np.log10(signal / error)) if signal > 0.0 else -np.inf


def _checked(reference: Array, candidate: Array) -> tuple[Doubles, Doubles]:
    if reference.shape != candidate.shape or not reference.size:
        raise UsageError(
            f"arrays of shape {reference.shape} and {candidate.shape} cannot be compared; "
            "needed are equal shapes that are not empty"
        )
    if not np.isfinite(reference).all():
        raise UsageError("the reference holds a value that is not a finite number")
    return reference.astype(np.float64), candidate.astype(np.float64)
