"""Speech through lossy codecs, which run on files and not on tensors."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import soundfile as sf
import soxr
from scipy import signal

from ...core.spec import Array
from .corpus import RATE_HZ

Rng = np.random.Generator
CONTAINERS = (("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS"))
OPUS_RATES_HZ, OTHER_RATES_HZ = (8000, 16_000, 24_000, 48_000), (16_000, 32_000, 48_000)
TELEPHONE_HZ = 8000
TELEPHONE = ("ULAW", "ALAW", "GSM610")
LONGEST_DELAY_S = 0.06


def coded(wave: Array, rng: Rng) -> Array:
    """The wave (N,) through MP3, Vorbis or Opus at a poor setting, sometimes at a lower rate.

    It comes back where it was: the codec's delay is taken out.
    """
    container, subtype = CONTAINERS[rng.integers(len(CONTAINERS))]
    rate_hz = int(rng.choice(OPUS_RATES_HZ if subtype == "OPUS" else OTHER_RATES_HZ))
    compression = float(rng.uniform(0.6, 1.0))
    low = _resampled(wave, RATE_HZ, rate_hz)
    gain = 0.5 / (float(np.abs(low).max()) + 1e-9)
    made = _through(low * gain, rate_hz, container, subtype, compression) / gain
    return _aligned(_resampled(made, rate_hz, RATE_HZ), wave)


def telephoned(wave: Array, rng: Rng) -> Array:
    """The wave (N,) as a telephone has it: its band, and G.711 or GSM 06.10, at some level."""
    corners_hz = (rng.uniform(50, 300), rng.uniform(3200, 3900))
    low = _resampled(wave, RATE_HZ, TELEPHONE_HZ)
    band = signal.butter(4, corners_hz, "bandpass", fs=TELEPHONE_HZ, output="sos")
    gain = rng.uniform(0.03, 0.9) / (float(np.abs(low).max()) + 1e-9)
    # Forwards and back: phases stay, so that the clean wave remains what is aimed at.
    heard = np.asarray(gain * signal.sosfiltfilt(band, low), np.float32)
    made = _through(heard, TELEPHONE_HZ, "WAV", str(rng.choice(TELEPHONE))) / gain
    return _aligned(_resampled(made, TELEPHONE_HZ, RATE_HZ), wave)


def _resampled(wave: Array, from_hz: int, to_hz: int) -> Array:
    return wave if from_hz == to_hz else np.asarray(soxr.resample(wave, from_hz, to_hz), np.float32)


def _through(
    wave: Array, rate_hz: int, container: str, subtype: str, compression: float | None = None
) -> Array:
    buffer = io.BytesIO()
    about: dict[str, Any] = {} if compression is None else {"compression_level": compression}
    with sf.SoundFile(buffer, "w", rate_hz, 1, subtype, format=container, **about) as file:
        file.write(wave)
    buffer.seek(0)
    return np.asarray(sf.read(buffer, dtype="float32")[0], np.float32)


def _aligned(made: Array, reference: Array) -> Array:
    """Take out the delay of the codec, found by cross-correlation."""
    length, longest = len(reference), round(LONGEST_DELAY_S * RATE_HZ)
    fitted = np.pad(made, (0, max(0, length + longest - len(made))))
    scores = signal.correlate(fitted[:length], reference, mode="full", method="fft")
    around = scores[max(0, length - 1 - longest) : length + longest]
    lag = int(np.argmax(around)) - min(longest, length - 1)
    moved = fitted[lag:] if lag > 0 else np.pad(fitted, (-lag, 0))
    return np.asarray(moved[:length], np.float32)
