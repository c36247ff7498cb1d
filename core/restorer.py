"""Waveform to restored waveform over any runners: the host's side of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from functools import partial
from typing import Self

import numpy as np

from . import arguments, noise
from .audio import resample
from .chunks import ChunkFunction, ChunkPlan, ChunkStream
from .family import Host, Options, Runners, accepted_steps
from .loudness import LoudnessMeter, gain_to
from .spec import Array, Runner

Wrap = Callable[[str, Runner], Runner]
"""(name of a component, its runner) -> the runner that is used."""
CHUNK_S = 7.0
FADE_S = 0.1

_BLOCK = 65_536


def as_it_is(_: str, runner: Runner) -> Runner:
    """The runner itself: nobody looks on."""
    return runner


class RestorationStream:
    """One signal on its way: blocks (n, channels) in, finished blocks (m, channels) out.

    As many frames come out as went in; the result does not depend on the block sizes. `strength`
    is the restored share of it, the rest is as it came in.
    """

    def __init__(
        self,
        function: ChunkFunction,
        plan: ChunkPlan,
        gains: Sequence[float],
        *,
        strength: float = 1.0,
    ) -> None:
        self._gains = np.array(gains, np.float32)
        self._streams = [ChunkStream(function, plan) for _ in gains]
        self._strength = np.float32(strength)
        self._given = np.zeros((0, len(gains)), np.float32)
        """What came in and has not come out yet."""

    def process(self, block: Array) -> Array:
        """Take a block (n, channels) and give what is finished, (m, channels)."""
        levelled = block * self._gains
        if self._strength < 1:
            self._given = np.concatenate([self._given, block])
        columns = [s.process(levelled[:, i]) for i, s in enumerate(self._streams)]
        return self._mixed(np.stack(columns, axis=1) / self._gains)

    def flush(self) -> Array:
        """The rest (m, channels) of the signal, which ends here."""
        return self._mixed(np.stack([s.flush() for s in self._streams], axis=1) / self._gains)

    def _mixed(self, restored: Array) -> Array:
        if self._strength >= 1:
            return restored
        given, self._given = np.split(self._given, [len(restored)])
        return given + self._strength * (restored - given)


class Restorer:
    """Speech of any rate to restored speech at the rate of the model's host.

    `components` holds a runner for each component of the model. `enumerated_frames` are the only
    numbers of
    frames that they take, rising (none: any): chunks are then no longer than the last one, and
    silence follows each up to the next. `wrap` is put around every runner, for whoever wants to
    look on. Raises `UsageError` for sizes that do not fit.
    """

    def __init__(
        self,
        components: Runners,
        host: Host,
        *,
        chunk_s: float = CHUNK_S,
        context_s: float | None = None,
        enumerated_frames: Sequence[int] = (),
        wrap: Wrap = as_it_is,
    ) -> None:
        self.host = host
        self._run = {name: wrap(name, runner) for name, runner in components.items()}
        self._enumerated_frames = enumerated_frames
        context_s = host.context_s if context_s is None else context_s
        if enumerated_frames:
            longest_s = enumerated_frames[-1] * host.hop / host.sample_rate_hz
            chunk_s = min(chunk_s, longest_s - 2 * context_s)
        self._plan = ChunkPlan.of_seconds(
            rate_hz=host.sample_rate_hz,
            hop=host.hop,
            chunk_s=chunk_s,
            context_s=context_s,
            fade_s=min(FADE_S, context_s),
        )

    def __call__(
        self,
        wave: Array,
        sample_rate_hz: int,
        *,
        steps: int | None = None,
        seed: int = 0,
        keep_rate: bool = False,
    ) -> Array:
        """Restore a wave (N,) or (N, channels); the result has the same axes, at the host's rate.

        With `keep_rate` it has the rate and the shape of what was given.

        Raises `AudioError` for a wave that is empty, not finite, no array of floats or laid out as
        (channels, N), and for a rate that is none; `UsageError` for `steps` or a `seed` that is
        not accepted; `IntegrityError` where a component gives what none of its name gives.
        """
        options = self._options(steps, seed)
        columns, rate_hz = arguments.wave(wave, sample_rate_hz), self.host.sample_rate_hz
        native = (columns[i : i + _BLOCK] for i in range(0, len(columns), _BLOCK))
        blocks = list(resample(native, sample_rate_hz, columns.shape[1], rate_hz))
        stream = self._stream(options, measure(blocks, columns.shape[1], rate_hz))
        restored = [*(stream.process(block) for block in blocks), stream.flush()]
        if keep_rate:
            restored = list(resample(restored, rate_hz, columns.shape[1], sample_rate_hz))
        made = np.concatenate(restored).reshape(-1, *wave.shape[1:])
        # A length that was rounded twice may be a sample off.
        return made[np.minimum(np.arange(len(wave)), len(made) - 1)] if keep_rate else made

    def stream(
        self,
        loudness_lufs: Sequence[float],
        *,
        steps: int | None = None,
        seed: int = 0,
        strength: float = 1.0,
    ) -> RestorationStream:
        """A stream for a signal whose channels have this loudness (see `measure`).

        Raises `UsageError` for `steps`, a `seed` or a `strength` that is not accepted.
        """
        share = arguments.share(strength, "strength")
        return self._stream(self._options(steps, seed), loudness_lufs, share)

    def accepted_steps(self, steps: int | None) -> int:
        """`steps`, or the default for None; raises `UsageError` for a number not offered."""
        return accepted_steps(self.host, steps)

    def under(self, host: Host) -> Self:
        """The same components and chunks under another host of their family."""
        other = copy(self)
        other.host = host
        return other

    def _options(self, steps: int | None, seed: int) -> Options:
        key = arguments.whole(seed, "seed")
        noise.key_of(key)  # refuses a bad seed now, before any work
        return Options(self.accepted_steps(steps), key)

    def _stream(
        self, options: Options, loudness_lufs: Sequence[float], strength: float = 1.0
    ) -> RestorationStream:
        target_lufs = self.host.loudness_lufs
        gains = [
            1.0 if target_lufs is None else gain_to(target_lufs, lufs) for lufs in loudness_lufs
        ]
        chunk = partial(self._restored, options)
        return RestorationStream(chunk, self._plan, gains, strength=strength)

    def _restored(self, options: Options, wave: Array, first_frame: int) -> Array:
        """A chunk (n,), with silence behind it up to an accepted length."""
        hop, frames = self.host.hop, len(wave) // self.host.hop
        accepted = next((count for count in self._enumerated_frames if count >= frames), frames)
        padded = np.pad(wave, (0, (accepted - frames) * hop))
        return self.host.process(self._run, padded, first_frame, options)[: len(wave)]


def measure(blocks: Iterable[Array], channels: int, rate_hz: int) -> list[float]:
    """Integrated loudness in LUFS of each channel of blocks (n, channels)."""
    meters = [LoudnessMeter(rate_hz) for _ in range(channels)]
    for block in blocks:
        for i, meter in enumerate(meters):
            meter.add(block[:, i])
    return [meter.integrated_lufs() for meter in meters]
