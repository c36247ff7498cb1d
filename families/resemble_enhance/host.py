"""Resemble Enhance's host: what `inference_chunk` and `Enhancer.forward` do around the networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import ClassVar, Self

import numpy as np

from ...core.errors import UsageError
from ...core.family import Options, Runners, check_offer, made
from ...core.signal import noise, spectrum
from ...core.spec import Array

RATE_HZ, HOP, MELS, LATENT, NOISE, WAVES = 44_100, 420, 128, 64, 128, 128
_MEL_FFT, _FFT = 2048, 4 * HOP
BINS = _FFT // 2 + 1
_SILENCE = 441
"""Samples that follow a chunk."""
_LATENT_NOISE, _VOCODER_NOISE = 0, 1
_BEHIND = 10
"""Frames of zeros behind the vocoder's features."""
PIECE, AROUND = 64, 16
"""Frames that the vocoder makes at a time, as its kernels take much memory for each, and those
on both sides that it also sees: with these the pieces are what the whole would be, to 130 dB."""
_HALFWAY = 0.5436890126920764
"""The root of b + b^2 + b^3 = 1: half of the way is made in the first quarter of the steps."""


def schedule(steps: int) -> tuple[float, ...]:
    """The times, falling from 1, at which the network is asked; raises `UsageError` for odd ones.

    A step of the midpoint method asks twice, a single time is Euler's method, as in the package,
    which counts time from 0 to 1 and calls `steps` the number of function evaluations.
    """
    if steps < 1 or (steps > 1 and steps % 2):
        raise UsageError(f"{steps} steps are not possible; accepted: 1 and even numbers")
    ends = np.linspace(0, 4, steps // 2 + 1) if steps > 1 else np.array([0.0, 4.0])
    left = (_HALFWAY**ends - _HALFWAY**4) / (1 - _HALFWAY**4)
    begins, middles = left[:-1], (left[:-1] + left[1:]) / 2
    times = np.stack([begins, middles], axis=1).reshape(-1)[:steps]
    return tuple(float(time) for time in times)


@dataclass(frozen=True)
class Host:
    """The contract of the package's networks, and the sampler's times by number of evaluations.

    Group norms span the whole chunk, so that what is made of a moment depends a little on all of
    its chunk: other lengths of chunks give other waves, and silence up to a fixed length would too.
    """

    mel_mean: float = 0.0
    mel_std: float = 1.0
    z_scale: float = 6.0
    """Of the latent in the sampler against that of the autoencoder."""
    denoised_share: float = 0.5
    """Of the denoised mel in the sampler's condition, the package's lambd."""
    noise_share: float = 0.5
    """Of noise where the sampler starts, the package's tau."""
    denoiser_frames: int = 16
    """The denoiser takes multiples of so many frames."""
    schedules: Mapping[int, tuple[float, ...]] = field(
        default_factory=lambda: {steps: schedule(steps) for steps in (1, 2, 4, 8, 16, 32, 64)}
    )
    default_steps: int = 32

    sample_rate_hz: ClassVar[int] = RATE_HZ
    hop: ClassVar[int] = HOP
    context_s: ClassVar[float] = 0.5
    """Neighbours share a second, as the package's chunks do."""
    loudness_lufs: ClassVar[float | None] = None

    def __post_init__(self) -> None:
        """Refuse values that no host could work with; raises ValueError."""
        shares = (self.denoised_share, self.noise_share)
        if min(self.mel_std, self.z_scale) <= 0 or not all(0 <= share <= 1 for share in shares):
            raise ValueError("mel_std and z_scale are above 0, shares from 0 to 1")
        if self.denoiser_frames not in range(1, 257):
            raise ValueError(f"denoiser_frames of {self.denoiser_frames} are not possible")

    def offering(self, steps: Sequence[int], default: int) -> Self:
        """The host with other numbers of steps; raises `UsageError` for what it cannot offer."""
        check_offer(steps, default)
        chosen = {count: schedule(count) for count in sorted(steps)}
        return replace(self, schedules=chosen, default_steps=default)

    def wave_of(self, output: str, value: Array) -> Array | None:
        """The wave (n,) that the vocoder made (1, n); None for all else."""
        return value[0] if output == "wave" else None

    def process(self, run: Runners, wave: Array, first_frame: int, options: Options) -> Array:
        """The restored chunk (n,) of a wave (n,), n whole frames."""
        peak = np.maximum(np.abs(wave).max(), np.float32(1e-7))
        level = _levelled(np.pad(wave / peak, (0, _SILENCE)))
        given = self.mel(level)
        mixed = self.denoised_share * self.mel(self.denoised(run, level))
        mixed += (1 - self.denoised_share) * given
        latent = self._sampled(run, given, mixed, first_frame, options)
        features = made(run, "decoder", {"latent": latent}, "features", (160, latent.shape[2]))
        made_level = self._voiced(run, features, first_frame, options.seed)[: len(wave)]
        return np.asarray(made_level * peak, np.float32)

    def mel(self, wave: Array) -> Array:
        """The normalized log mel (1, bands, T) of a wave (N,), T = N / hop."""
        before = np.concatenate([np.zeros(1, np.float32), wave[:-1]])
        emphasized = np.asarray(wave - np.float32(0.97) * before, np.float32)
        magnitude = np.abs(spectrum.stft(emphasized, _MEL_FFT, HOP))
        level_db = 20 * np.log10(np.maximum(magnitude @ mel_basis(), np.float32(1e-4)))
        scaled = ((level_db + 80) / 95 - self.mel_mean) / self.mel_std
        return np.asarray(scaled.T[None], np.float32)

    def denoised(self, run: Runners, wave: Array) -> Array:
        """The wave (N,) without noise."""
        level, half = _levelled(wave), _FFT // 2
        mirrored = np.asarray(np.pad(level, half, mode="reflect"), np.float32)
        found = spectrum.stft(mirrored, _FFT, HOP)[half // HOP :][: len(wave) // HOP].T
        phase = np.angle(found)
        parts = np.stack([np.abs(found), np.cos(phase), np.sin(phase)])
        missing = -parts.shape[2] % self.denoiser_frames
        padded = np.pad(parts, ((0, 0), (0, 0), (0, missing)))
        mask, real, imaginary = made(
            run, "denoiser", {"spectrum": padded[None]}, "mask", padded.shape
        )[0, ..., : parts.shape[2]]
        turn = (real + 1j * imaginary) / np.sqrt(real**2 + imaginary**2 + np.float32(1e-7))
        cleaned = (parts[0] * mask * (parts[1] + 1j * parts[2]) * turn).T
        last = len(cleaned) * HOP
        sound = spectrum.istft(np.concatenate([cleaned, cleaned[-1:]]), _FFT, HOP)[:last]
        return np.pad(sound, (0, len(wave) - last))

    def _sampled(
        self, run: Runners, given: Array, mixed: Array, first_frame: int, options: Options
    ) -> Array:
        """The latent (1, channels, T) of a mel (1, bands, T), the sampler led by a mixed one."""
        shape = (LATENT, given.shape[2])
        latent = made(run, "encoder", {"mel": given}, "latent", shape)
        draw = noise.normals(options.seed, _LATENT_NOISE, first_frame, shape[1], LATENT).T[None]
        z = np.float32(self.noise_share) * draw
        z += np.float32((1 - self.noise_share) * self.z_scale) * latent

        def slope(z: Array, time: float) -> Array:
            about = {"time": np.array([time], np.float32), "waves": waves(1 - time)}
            clean = made(run, "clean", {"noisy": z, "mel": mixed, **about}, "clean", shape)
            return (clean - z) / np.float32(time)

        times = self.schedules[options.steps]
        for begin, middle in _pairs(times):
            half = z + np.float32(begin - middle) * slope(z, begin)
            z = z + np.float32(2 * (begin - middle)) * slope(half, middle) if middle else half
        return z / np.float32(self.z_scale)

    def _voiced(self, run: Runners, features: Array, first_frame: int, seed: int) -> Array:
        """The wave (N,) of features (1, channels, T), N = T * hop, made piece by piece."""
        frames = features.shape[2]
        padded = np.pad(features, ((0, 0), (0, 0), (0, _BEHIND)))
        pieces = []
        for begin in range(0, frames, PIECE):
            first = max(0, begin - AROUND)
            seen = padded[..., first : begin + PIECE + AROUND]
            drawn = noise.normals(seed, _VOCODER_NOISE, first_frame + first, seen.shape[2], NOISE)
            inputs = {"features": np.ascontiguousarray(seen), "noise": drawn.T[None].copy()}
            wave = made(run, "vocoder", inputs, "wave", (seen.shape[2] * HOP,))[0]
            pieces.append(wave[(begin - first) * HOP :][: PIECE * HOP])
        return np.concatenate(pieces)[: frames * HOP]


def waves(t: float) -> Array:
    """Sines and cosines (1, 128) of a time that rises from 0 to 1, up to 10,000 radians.

    Half precision does not hold such angles, so that they are no part of a graph.
    """
    angles = np.float32(t) * np.float32(10) ** np.linspace(0, 4, WAVES // 2, dtype=np.float32)
    return np.concatenate([np.sin(angles), np.cos(angles)])[None]


@cache
def mel_basis() -> Array:
    """Slaney's filters (bins, bands) up to half the rate, each of unit area."""
    top = 15 + np.log(RATE_HZ / 2000) * 27 / np.log(6.4)
    mels = np.linspace(0, top, MELS + 2)
    edges_hz = np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))
    bin_hz = np.linspace(0, RATE_HZ / 2, _MEL_FFT // 2 + 1)
    low, centre, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    basis = spectrum.triangles(bin_hz, low, centre, high)
    return np.asarray(basis / ((high - low) / 2), np.float32)


def _levelled(wave: Array) -> Array:
    return np.asarray(wave / (np.abs(wave).max() + np.float32(1e-7)), np.float32)


def _pairs(times: Sequence[float]) -> Iterator[tuple[float, float]]:
    """Begin and middle of every step; a single time has no middle, its step ends at 0."""
    return zip(times[::2], times[1::2] or (0.0,), strict=True)
