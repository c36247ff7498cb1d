"""What components are fed: real speech of several kinds, and what no speech prepares them for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import soxr

from ..audio.reading.reader import read_mono
from ..core.signal.rates import RATE_HZ
from ..core.spec import Array

EXAMPLES = Path(__file__).parents[1] / "examples"
CLEAN, NOISY, IMPULSE = "clean", "noisy", "impulse"
FEW = (NOISY, IMPULSE)
"""The kinds for lengths at which all of them would take too long."""
_NARROW_HZ = 8000
_CLIPPED_GAIN = 12.0


@cache
def speech(rate_hz: int = RATE_HZ) -> dict[str, Array]:
    """About six seconds (N,) of each kind; raises `AudioError` without the examples."""
    clean = read_mono(EXAMPLES / "clean.flac", rate_hz)
    narrow = soxr.resample(soxr.resample(clean, rate_hz, _NARROW_HZ), _NARROW_HZ, rate_hz)
    return {
        NOISY: read_mono(EXAMPLES / "noisy.wav", rate_hz),
        CLEAN: clean,
        "narrow": np.asarray(narrow[: len(clean)], np.float32),  # resamplers round up
        "clipped": np.clip(_CLIPPED_GAIN * clean, -0.5, 0.5),
    }


def signals(samples: int, rate_hz: int) -> dict[str, Array]:
    """One wave (samples,) of every kind, from the loudest moment on where it is speech."""
    time_s = np.arange(samples, dtype=np.float32) / rate_hz
    impulse = np.zeros(samples, np.float32)
    impulse[samples // 2] = 1.0
    voices = {name: _loudest(wave, samples, rate_hz) for name, wave in speech(rate_hz).items()}
    return voices | {
        "silence": np.zeros(samples, np.float32),
        IMPULSE: impulse,
        "full scale": np.sign(np.sin(2 * np.pi * 997.0 * time_s)).astype(np.float32),
        "quiet": voices[CLEAN] * np.float32(1e-4),
        "constant": np.full(samples, 0.5, np.float32),
    }


def _loudest(wave: Array, samples: int, rate_hz: int) -> Array:
    """`samples` of the wave, which starts over at its end, around its loudest tenth of a second."""
    block = rate_hz // 10
    powers = np.square(wave[: len(wave) // block * block]).reshape(-1, block).sum(axis=1)
    start = int(powers.argmax()) * block
    return np.resize(np.roll(wave, -start), samples)
