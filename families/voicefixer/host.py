"""VoiceFixer's host: mel magnitudes in, a wave out, as the package's own mode 0 has them.

What differs: the package cuts a recording into pieces of 30 s, each brought below full scale on its
own; here chunks overlap, and keep their level.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from ...core.family import Options, Runners, Stepless, made
from ...core.signal.spectrum import hann, triangles, windowed
from ...core.spec import Array, Component, Dim, Tensor

RATE_HZ, N_FFT, HOP, MELS = 44_100, 2048, 441, 128
SHORTEST = 64
"""Frames of a chunk: of fewer, torch makes a constant of how many times 64 they are."""
ADDED = 4
"""Frames of silence that the vocoder wants behind a mel."""
ADVANCE = ADDED // 2 * HOP + HOP // 2
"""Samples that the package cuts off at the start: half of what was added at the end."""


@dataclass(frozen=True)
class Host(Stepless):
    """The audio contract; any level will do."""

    sample_rate_hz: int = RATE_HZ
    hop: int = HOP

    loudness_lufs: ClassVar[float | None] = None
    context_s: ClassVar[float] = 1.28
    """Twice the 64 frames that the network halves six times."""

    def __post_init__(self) -> None:
        """Refuse what the networks were not made for; raises ValueError."""
        if (self.sample_rate_hz, self.hop) != (RATE_HZ, HOP):
            raise ValueError(f"accepted are {RATE_HZ} Hz and a hop of {HOP}")

    def process(self, run: Runners, wave: Array, first_frame: int, options: Options) -> Array:
        """The restored chunk (n,) of a wave (n,), n whole frames."""
        longer = np.pad(wave, (0, max(0, SHORTEST * HOP - len(wave))))
        mel = mel_of(longer)
        restored = made(run, "analysis", {"mel": mel[None]}, "restored", mel.shape)[0]
        given = normalized(restored)
        shape = (len(given), HOP)
        blocks = made(run, "vocoder", {"mel": given[None]}, "wave", shape)[0]
        restored_wave: Array = blocks.reshape(-1)[ADVANCE:][: len(wave)]
        return restored_wave


def components(host: Host) -> tuple[Component, ...]:
    """The restorer of mels, and the vocoder."""
    frames = Dim("frames", low=SHORTEST + 1, high=8192, example=200)
    voiced = Dim("frames", low=ADDED, high=8192, example=50)
    return (
        Component(
            "analysis",
            (Tensor("mel", (1, frames, MELS)),),
            (Tensor("restored", (1, frames, MELS)),),
            needs_float32=True,  # fp16 does not hold the least magnitudes, whose logarithms count
            operations=("gru",),
        ),
        Component(
            "vocoder",
            (Tensor("mel", (1, voiced, MELS)),),
            (Tensor("wave", (1, voiced, HOP)),),
        ),
    )


def mel_of(wave: Array) -> Array:
    """Mel magnitudes (1 + N // 441, 128) of a wave (N,) of more than 1024 samples."""
    padded = np.pad(wave, N_FFT // 2, mode="reflect")
    power = np.abs(windowed(padded, hann(N_FFT), HOP)) ** 2
    return np.asarray(np.sqrt(np.maximum(power, 1e-8)) @ mel_basis(), np.float32)


@cache
def mel_basis() -> Array:
    """Triangular filters (1025, 128) on the scale of HTK, from 0 Hz on, each of height one."""
    top = 2595.0 * np.log10(1.0 + RATE_HZ / 2 / 700.0)
    edges_hz = 700.0 * (10.0 ** (np.linspace(0.0, top, MELS + 2) / 2595.0) - 1.0)
    bins_hz = np.linspace(0.0, RATE_HZ / 2, N_FFT // 2 + 1)
    basis = triangles(bins_hz, edges_hz[:-2], edges_hz[1:-1], edges_hz[2:])
    return np.asarray(basis, np.float32)


def normalized(log_mel: Array) -> Array:
    """What the vocoder takes (T + T % 2 + 4, 128), from -4 to 4, of a log10 mel (T, 128)."""
    weight = 18.8927416350036 * np.exp(0.0269863588184314 * np.arange(1, MELS + 1))
    mel = 10.0 ** np.minimum(log_mel.astype(np.float64), 5.0) / weight
    level_db = 20.0 * np.log10(np.maximum(mel, 1e-5)) - 20.0
    scaled = np.clip(8.0 * (level_db + 115.0) / 115.0 - 4.0, -4.0, 4.0)
    behind = ((0, len(scaled) % 2 + ADDED), (0, 0))
    return np.pad(scaled, behind, constant_values=-4.0).astype(np.float32)
