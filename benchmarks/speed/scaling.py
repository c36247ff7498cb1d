"""What lengths cost: latency of short inputs, and time and memory of files of rising length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ...core.restorer import Restorer
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from .processes import peak

LATENCIES = 20
"""Seconds of audio that are restored one by one; the first warms up."""


def latency(restorer: Restorer, speech: Array) -> dict[str, float]:
    """Milliseconds for a second of audio on its own: median, 95th and 99th percentile."""
    seconds = np.resize(speech, (LATENCIES + 1) * RATE_HZ).reshape(-1, RATE_HZ)
    taken_ms = []
    for second in seconds:
        began = perf_counter()
        restorer(second, RATE_HZ)
        taken_ms.append(1000 * (perf_counter() - began))
    p50, p95, p99 = np.quantile(taken_ms[1:], (0.5, 0.95, 0.99))
    return {"p50_ms": float(p50), "p95_ms": float(p95), "p99_ms": float(p99)}


def scaling(
    speech: Array, bundle: Path, *, durations_s: Sequence[float], threads: int
) -> dict[str, Any]:
    """Seconds and peak bytes of `hiresldm restore`, a fresh process each, and a line through them.

    `residual` is the largest distance from the straight line as a share of what was measured.
    """
    rows = [peak(speech, bundle, audio_s=s, threads=threads) for s in durations_s]
    return {"threads": threads, "rows": rows} | line([(r["audio_s"], r["seconds"]) for r in rows])


def line(points: Sequence[tuple[float, float]]) -> dict[str, float | None]:
    """The line of least relative error: seconds at the start, per second of audio, what is left.

    None where there are fewer than three points: any two lie on a line.
    """
    if len(points) < 3:
        return {"start_s": None, "per_s": None, "residual": None}
    x, y = np.array(points, np.float64).T
    matrix = np.stack([1 / y, x / y], axis=1)
    (start, slope), *_ = np.linalg.lstsq(matrix, np.ones_like(y), rcond=None)
    residual = float(np.abs((start + slope * x) / y - 1).max())
    return {"start_s": float(start), "per_s": float(slope), "residual": residual}
