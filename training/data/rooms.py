"""Rooms: impulse responses of one length, recorded or made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from ...core.spec import Array
from . import corpus

LENGTH_S = 2.0
BEFORE = 48
"""Samples kept before the direct sound: 1 ms."""
MADE_UP = 32
"""Rooms that are made up where none are given."""


@dataclass(frozen=True)
class Rooms:
    """Responses (rooms, N) whose direct sound is 1, and at which sample that comes (rooms,)."""

    responses: NDArray[np.float16]
    direct: NDArray[np.int64]


def of(recordings: Sequence[corpus.Recording]) -> Rooms:
    """The rooms of some recordings, or made-up ones where there are none."""
    waves = [corpus.read(recording) for recording in recordings]
    rng = np.random.default_rng(0)
    fitted = [_fitted(wave) for wave in waves or (made_up(rng) for _ in range(MADE_UP))]
    responses, direct = zip(*fitted, strict=True)
    return Rooms(np.stack(responses).astype(np.float16), np.array(direct, np.int64))


def made_up(rng: np.random.Generator) -> Array:
    """Decaying coloured noise after a direct sound."""
    rt60_s = rng.uniform(0.15, 1.2)
    time_s = np.arange(int(rt60_s * corpus.RATE_HZ)) / corpus.RATE_HZ
    tail = rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / rt60_s)
    tail = signal.lfilter([1.0], [1.0, -rng.uniform(0.0, 0.8)], tail)
    tail *= rng.uniform(0.3, 1.5) / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    return np.asarray(tail, np.float32)


def _fitted(response: Array) -> tuple[Array, int]:
    """Cut to `LENGTH_S` from just before the direct sound, which is scaled to 1."""
    direct = int(np.argmax(np.abs(response)))
    begin = max(0, direct - BEFORE)
    kept = response[begin:][: round(LENGTH_S * corpus.RATE_HZ)] / response[direct]
    padded = np.zeros(round(LENGTH_S * corpus.RATE_HZ), np.float32)
    padded[: len(kept)] = kept
    return padded, direct - begin
