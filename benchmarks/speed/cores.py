"""Cores, memory and cold starts: `python -m hiresldm.benchmarks.speed.cores OUT`, built-in model.

Threads take turns in rounds, so that a busy spell falls on all of them, and the ratio of the
fastest rounds is the one that the machine's other work disturbs least. Memory and cold starts are
those of fresh processes.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ...audio.reader import read_mono
from ...core import processors
from ...core.audio import RATE_HZ
from ...core.spec import Array
from ...runtimes.restorer import EMBEDDED_BUNDLE, Restorer
from .. import provenance, report
from .processes import peak, startup
from .timing import spread

EXAMPLE = Path(__file__).parents[2] / "examples" / "noisy.wav"
AUDIO_S, ROUNDS = 120.0, 7
MEMORY = ((3.0, 1, 1), (10.0, 1, 1), (600.0, 1, 1), (60.0, 1, 2), (60.0, 1, 8), (60.0, 2, 1))
"""Seconds, threads, channels."""


def main(out: Path) -> None:
    """Measure, and write the figures."""
    speech = read_mono(EXAMPLE)
    result = {
        "threads": _threads(np.resize(speech, round(AUDIO_S * RATE_HZ))),
        "memory": [
            {"threads": threads}
            | peak(speech, EMBEDDED_BUNDLE, audio_s=s, threads=threads, channels=channels)
            for s, threads, channels in MEMORY
        ],
        "startup": startup(speech, EMBEDDED_BUNDLE, runs=ROUNDS),
        "machine": provenance.machine(),
        "versions": provenance.versions(),
        "model": provenance.model(EMBEDDED_BUNDLE),
        "command": f"python -m hiresldm.benchmarks.speed.cores {out}",
    }
    report.write(result, out)


def _threads(wave: Array) -> list[dict[str, Any]]:
    """Real-time factors by number of threads, and their ratios to one thread."""
    counts = [n for n in (1, 2, 4, 8) if n <= processors.usable()]
    restorers = {n: Restorer.load(threads=n) for n in counts}
    one = restorers[1](wave, RATE_HZ)
    equal = {n: bool(np.array_equal(restorers[n](wave, RATE_HZ), one)) for n in counts}
    taken: dict[int, list[float]] = {n: [] for n in counts}
    for _ in range(ROUNDS):
        for n in counts:
            began = time.perf_counter()
            restorers[n](wave, RATE_HZ)
            taken[n].append((time.perf_counter() - began) * RATE_HZ / len(wave))
    return [
        {
            "threads": n,
            "equal_to_one_thread": equal[n],
            "rtf": spread(taken[n]),
            "fastest_rtf": min(taken[n]),
            "ratio_of_fastest": min(taken[n]) / min(taken[1]),
        }
        for n in counts
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
