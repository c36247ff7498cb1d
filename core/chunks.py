"""A long signal through a function of short ones: overlapping chunks, joined by a cross-fade."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .errors import UsageError
from .spec import Array

ChunkFunction = Callable[[Array, int], Array]
"""(wave (n,), its first latent frame in the signal) -> wave (n,); n is whole latent frames."""


@dataclass(frozen=True)
class ChunkPlan:
    """Sizes in samples; chunk and context are whole latent frames of `hop` samples.

    The function sees `context` samples on both sides of a chunk (none before the signal, silence
    after it), and what it makes of them is dropped, but for `fade` samples after the chunk.
    """

    hop: int
    chunk: int
    context: int
    fade: int

    @classmethod
    def of_seconds(
        cls, *, rate_hz: int, hop: int, chunk_s: float, context_s: float, fade_s: float
    ) -> ChunkPlan:
        """The plan nearest to these lengths; raises `UsageError` where they do not fit."""
        if chunk_s <= 0 or not 0 <= fade_s <= context_s:
            raise UsageError(
                f"chunks of {chunk_s} s with {context_s} s of context do not work; accepted are "
                f"chunks above 0 s with at least {fade_s} s of context"
            )
        frame_rate_hz = rate_hz / hop
        chunk = max(1, round(chunk_s * frame_rate_hz)) * hop
        context = int(np.ceil(context_s * frame_rate_hz)) * hop
        return cls(hop, chunk, context, round(fade_s * rate_hz))


class ChunkStream:
    """Applies a function to a signal that arrives in blocks of any size.

    Chunks lie at multiples of `plan.chunk` from the start of the signal, so the result does not
    depend on the blocks.
    """

    def __init__(self, function: ChunkFunction, plan: ChunkPlan) -> None:
        self._function = function
        self._plan = plan
        self._held: Array = np.zeros(0, np.float32)
        self._held_begin = 0
        self._chunk_begin = 0
        self._tail: Array = np.zeros(0, np.float32)

    def process(self, block: Array) -> Array:
        """Take samples (n,) and give those (m,) that are finished."""
        self._held = np.concatenate([self._held, block])
        done = [np.zeros(0, np.float32)]
        # More than the context has to follow, so that `flush` always has a chunk to work on.
        while self._held_end > self._chunk_begin + self._plan.chunk + self._plan.context:
            done.append(self._next_chunk())
        return np.concatenate(done)

    def flush(self) -> Array:
        """The rest (m,) of the signal, which ends here: as many samples out as came in.

        A context of silence follows the signal, so that it does not matter to its last second
        whether a function pads what it is given.
        """
        due = self._held_end - self._chunk_begin
        if not due:
            return self._tail
        silence = np.zeros(-self._held_end % self._plan.hop + self._plan.context, np.float32)
        finished = self.process(silence)
        return np.concatenate([finished, self._apply(self._held)])[:due]

    @property
    def _held_end(self) -> int:
        return self._held_begin + len(self._held)

    def _next_chunk(self) -> Array:
        plan = self._plan
        window_end = self._chunk_begin + plan.chunk + plan.context
        piece = self._apply(self._held[: window_end - self._held_begin])
        self._tail = piece[plan.chunk : plan.chunk + plan.fade]
        self._chunk_begin += plan.chunk
        begin = max(0, self._chunk_begin - plan.context)
        self._held, self._held_begin = self._held[begin - self._held_begin :], begin
        return piece[: plan.chunk]

    def _apply(self, window: Array) -> Array:
        """The function's result from the chunk's start on, faded in over the last chunk's tail."""
        result = self._function(window, self._held_begin // self._plan.hop)
        piece = result[self._chunk_begin - self._held_begin :].copy()
        count = len(self._tail)
        rising = (np.arange(count, dtype=np.float32) + np.float32(0.5)) / np.float32(max(1, count))
        piece[:count] = piece[:count] * rising + self._tail * (1 - rising)
        return piece
