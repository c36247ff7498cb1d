"""Where a recording may be cut: in pauses, and where there is none in the quietest place."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..core.spec import Array

FRAME_S = 0.02
PAUSE_S = 0.3
"""A shorter silence belongs to speech."""
MARGIN_S = 0.1
"""Of the silence around a piece, what stays with it."""
SILENT_DB = 35.0
"""How far below the loud frames (95th percentile) silence lies."""
_BLOCK = 4096

Span = tuple[int, int]
"""First frame, and the one after the last."""


def pieces(wave: Array, rate_hz: int, longest_s: float) -> list[tuple[float, float]]:
    """Begin and end in seconds of the pieces of a wave (N,): speech without long silences.

    A piece has several sentences where they fit into `longest_s`. None for a wave of silence.
    """
    levels_db = _levels_db(wave, round(FRAME_S * rate_hz))
    longest = max(2, round((longest_s - 2 * MARGIN_S) / FRAME_S))
    short = (part for run in _spoken(levels_db) for part in _halved(levels_db, run, longest))
    length_s = len(wave) / rate_hz
    return [
        (max(0.0, begin * FRAME_S - MARGIN_S), min(length_s, end * FRAME_S + MARGIN_S))
        for begin, end in _joined(short, longest)
    ]


def _levels_db(wave: Array, frame: int) -> NDArray[np.float64]:
    """Level of each frame; a wave on disk is read in blocks."""
    powers = []
    for begin in range(0, len(wave), _BLOCK * frame):
        block = np.asarray(wave[begin : begin + _BLOCK * frame], np.float64)
        padded = np.pad(block, (0, -len(block) % frame)).reshape(-1, frame)
        powers.append((padded**2).mean(axis=1))
    return np.asarray(10 * np.log10(np.maximum(np.concatenate(powers), 1e-20)))


def _spoken(levels_db: NDArray[np.float64]) -> Iterator[Span]:
    """Runs of frames between pauses."""
    least_db = max(np.quantile(levels_db, 0.95) - SILENT_DB, -100.0)
    heard = np.flatnonzero(levels_db > least_db)
    if not len(heard):
        return
    breaks = np.flatnonzero(np.diff(heard) > round(PAUSE_S / FRAME_S))
    edges = [0, *(breaks + 1), len(heard)]
    yield from ((int(heard[a]), int(heard[b - 1]) + 1) for a, b in pairwise(edges))


def _halved(levels_db: NDArray[np.float64], run: Span, longest: int) -> Iterator[Span]:
    """A run in parts that are short enough, cut at the quietest frame of each second half."""
    begin, end = run
    while end - begin > longest:
        half = begin + longest // 2
        cut = half + int(np.argmin(levels_db[half : begin + longest]))
        yield begin, cut
        begin = cut
    yield begin, end


def _joined(spans: Iterator[Span], longest: int) -> Iterator[Span]:
    """Neighbours in one piece, as many as fit."""
    held: Span | None = None
    for begin, end in spans:
        if held and end - held[0] <= longest:
            held = (held[0], end)
            continue
        if held:
            yield held
        held = (begin, end)
    if held:
        yield held
