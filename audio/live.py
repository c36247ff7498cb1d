"""Sound while it is being made: through pipes, and between the two sides of a sound device."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from queue import Empty, Full, Queue
from threading import Lock
from typing import BinaryIO

import numpy as np

from ..core.spec import Array
from ..core.streams import Stream
from . import raw

MOST_WAITING = 100
"""Blocks that may wait to be restored; more are dropped."""
LONGEST_GAP_S = 10.0
"""Silence in the place of blocks that were dropped one after another is no longer than that."""


@dataclass
class Heard:
    """What became of a stream, in seconds of sound; levels in dB of full scale."""

    heard_s: float = 0.0
    computing_s: float = 0.0
    dropped_s: float = 0.0
    """Came in while too much was waiting: silence in its place."""
    late_s: float = 0.0
    """Was due before it was restored: silence in its place."""
    unusable_s: float = 0.0
    """Was not finite: silence in its place."""
    input_db: float = -np.inf
    output_db: float = -np.inf

    @property
    def warnings(self) -> Iterator[str]:
        """What was lost, one sentence each."""
        lost = {
            "came in faster than it was restored": self.dropped_s,
            "was restored too late to be played": self.late_s,
            "was not finite": self.unusable_s,
        }
        for what, seconds in lost.items():
            if seconds:
                yield f"{seconds:.2f} s of sound {what}; silence is in its place"


def restored(stream: Stream, block: Array, heard: Heard) -> Array:
    """What a stream gives for a block (n, channels) of any content; noted in `heard`."""
    began = time.perf_counter()
    usable = np.isfinite(block)
    heard.unusable_s += float(np.sum(~usable.all(axis=1))) / stream.sample_rate_hz
    made = stream.push(np.where(usable, block, np.float32(0)))
    heard.heard_s += len(block) / stream.sample_rate_hz
    heard.computing_s += time.perf_counter() - began
    heard.input_db, heard.output_db = level_db(block), level_db(made)
    return made


def through(
    stream: Stream, source: BufferedIOBase, sink: BinaryIO, encodings: tuple[str, str]
) -> Heard:
    """Restore bare samples from one pipe to another as they come, until the first one ends."""
    heard = Heard()
    for block in raw.blocks(source, stream.channels, encodings[0]):
        sink.write(raw.encoded(restored(stream, block, heard), encodings[1]))
        sink.flush()
    sink.write(raw.encoded(stream.flush(), encodings[1]))
    sink.flush()
    return heard


class Exchange:
    """Between the callbacks of a sound device, which never wait, and the restoration, which may.

    What is said begins with silence for as long as the restoration may take, `lead_s`, and stays
    that long behind what is heard: what is made too late is left out.
    """

    def __init__(self, stream: Stream, lead_s: float) -> None:
        self.heard = Heard()
        self._stream = stream
        self._waiting: Queue[tuple[int, Array]] = Queue(maxsize=MOST_WAITING)
        self._missing = 0
        """Frames that were dropped since the last one that was taken."""
        lead = round(lead_s * stream.output_rate_hz)
        self._ready: Array = np.zeros((lead, stream.channels), np.float32)
        self._owed = 0
        """Frames in whose place silence was said."""
        self._lock = Lock()

    def hear(self, block: Array) -> None:
        """Take a block (n, channels) of the input; what there is no room for is dropped."""
        try:
            self._waiting.put_nowait((self._missing, block))
            self._missing = 0
        except Full:
            self._missing += len(block)
            self.heard.dropped_s += len(block) / self._stream.sample_rate_hz

    def say(self, count: int) -> Array:
        """The next frames (count, channels) of the output."""
        with self._lock:
            said, self._ready = self._ready[:count], self._ready[count:]
            short = count - len(said)
            self._owed += short
        self.heard.late_s += short / self._stream.output_rate_hz
        return np.pad(said, ((0, short), (0, 0)))

    def step(self, wait_s: float = 0.1) -> Array:
        """Restore the next block, if one comes in time, and give what is finished (m, channels)."""
        try:
            missing, block = self._waiting.get(timeout=wait_s)
        except Empty:
            return np.zeros((0, self._stream.channels), np.float32)
        # The model is not asked what silence sounds like: it has too much to do as it is.
        gap = (
            min(missing / self._stream.sample_rate_hz, LONGEST_GAP_S) * self._stream.output_rate_hz
        )
        silence = np.zeros((round(gap), self._stream.channels), np.float32)
        return np.concatenate([silence, restored(self._stream, block, self.heard)])

    def hand_over(self, made: Array) -> None:
        """Have what is finished said, but for what comes too late."""
        with self._lock:
            late = min(self._owed, len(made))
            self._owed -= late
            self._ready = np.concatenate([self._ready, made[late:]])


def level_db(block: Array) -> float:
    """Root mean square of a block in dB of full scale."""
    power = float(np.mean(np.square(block, dtype=np.float64))) if block.size else 0.0
    return 10.0 * float(np.log10(power)) if np.isfinite(power) and power > 0 else -np.inf
