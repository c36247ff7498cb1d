"""A signal on its way through the model: cut, restored by workers, joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from .chunks import ChunkPlan, Cutter, Joiner, Window
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

    def of(self, blocks: Iterable[Array]) -> Iterator[Array]:
        """Finished blocks (m, channels) of a whole signal, computed side by side."""
        return self._restored(self._windows(blocks))

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
        for columns in zip(*[made] * self._channels, strict=True):
            window = columns[0][0]
            joined = self._joiner.join(window, np.stack([c for _, c in columns], axis=1))
            yield self._mixed(window, joined)

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
