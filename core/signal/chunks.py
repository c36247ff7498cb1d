"""A long signal in overlapping chunks: cut as it arrives, joined by a cross-fade."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..spec import Array


@dataclass(frozen=True)
class ChunkPlan:
    """Sizes in samples; all but `fade` are whole latent frames of `hop` samples.

    A function of chunks sees `before` samples before a chunk (none before the signal) and `after`
    behind it (silence after the signal), and what it makes of them is dropped, but for `fade`
    samples behind the chunk.
    """

    hop: int
    chunk: int
    before: int
    after: int
    fade: int

    @classmethod
    def of_seconds(
        cls,
        *,
        rate_hz: int,
        hop: int,
        chunk_s: float,
        before_s: float,
        after_s: float,
        fade_s: float,
    ) -> ChunkPlan:
        """The plan nearest to these lengths; raises `UsageError` where they do not fit."""
        if chunk_s <= 0 or before_s < 0 or not 0 <= fade_s <= after_s:
            raise UsageError(
                f"chunks of {chunk_s} s with {after_s} s of context do not work; accepted are "
                f"chunks above 0 s with at least {fade_s} s of context"
            )
        frame_rate_hz = rate_hz / hop
        chunk = max(1, round(chunk_s * frame_rate_hz)) * hop
        before, after = (int(np.ceil(s * frame_rate_hz)) * hop for s in (before_s, after_s))
        return cls(hop, chunk, before, after, round(fade_s * rate_hz))


@dataclass(frozen=True, eq=False)
class Window:
    """What a function of chunks sees: `wave` (n, channels), n whole latent frames."""

    wave: Array
    begin: int
    """Place of its first sample in the signal."""
    skip: int
    """Samples before the chunk."""
    keep: int
    """Samples of the chunk."""

    @property
    def end(self) -> int:
        """Place behind the chunk in the signal."""
        return self.begin + self.skip + self.keep


class Cutter:
    """Windows of a signal that arrives in blocks of any size.

    Chunks lie at multiples of `plan.chunk` from the start of the signal, so that the windows do
    not depend on the blocks.
    """

    def __init__(self, plan: ChunkPlan, channels: int) -> None:
        self._plan = plan
        self._held: Array = np.zeros((0, channels), np.float32)
        self._begin = 0
        """Place of the first sample that is held."""
        self._chunk = 0
        """Place of the next chunk."""

    def push(self, block: Array) -> Iterator[Window]:
        """Take samples (n, channels) and give the windows that are whole."""
        self._held = np.concatenate([self._held, block])
        # More than the context has to follow, so that `flush` always has a chunk to work on.
        while self._end > self._chunk + self._plan.chunk + self._plan.after:
            yield self._next(self._plan.chunk)

    def flush(self) -> Iterator[Window]:
        """The windows of the rest of the signal, which ends here.

        A context of silence follows the signal, so that it does not matter to its last second
        whether a function pads what it is given.
        """
        end = self._end
        silence = -end % self._plan.hop + self._plan.after
        self._held = np.pad(self._held, ((0, silence), (0, 0)))
        while self._chunk < end:
            yield self._next(min(self._plan.chunk, end - self._chunk))

    @property
    def _end(self) -> int:
        return self._begin + len(self._held)

    def _next(self, keep: int) -> Window:
        plan, begin, chunk = self._plan, self._begin, self._chunk
        seen = self._held[: chunk + plan.chunk + plan.after - begin]
        self._chunk += plan.chunk
        self._begin = min(self._end, max(0, self._chunk - plan.before))
        self._held = self._held[self._begin - begin :]
        return Window(seen, begin, chunk - begin, keep)


class Joiner:
    """Chunks (n, channels) one after another, each faded in over the end of the one before it."""

    def __init__(self, plan: ChunkPlan, channels: int) -> None:
        self._fade = plan.fade
        self._tail: Array = np.zeros((0, channels), np.float32)

    def join(self, window: Window, made: Array) -> Array:
        """The finished chunk (window.keep, channels) of what was made of the next window."""
        end = window.skip + window.keep
        piece = made[window.skip : end + self._fade].copy()
        count = len(self._tail)
        places = np.arange(count, dtype=np.float32)[:, None] + np.float32(0.5)
        rising = places / np.float32(max(1, count))
        piece[:count] = piece[:count] * rising + self._tail * (1 - rising)
        self._tail = piece[window.keep :]
        return piece[: window.keep]
