"""Latency of streams: `python -m hiresldm.benchmarks.speed.live OUT`, built-in model, a thread."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ...audio.reading.reader import read_mono
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from ...core.streams import LATENCIES
from ...runtimes.restorer import EMBEDDED_BUNDLE, Restorer
from .. import provenance, report
from .timing import EXAMPLE

AUDIO_S = 60.0


def main(out: Path) -> None:
    """Measure, and write the figures."""
    restorer = Restorer.load(threads=1)
    wave = np.resize(read_mono(EXAMPLE), round(AUDIO_S * RATE_HZ))
    result = {
        "audio_s": AUDIO_S,
        "settings": {name: _timed(restorer, name, wave) for name in LATENCIES},
        "machine": provenance.machine(),
        "versions": provenance.versions(),
        "model": provenance.model(EMBEDDED_BUNDLE),
        "command": f"python -m hiresldm.benchmarks.speed.live {out}",
    }
    report.write(result, out)


def _timed(restorer: Restorer, latency: str, wave: Array) -> dict[str, Any]:
    """Look-ahead and chunk, the time that a chunk takes, and both together, in milliseconds."""
    stream = restorer.stream(latency=latency)
    chunk = round(LATENCIES[latency].chunk_s * RATE_HZ)
    taken_ms = []
    for begin in range(0, len(wave), chunk):
        began = time.perf_counter()
        if len(stream.push(wave[begin : begin + chunk])):
            taken_ms.append(1000 * (time.perf_counter() - began))
    p50_ms, p95_ms, p99_ms = (float(q) for q in np.quantile(taken_ms, (0.5, 0.95, 0.99)))
    return {
        "before_output_ms": 1000 * stream.latency_s,
        "compute_ms": {"p50": p50_ms, "p95": p95_ms, "p99": p99_ms},
        "share_of_a_core": sum(taken_ms) / (1000 * len(taken_ms) * LATENCIES[latency].chunk_s),
        "latency_p95_ms": 1000 * stream.latency_s + p95_ms,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
