"""Hi-ResLDM's host: transforms, levels of noise, and the order of the components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np

from ...core.family import Options, Runners, check_offer, made
from ...core.signal import noise
from ...core.signal.sampler import Sample, ddim, timesteps
from ...core.spec import Array
from .frontend import FrontEnd, istft, log_mel, stft

# The sampler is deterministic, so only its start draws noise.
_NOISE_STEP = 0


def schedules(steps: Sequence[int], start: float = 1.0) -> dict[int, tuple[float, ...]]:
    """Equal times from `start` down, for each number of steps."""
    return {count: timesteps(count, start) for count in steps}


@dataclass(frozen=True)
class Host:
    """The audio contract, and the sampler's times by number of steps."""

    front: FrontEnd = field(default_factory=FrontEnd)
    schedules: Mapping[int, tuple[float, ...]] = field(
        default_factory=lambda: schedules((1, 2, 4, 8, 16))
    )
    default_steps: int = 2

    context_s: ClassVar[float] = 0.8
    """With it the embedded model gives the same for any chunk size, which
    `tests/core/test_restorer.py` holds to 60 dB."""
    sample: ClassVar[Sample[Array]] = staticmethod(ddim)

    @property
    def sample_rate_hz(self) -> int:
        """Of the waves that come in and go out."""
        return self.front.sample_rate_hz

    @property
    def hop(self) -> int:
        """Samples per latent frame."""
        return self.front.latent_hop

    @property
    def loudness_lufs(self) -> float:
        """The level that the networks were trained at."""
        return self.front.loudness_lufs

    def offering(self, steps: Sequence[int], default: int) -> Self:
        """The host with other numbers of steps; raises `UsageError` for what it cannot offer."""
        check_offer(steps, default)
        return replace(self, schedules=schedules(sorted(steps)), default_steps=default)

    def process(self, run: Runners, wave: Array, first_frame: int, options: Options) -> Array:
        """The restored chunk (n,) of a wave (n,), n whole latent frames."""
        recovered = self.recovered(run, wave)
        condition = self.latent(run, recovered)
        start = noise.normals(options.seed, _NOISE_STEP, first_frame, *condition.shape[1:])[None]

        def denoise(noisy: Array, t: float) -> Array:
            inputs = {"noisy": noisy, "condition": condition, "time": np.array([t], np.float32)}
            return made(run, "denoiser", inputs, "clean", noisy.shape[1:])

        clean = type(self).sample(denoise, condition, start, self.schedules[options.steps])
        return self.decoded(run, clean, recovered)

    def wave_of(self, output: str, value: Array) -> Array | None:
        """The wave (n,) of a spectrum (1, T, 2 * bins); None for a latent."""
        return istft(value[0], self.front) if output in ("recovered", "restored") else None

    def recovered(self, run: Runners, wave: Array) -> Array:
        """The recovered spectrum (T, 2 * bins) of a wave (n,)."""
        spectrum = stft(wave, self.front)
        inputs = {"spectrum": spectrum[None]}
        recovered: Array = made(run, "recovery", inputs, "recovered", spectrum.shape)[0]
        return recovered

    def latent(self, run: Runners, spectrum: Array) -> Array:
        """The latent (1, frames, channels) of a spectrum (T, 2 * bins)."""
        shape = (len(spectrum) // self.front.stride, self.front.latent_channels)
        return made(
            run, "encoder", {"log_mel": log_mel(spectrum, self.front)[None]}, "latent", shape
        )

    def decoded(self, run: Runners, latent: Array, recovered: Array) -> Array:
        """The wave (n,) of a latent (1, frames, channels) and a recovered spectrum."""
        inputs = {"latent": latent, "recovered": recovered[None]}
        return istft(made(run, "decoder", inputs, "restored", recovered.shape)[0], self.front)


@dataclass(frozen=True)
class RecoveryAlone(Host):
    """The recovered wave: no diffusion, no decoder."""

    def process(self, run: Runners, wave: Array, first_frame: int, options: Options) -> Array:
        """The recovered chunk (n,)."""
        return istft(self.recovered(run, wave), self.front)


@dataclass(frozen=True)
class RoundTrip(Host):
    """The decoder's wave from the latent of `clean` (N,), at the model's level: the best it can."""

    clean: Array = field(default_factory=lambda: np.zeros(0, np.float32))

    def process(self, run: Runners, wave: Array, first_frame: int, options: Options) -> Array:
        """The chunk (n,) decoded from what it should have been."""
        spoken = self.clean[first_frame * self.hop :][: len(wave)]
        spoken = np.pad(spoken, (0, len(wave) - len(spoken)))
        latent = self.latent(run, stft(spoken, self.front))
        return self.decoded(run, latent, self.recovered(run, wave))
