"""Waveform to restored waveform over any runners: the host's side of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from functools import partial
from typing import Self

import numpy as np

from . import arguments
from .family import Host, Options, Runners, accepted_steps
from .signal import noise
from .signal.chunks import ChunkPlan
from .signal.loudness import LoudnessMeter, gain_to
from .signal.rates import resample
from .spec import Array, Runner
from .streams import Follower, Latency, Level, Restoration, Stream, latency_of
from .workers import Workers

Wrap = Callable[[str, Runner], Runner]
"""(name of a component, its runner) -> the runner that is used."""
CHUNK_S = 6.0
"""With it a process that restores on one thread stays below 250 MB, whatever the length."""
FADE_S = 0.1

_BLOCK = 65_536


def as_it_is(_: str, runner: Runner) -> Runner:
    """The runner itself: nobody looks on."""
    return runner


class Restorer:
    """Speech of any rate to restored speech at the rate of the model's host.

    `components` holds a runner for each component of the model. `enumerated_frames` are the only
    numbers of frames that they take, rising (none: any): chunks are then no longer than the last
    one, and silence follows each up to the next. `wrap` is put around every runner, for whoever
    wants to look on; `workers` runners are called side by side. Raises `UsageError` for sizes that
    do not fit.
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
        workers: int = 1,
    ) -> None:
        self.host = host
        self.workers = Workers(workers)
        self._run = {name: wrap(name, runner) for name, runner in components.items()}
        self._enumerated_frames = enumerated_frames
        context_s = host.context_s if context_s is None else context_s
        if enumerated_frames:
            longest_s = enumerated_frames[-1] * host.hop / host.sample_rate_hz
            chunk_s = min(chunk_s, longest_s - 2 * context_s)
        self.plan = ChunkPlan.of_seconds(
            rate_hz=host.sample_rate_hz,
            hop=host.hop,
            chunk_s=chunk_s,
            before_s=context_s,
            after_s=context_s,
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
        columns, rate_hz = arguments.wave(wave, sample_rate_hz), self.host.sample_rate_hz
        native = (columns[i : i + _BLOCK] for i in range(0, len(columns), _BLOCK))
        blocks = list(resample(native, sample_rate_hz, columns.shape[1], rate_hz))
        loudness_lufs = measure(blocks, columns.shape[1], rate_hz)
        restored = list(self.restored(blocks, loudness_lufs, steps=steps, seed=seed))
        if keep_rate:
            restored = list(resample(restored, rate_hz, columns.shape[1], sample_rate_hz))
        made = np.concatenate(restored).reshape(-1, *wave.shape[1:])
        # A length that was rounded twice may be a sample off.
        return made[np.minimum(np.arange(len(wave)), len(made) - 1)] if keep_rate else made

    def restored(
        self,
        blocks: Iterable[Array],
        loudness_lufs: Sequence[float],
        *,
        steps: int | None = None,
        seed: int = 0,
        strength: float = 1.0,
        done: int = 0,
    ) -> Iterator[Array]:
        """Finished blocks (m, channels) of those (n, channels) of a signal at the host's rate.

        Its channels have this loudness (see `measure`). The first `done` frames, which an earlier
        run has given, are left out. Raises `UsageError` at once for `steps`, a `seed` or a
        `strength` that is not accepted.
        """
        chunk = partial(self._restored, self._options(steps, seed))
        level, share = self._fixed(loudness_lufs), arguments.share(strength, "strength")
        restoration = Restoration(
            chunk, self.plan, len(loudness_lufs), level, workers=self.workers, strength=share
        )
        return restoration.of(blocks, done)

    def stream(
        self,
        channels: int = 1,
        *,
        sample_rate_hz: int | None = None,
        latency: str | Latency = "quality",
        loudness_lufs: Sequence[float] | None = None,
        steps: int | None = None,
        seed: int = 0,
        strength: float = 1.0,
    ) -> Stream:
        """A stream for a signal that is still being made, at any rate (None: the host's).

        `latency` is `quality`, which gives what the whole signal would, `live`, or one of your own
        (see `LATENCIES`). The level is that of `loudness_lufs` of each channel, or follows what was
        heard so far. Raises `UsageError` for values that are not accepted, `AudioError` for a rate
        that is none.
        """
        count = arguments.count(channels, "number of channels")
        rate_hz = self.host.sample_rate_hz
        given_hz = rate_hz if sample_rate_hz is None else sample_rate_hz
        arguments.rate(given_hz, "the stream")
        level: Level = Follower(self._gain, rate_hz, count)
        if loudness_lufs is not None:
            level = self._fixed(loudness_lufs)
        plan = self._streaming(latency_of(latency))
        chunk = partial(self._restored, self._options(steps, seed))
        share = arguments.share(strength, "strength")
        restoration = Restoration(chunk, plan, count, level, workers=self.workers, strength=share)
        return Stream(restoration, (given_hz, rate_hz), count, plan)

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

    def _fixed(self, loudness_lufs: Sequence[float]) -> Level:
        gains = np.array([self._gain(lufs) for lufs in loudness_lufs], np.float32)
        return lambda _: gains

    def _streaming(self, latency: Latency) -> ChunkPlan:
        whole_s = self.host.context_s
        before_s = whole_s if latency.before_s is None else latency.before_s
        after_s = whole_s if latency.after_s is None else latency.after_s
        return ChunkPlan.of_seconds(
            rate_hz=self.host.sample_rate_hz,
            hop=self.host.hop,
            chunk_s=latency.chunk_s,
            before_s=before_s,
            after_s=after_s,
            fade_s=min(latency.fade_s, after_s),
        )

    def _gain(self, loudness_lufs: float) -> float:
        target_lufs = self.host.loudness_lufs
        return 1.0 if target_lufs is None else gain_to(target_lufs, loudness_lufs)

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
