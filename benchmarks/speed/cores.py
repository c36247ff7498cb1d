"""Cores, memory and cold starts: `python -m hiresldm.benchmarks.speed.cores OUT`, built-in model.

Threads take turns in rounds, so that a busy spell falls on all of them, and the ratio of the
fastest rounds is the one that the machine's other work disturbs least. Memory and cold starts are
those of fresh processes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from ...audio.reading.reader import read_mono
from ...core import processors
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from ...runtimes.restorer import EMBEDDED_BUNDLE
from .. import provenance, report
from .contest import Contestant, rows, variant
from .processes import peak, startup
from .timing import EXAMPLE, RTF, Timed

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
    timed = {n: Timed.load(EMBEDDED_BUNDLE, threads=n) for n in counts}
    made = {n: one.restorer(wave, RATE_HZ) for n, one in timed.items()}
    steps = timed[1].restorer.accepted_steps(None)
    taking_turns = [Contestant({"threads": n}, variant(one, steps)) for n, one in timed.items()]
    found = rows(taking_turns, wave, runs=ROUNDS)
    fastest = [min(row[RTF]["raw"]) for row in found]
    return [
        row
        | {
            "equal_to_one_thread": bool(np.array_equal(made[row["threads"]], made[1])),
            "fastest_rtf": rtf,
            "ratio_of_fastest": rtf / fastest[0],
        }
        for row, rtf in zip(found, fastest, strict=True)
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
