"""How near a candidate is to its reference: measures that need nothing but NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..spec import Array

RATE_HZ = 48_000

_N_FFT = 2048
_HOP = 512
_POWER_FLOOR = 1e-8

_LOST_DB = 12.0
_ACTIVE_DB = 25.0
_EDGES_HZ = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 20_000.0)
"""Octaves, but for the last: above 8 kHz speech is one smooth band."""
_BAND_HZ = 250.0
_RANGE_DB = 60.0
_PARTS = {"low": slice(3), "mid": slice(3, 5), "high": slice(5, 6), "top": slice(6, 7)}

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


def bandwidth_hz(wave: Array) -> float:
    """Up to which frequency a wave (N,) at 48 kHz holds sound.

    That is the top of the highest 250 Hz band whose loud frames (98th percentile) come within
    60 dB of the strongest band's: a file of 48 kHz often holds less.
    """
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, (0, _N_FFT)), _N_FFT)[::_N_FFT]
    power = np.abs(np.fft.rfft(frames * np.hanning(_N_FFT))) ** 2
    band = (np.fft.rfftfreq(_N_FFT, 1 / RATE_HZ)[:-1] // _BAND_HZ).astype(int)
    starts = np.flatnonzero(np.diff(band, prepend=-1))
    levels = np.add.reduceat(power[:, :-1], starts, axis=1) / np.diff(starts, append=len(band))
    loud = np.quantile(levels, 0.98, axis=0)
    heard = np.flatnonzero(loud >= loud.max() * 10 ** (-_RANGE_DB / 10))
    return float((heard[-1] + 1) * _BAND_HZ)


def band_limited(wave: Array, bandwidth_hz: float) -> Array:
    """A wave (N,) at 48 kHz without what lies above a bandwidth, phases kept."""
    if bandwidth_hz >= RATE_HZ / 2:
        return wave
    spectrum = np.fft.rfft(wave)
    spectrum[np.fft.rfftfreq(len(wave), 1 / RATE_HZ) > bandwidth_hz] = 0
    return np.fft.irfft(spectrum, len(wave)).astype(np.float32)


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
    wanted, got = _checked_waves(reference, candidate)
    bins_hz = np.fft.rfftfreq(_N_FFT, 1 / RATE_HZ)
    used = (bins_hz >= low_hz) & (bins_hz <= min(high_hz, bandwidth_hz))
    if not used.any():
        return np.nan
    if not np.isfinite(got).all():
        return np.inf
    difference = (_log_power(wanted) - _log_power(got))[:, used]
    return float(np.sqrt((difference**2).mean(axis=1)).mean())


def lost_speech(
    reference: Array, candidate: Array, *, bandwidth_hz: float = RATE_HZ / 2
) -> dict[str, float]:
    """Shares of the reference's speech that the candidate lacks, for waves (N,) at 48 kHz.

    Of the cells (an STFT frame in an octave) in which the reference speaks, those in which the
    candidate lies more than 12 dB below it, after one gain for the whole clip: in `all`, and in
    `low` (125 Hz to 1 kHz), `mid` (to 4), `high` (to 8) and `top` (to 20 kHz or `bandwidth_hz`).
    nan where the reference does not speak, 1 for a candidate that is silent or not finite. Raises
    as `lsd` does.
    """
    clean, made = _checked_waves(reference, candidate)
    wanted = _octaves(clean, bandwidth_hz)
    got = _octaves(made, bandwidth_hz) if np.isfinite(made).all() else np.zeros_like(wanted)
    spoken = _spoken(wanted)
    # What loses half of its words is not quieter: their own level decides, as in SI-SDR.
    gain = np.sqrt(wanted * got)[spoken].sum() / max(wanted[spoken].sum(), np.finfo(float).tiny)
    lost = spoken & (got <= wanted * gain**2 * 10 ** (-_LOST_DB / 10))
    return {
        name: float(lost[:, part].sum() / count) if (count := spoken[:, part].sum()) else np.nan
        for name, part in {"all": slice(None), **_PARTS}.items()
    }


def _octaves(wave: Doubles, bandwidth_hz: float) -> Doubles:
    """Power (frames, octaves), 0 in those above the bandwidth."""
    bins_hz = np.fft.rfftfreq(_N_FFT, 1 / RATE_HZ)
    power = _power(wave) * (bins_hz <= bandwidth_hz)
    begins = np.searchsorted(bins_hz, _EDGES_HZ)
    return np.add.reduceat(power, begins, axis=1)[:, :-1]


def _spoken(power: Doubles) -> NDArray[np.bool_]:
    """Cells near the loud ones of their octave, and above its pauses by more than a loss.

    So neither a room's noise nor its reverberation counts as speech that may be lost.
    """
    quiet, loud = np.quantile(power, (0.05, 0.95), axis=0)
    least = np.maximum(loud * 10 ** (-_ACTIVE_DB / 10), quiet * 10 ** (_LOST_DB / 10))
    return np.asarray(power > least)


def _log_power(wave: Doubles) -> Doubles:
    return np.asarray(np.log10(np.maximum(_power(wave), _POWER_FLOOR)), np.float64)


def _power(wave: Doubles) -> Doubles:
    """|STFT|^2, (frames, bins), with centred frames as torch.stft has them by default."""
    padded = np.pad(wave, _N_FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::_HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_N_FFT) / _N_FFT)
    return np.asarray(np.abs(np.fft.rfft(frames * window)) ** 2, np.float64)


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


def _checked_waves(reference: Array, candidate: Array) -> tuple[Doubles, Doubles]:
    waves = _checked(reference, candidate)
    if reference.ndim != 1:
        raise UsageError(f"a wave of shape {reference.shape} has no spectrum over time; use (N,)")
    return waves
