"""GTCRN's host: spectra at 16 kHz under the root of a Hann window, whole recordings or chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...core.family import Options, Runners, Stepless, made
from ...core.signal.spectrum import hann, overlap_add, windowed
from ...core.spec import Array, Component, Dim, Tensor

N_FFT, HOP = 512, 256
FRAMES = Dim("frames", low=2, high=8192, example=50)
"""62.5 a second; of a single one torch makes a constant."""


@dataclass(frozen=True)
class Host(Stepless):
    """The audio contract; any level will do."""

    sample_rate_hz: int = 16_000
    hop: int = HOP

    loudness_lufs: ClassVar[float | None] = None
    context_s: ClassVar[float] = 4.0

    def __post_init__(self) -> None:
        """Refuse what the network was not made for; raises ValueError."""
        if (self.sample_rate_hz, self.hop) != (16_000, HOP):
            raise ValueError(f"accepted are 16000 Hz and a hop of {HOP}")

    def process(self, run: Runners, wave: Array, first_frame: int, options: Options) -> Array:
        """The enhanced chunk (n,) of a wave (n,), n whole frames; its last frame fades out."""
        window = np.sqrt(hann(N_FFT))
        padded = np.pad(wave, (HOP, max(0, FRAMES.low * HOP - len(wave))))
        spectrum = windowed(padded, window, HOP)
        pairs = np.concatenate([spectrum.real, spectrum.imag], axis=-1)
        inputs = {"spectrum": pairs[None]}
        enhanced = made(run, "enhancer", inputs, "enhanced", pairs.shape)[0]
        real, imaginary = np.split(enhanced, 2, axis=-1)
        frames = np.fft.irfft(real + 1j * imaginary, N_FFT).astype(np.float32)
        return overlap_add(frames * window, HOP)[HOP:][: len(wave)]


def components(host: Host) -> tuple[Component, ...]:
    """The one network."""
    spectrum = (1, FRAMES, N_FFT + 2)
    return (
        Component(
            "enhancer",
            (Tensor("spectrum", spectrum),),
            (Tensor("enhanced", spectrum),),
            boundary_layers=("to_bands", "to_bins"),
            needs_float32=True,  # its recurrences hold an error for longer than 14 s
            operations=("gru",),
        ),
    )
