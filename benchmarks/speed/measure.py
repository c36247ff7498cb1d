"""A whole bench: rounds, latency, start-up, memory, and where asked for lengths and a profile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...core.bundle import manifest as bundles
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from ...runtimes.restorer import Restorer
from . import contest, processes
from .contest import Asked, Contestant
from .peaks import peaks_macs_per_s
from .profile import can_profile, profile
from .scaling import latency, scaling


def measure(
    root: Path,
    wave: Array,
    asked: Asked,
    *,
    runs: int,
    long_s: float,
    durations_s: Sequence[float] = (),
    profiled: bool = False,
    beside: Sequence[Contestant] = (),
) -> dict[str, Any]:
    """Everything about the bundle below `root` on a wave (N,); raises what its measures raise.

    `beside` take part in the rounds.

    Latency, memory and lengths are those of the first backend, precision and number of threads.
    """
    backend, precision, threads = asked.backends[0], asked.precisions[0], asked.threads[0]
    first = Restorer.load(root, backend=backend, precision=precision, threads=threads)
    result = {
        "rows": contest.rows([*contest.contestants(root, asked), *beside], wave, runs=runs),
        "latency": latency(first, wave),
        "startup": processes.startup(wave, root, runs=runs),
        "memory": processes.memory(
            wave, root, short_s=len(wave) / RATE_HZ, long_s=long_s, threads=threads
        ),
    }
    if durations_s:
        result["scaling"] = scaling(wave, root, durations_s=durations_s, threads=threads)
    if profiled:
        result["profile"] = _profiled(root, wave, asked)
    return result


def _profiled(root: Path, wave: Array, asked: Asked) -> dict[str, Any]:
    """Operators of every engine and precision asked for whose engine tells of them."""
    peaks = peaks_macs_per_s()
    rows = [
        row
        for backend, precision in contest.held(root, bundles.load(root), asked)
        if can_profile(backend)
        for row in profile(root, wave, backend=backend, precision=precision, peaks_macs_per_s=peaks)
    ]
    return {"peaks_macs_per_s": peaks, "rows": rows}
