"""A signal on its way through the model: cut, restored by workers, joined; whole or as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import arguments
from .errors import UsageError
from .signal.chunks import ChunkPlan, Cutter, Joiner, Window
from .signal.loudness import LoudnessMeter
from .signal.rates import Resampler
from .spec import Array
from .workers import Workers

ChunkFunction = Callable[[Array, int], Array]
"""(wave (n,), its first latent frame in the signal) -> wave (n,); n is whole latent frames."""
Level = Callable[[Window], Array]
"""The gains (channels,) at which the model hears a window; asked once for each, in order."""


class Restoration:
    """One signal of blocks (n, channels): as many frames come out as go in.

    The result depends neither on the sizes of the blocks nor on the number of workers. `strength`
    is the restored share of it, the rest is as it came in.
    """

    def __init__(
        self,
        function: ChunkFunction,
        plan: ChunkPlan,
        channels: int,
        level: Level,
        *,
        workers: Workers,
        strength: float = 1.0,
    ) -> None:
        self._function, self._hop, self._channels = function, plan.hop, channels
        self._level, self._workers = level, workers
        self._strength = np.float32(strength)
        self._cutter, self._joiner = Cutter(plan, channels), Joiner(plan, channels)

    def of(self, blocks: Iterable[Array], done: int = 0) -> Iterator[Array]:
        """Finished blocks (m, channels) of a whole signal, computed side by side.

        The first `done` frames, whole chunks, are left out.
        """
        # The last chunk that is done is made anew: the next one is faded in over its end.
        windows = (window for window in self._windows(blocks) if window.end >= done)
        made = self._restored(windows)
        if done:
            next(made, None)
        return made

    def push(self, block: Array) -> Array:
        """Take a block (n, channels) and give what is finished, (m, channels)."""
        return self._whole(self._cutter.push(block))

    def flush(self) -> Array:
        """The rest (m, channels) of the signal, which ends here."""
        return self._whole(self._cutter.flush())

    def _windows(self, blocks: Iterable[Array]) -> Iterator[Window]:
        for block in blocks:
            yield from self._cutter.push(block)
        yield from self._cutter.flush()

    def _whole(self, windows: Iterator[Window]) -> Array:
        none = np.zeros((0, self._channels), np.float32)
        return np.concatenate([none, *self._restored(windows)])

    def _restored(self, windows: Iterable[Window]) -> Iterator[Array]:
        made = self._workers.map(self._channel, self._channels_of(windows))
        for window, first in made:
            columns = np.empty((len(first), self._channels), np.float32)
            columns[:, 0] = first
            for channel in range(1, self._channels):
                columns[:, channel] = next(made)[1]
            finished = self._mixed(window, self._joiner.join(window, columns))
            del window, first, columns  # of many channels they are the most of what is held
            yield finished
            del finished

    def _channels_of(self, windows: Iterable[Window]) -> Iterator[tuple[Window, int, np.float32]]:
        for window in windows:
            gains = self._level(window)
            yield from ((window, i, gains[i]) for i in range(self._channels))

    def _channel(self, task: tuple[Window, int, np.float32]) -> tuple[Window, Array]:
        window, channel, gain = task
        wave = window.wave[:, channel] * gain
        return window, self._function(wave, window.begin // self._hop) / gain

    def _mixed(self, window: Window, restored: Array) -> Array:
        if self._strength >= 1:
            return restored
        given = window.wave[window.skip :][: window.keep]
        return given + self._strength * (restored - given)


@dataclass(frozen=True)
class Latency:
    """How much is heard before something is said: a setting of streams, in seconds.

    Chunks of `chunk_s` are restored with what lies up to `before_s` before and `after_s` behind
    them, None for all that the model can make use of.
    """

    chunk_s: float
    before_s: float | None
    after_s: float | None
    fade_s: float


LATENCIES = {
    "quality": Latency(chunk_s=1.0, before_s=None, after_s=None, fade_s=0.1),
    "live": Latency(chunk_s=0.06, before_s=0.5, after_s=0.1, fade_s=0.02),
}
"""Settings of streams by name: as good as whole files, or soon enough for a conversation."""
HISTORY_S = 600.0
"""What a stream that is told no loudness remembers of its level."""


def latency_of(setting: str | Latency) -> Latency:
    """A setting by its name, or itself; raises `UsageError` for another name."""
    if isinstance(setting, Latency):
        return setting
    if setting not in LATENCIES:
        raise UsageError(f"there is no latency {setting!r}; accepted: {', '.join(LATENCIES)}")
    return LATENCIES[setting]


class Follower:
    """Gains (channels,) for windows of a signal of unknown loudness, from what was heard so far.

    `gain` is that for a loudness in LUFS.
    """

    def __init__(self, gain: Callable[[float], float], rate_hz: int, channels: int) -> None:
        self._gain = gain
        self._meters = [LoudnessMeter(rate_hz, HISTORY_S) for _ in range(channels)]
        self._heard = 0

    def __call__(self, window: Window) -> Array:
        """The gains for the next window."""
        fresh = window.wave[self._heard - window.begin :]
        self._heard += len(fresh)
        for i, meter in enumerate(self._meters):
            meter.add(fresh[:, i])
        return np.array([self._gain(m.integrated_lufs()) for m in self._meters], np.float32)


class Stream:
    """Speech restored as it comes: `push` any count of samples, `flush` at the end.

    What goes in has any rate, what comes out that of the model; at one and the same rate, as many
    samples come out as go in. Memory does not grow with time.
    """

    def __init__(
        self, restoration: Restoration, rates_hz: tuple[int, int], channels: int, plan: ChunkPlan
    ) -> None:
        self.channels = channels
        self.sample_rate_hz, self.output_rate_hz = rates_hz
        self.latency_s = (plan.chunk + plan.after) / self.output_rate_hz
        """From a sample's coming in to its coming out, beside the time that computing takes."""
        self._restoration = restoration
        self._resampler = Resampler(rates_hz[0], channels, rates_hz[1])

    def push(self, samples: Any) -> Array:
        """Take samples (n,) or (n, channels) of any count, and give those that are finished.

        Raises `AudioError` for what is no array of finite floats with so many channels.
        """
        block = arguments.block(samples, self.channels)
        made = self._restoration.push(self._resampler.push(block))
        return made.reshape(-1, *samples.shape[1:])

    def flush(self) -> Array:
        """The rest (m, channels) of the signal, which ends here; one channel as (m,)."""
        last = self._restoration.push(self._resampler.flush())
        made = np.concatenate([last, self._restoration.flush()])
        return made[:, 0] if self.channels == 1 else made
