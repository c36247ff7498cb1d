"""The distortion chain: what happens to speech before it reaches a restorer.

Kinds and counts follow the URGENT 2025 simulation (random number of effects in random order).
Every effect keeps the speech where it was in time, so that the clean recording stays its target.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile as sf
import soxr
from scipy import signal

from ...core.spec import Array
from .corpus import RATE_HZ
from .noises import NoiseBank, Rng

KINDS = ("noise", "reverb", "lowpass", "clip", "codec")
LIKELIHOOD = (0.30, 0.25, 0.20, 0.10, 0.15)
COUNTS = (0.08, 0.34, 0.30, 0.18, 0.10)
"""Probabilities of 0, 1, 2, 3 and 4 kinds at once."""
CLEAN = "clean"
"""No damage at all: shows what a system does to speech that needs nothing."""
MIXED = "mixed"
"""Two kinds of damage or more, drawn as in training."""
CLASSES = (*KINDS, MIXED, CLEAN)
LEVEL = "level"
LEVEL_LIKELIHOOD = 0.1
"""Beside the kinds above, the level of a recording may wander, as when a speaker moves."""


@dataclass(frozen=True)
class Distorter:
    """Applies the chain with the given noise and rooms (a synthetic room where none are given)."""

    noise: NoiseBank
    rooms: Sequence[Array] = ()

    def draw_kinds(self, rng: Rng) -> tuple[str, ...]:
        """Kinds to apply, in order: a random number of distinct ones."""
        count = int(rng.choice(len(COUNTS), p=COUNTS))
        chosen = rng.choice(KINDS, size=count, replace=False, p=LIKELIHOOD)
        kinds = [str(kind) for kind in chosen]
        if rng.random() < LEVEL_LIKELIHOOD:
            kinds.insert(int(rng.integers(count + 1)), LEVEL)
        return tuple(kinds)

    def kinds_of(self, damage: str, rng: Rng) -> tuple[str, ...]:
        """Kinds to apply, in order, for one of `CLASSES`."""
        if damage == CLEAN:
            return ()
        if damage != MIXED:
            return (damage,)
        while len(kinds := self.draw_kinds(rng)) < 2:
            pass
        return kinds

    def __call__(self, clean: Array, kinds: Sequence[str], rng: Rng) -> Array:
        """Damage (N,) at 48 kHz with `kinds` in order; the length stays."""
        effects: dict[str, Callable[[Array, Rng], Array]] = {
            "noise": self._add_noise,
            "reverb": self._reverberate,
            "lowpass": low_pass,
            "clip": clip,
            "codec": codec,
            LEVEL: wander,
        }
        wave = clean
        for kind in kinds:
            wave = effects[kind](wave, rng)
        return wave

    def _add_noise(self, wave: Array, rng: Rng) -> Array:
        snr_db = rng.uniform(-2.0, 25.0)
        level = active_level(wave) * 10 ** (-snr_db / 20)
        return np.asarray(wave + level * self.noise.draw(len(wave), rng), np.float32)

    def _reverberate(self, wave: Array, rng: Rng) -> Array:
        if self.rooms and rng.random() < 0.9:
            room = self.rooms[int(rng.integers(len(self.rooms)))]
        else:
            room = synthetic_room(rng)
        return reverberate(wave, room, wet=rng.uniform(0.4, 1.0))


def active_level(wave: Array) -> float:
    """RMS of the louder half of the 20 ms frames, so that pauses do not count."""
    frames = wave[: len(wave) // 960 * 960].reshape(-1, 960)
    power = np.sort((frames**2).mean(axis=1))[len(frames) // 2 :]
    return float(np.sqrt(power.mean() + 1e-12))


def reverberate(wave: Array, room: Array, *, wet: float) -> Array:
    """Convolve with an impulse response, aligned on its direct sound; `wet` scales the rest."""
    direct = int(np.argmax(np.abs(room)))
    response = room / room[direct]
    response[: max(0, direct - 48)] = 0.0
    response[direct + 120 :] *= wet  # from 2.5 ms after the direct sound
    echoed = signal.fftconvolve(wave, response)[direct : direct + len(wave)]
    scale = active_level(wave) / active_level(echoed)
    return np.asarray(echoed * scale, np.float32)


def synthetic_room(rng: Rng) -> Array:
    """Decaying coloured noise after a direct sound: a stand-in where no rooms are given."""
    rt60_s = rng.uniform(0.15, 1.2)
    time_s = np.arange(int(rt60_s * RATE_HZ)) / RATE_HZ
    tail = rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / rt60_s)
    tail = signal.lfilter([1.0], [1.0, -rng.uniform(0.0, 0.8)], tail)
    tail *= rng.uniform(0.3, 1.5) / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    return np.asarray(tail, np.float32)


def low_pass(wave: Array, rng: Rng) -> Array:
    """Take the top away at 1.5 to 16 kHz: an IIR filter of some family, or a lower rate."""
    cutoff_hz = float(np.exp(rng.uniform(np.log(1500), np.log(16_000))))
    family = rng.integers(5)
    if family == 4:
        return _through_rate(wave, 2 * cutoff_hz)
    order = int(rng.integers(4, 11))
    designs: tuple[Callable[[], Any], ...] = (
        lambda: signal.butter(order, cutoff_hz, fs=RATE_HZ, output="sos"),
        lambda: signal.cheby1(order, 0.5, cutoff_hz, fs=RATE_HZ, output="sos"),
        lambda: signal.ellip(order, 0.5, 60, cutoff_hz, fs=RATE_HZ, output="sos"),
        lambda: signal.bessel(order, cutoff_hz, fs=RATE_HZ, norm="mag", output="sos"),
    )
    run = signal.sosfilt if rng.random() < 0.5 else signal.sosfiltfilt
    sections = designs[family]()
    return np.asarray(run(sections, wave), np.float32)


def clip(wave: Array, rng: Rng) -> Array:
    """Overload: cut, or bend softly, what stands above a share of the peak."""
    peak = float(np.abs(wave).max()) + 1e-9
    limit = peak * rng.uniform(0.08, 0.6)
    if rng.random() < 0.7:
        return np.clip(wave, -limit, limit)
    return np.asarray(limit * np.tanh(wave / limit), np.float32)


def wander(wave: Array, rng: Rng) -> Array:
    """A gain that moves by up to 8 dB over seconds."""
    corners = max(2, round(len(wave) / RATE_HZ / rng.uniform(1.0, 3.0)))
    gain_db = np.interp(
        np.linspace(0, corners - 1, len(wave)), np.arange(corners), rng.uniform(-4, 4, corners)
    )
    return np.asarray(wave * 10 ** (gain_db / 20), np.float32)


def codec(wave: Array, rng: Rng) -> Array:
    """Through MP3, Vorbis or Opus at a poor setting, sometimes at a lower rate."""
    container, subtype = (("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS"))[
        rng.integers(3)
    ]
    rates_hz = (8000, 16_000, 24_000, 48_000) if subtype == "OPUS" else (16_000, 32_000, 48_000)
    rate_hz = int(rng.choice(rates_hz))
    low = wave if rate_hz == RATE_HZ else soxr.resample(wave, RATE_HZ, rate_hz)
    gain = 0.5 / (float(np.abs(low).max()) + 1e-9)
    coded = _encode(low * gain, rate_hz, container, subtype, rng.uniform(0.6, 1.0))
    back = coded / gain if rate_hz == RATE_HZ else soxr.resample(coded / gain, rate_hz, RATE_HZ)
    return _aligned(np.asarray(back, np.float32), wave)


def _encode(wave: Array, rate_hz: int, container: str, subtype: str, compression: float) -> Array:
    buffer = io.BytesIO()
    with sf.SoundFile(
        buffer, "w", rate_hz, 1, subtype, format=container, compression_level=compression
    ) as file:
        file.write(wave)
    buffer.seek(0)
    return np.asarray(sf.read(buffer, dtype="float32")[0], np.float32)


def _aligned(coded: Array, reference: Array) -> Array:
    """Take out the delay of the codec, found by cross-correlation within 60 ms."""
    length = len(reference)
    fitted = np.resize(np.pad(coded, (0, max(0, length - len(coded)))), max(length, len(coded)))
    scores = signal.correlate(fitted[:length], reference, mode="full", method="fft")
    around = scores[length - 1 - 2880 : length - 1 + 2881]
    lag = int(np.argmax(around)) - 2880
    return np.asarray(np.roll(fitted, -lag)[:length], np.float32)


def _through_rate(wave: Array, rate_hz: float) -> Array:
    low = soxr.resample(wave, RATE_HZ, rate_hz)
    back = np.asarray(soxr.resample(low, rate_hz, RATE_HZ), np.float32)
    return np.pad(back, (0, max(0, len(wave) - len(back))))[: len(wave)]
