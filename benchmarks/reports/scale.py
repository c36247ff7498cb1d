"""Tables of what many clips and many clients cost."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from ..report import table

HOURS = 100_000
CORES = (96, 384)
"""For which the plan is made."""
_LONG, _JUDGED = "one process, 10 s clips", "one process, 10 s clips, DNSMOS"


def corpus(result: Any) -> str:
    """Runs of the verb `corpus`."""
    titles = ["run", "clips", "audio, s", "wall, s", "CPU, s", "audio s per s", "in quarantine"]
    columns = ("clips", "audio_s", "wall_s", "cpu_s", "audio_s_per_s", "quarantined")
    return table(titles, ([name, *map(row.get, columns)] for name, row in result["rows"].items()))


def plan(result: Any) -> str:
    """What 100,000 hours would take at the measured CPU time: a sum, not a measurement."""
    rows = result["rows"]
    terabytes = result["out_bytes_per_audio_s"] * HOURS * 3600 / 1e12
    lines = []
    for name, what in ((_LONG, "without DNSMOS"), (_JUDGED, "with DNSMOS")):
        hours = HOURS * rows[name]["cpu_s"] / rows[name]["audio_s"]
        days = (f"{hours / cores / 24:.1f}" for cores in CORES)
        lines.append([what, f"{hours:,.0f}", *days, f"{terabytes:.1f}"])
    titles = ["scores", "core-hours", *(f"days on {cores} cores" for cores in CORES), "FLAC, TB"]
    return table(titles, lines)


def service(result: Any) -> str:
    """Clients against answers, refusals and times."""
    titles = ["clients", "answers", "refused (503)", "failed", "audio s per s", "p50, s", "p99, s"]
    columns = ("clients", "answers", "refused", "failed", "audio_s_per_s", "p50_s", "p99_s")
    return table(titles, ([row[name] for name in columns] for row in result["rows"]))


def company(result: Any) -> str:
    """Two clients alone, and in turn with that beside slow and broken ones: medians of rounds."""
    titles = ["two clients", "failed", "audio s per s", "from", "to", "p50, s", "p99, s"]
    ways = {"alone": "alone", "beside the others": "beside_slow_and_broken"}
    return table(titles, ([way, *_rounds(result[name])] for way, name in ways.items()))


def _rounds(rows: Sequence[Any]) -> list[float]:
    rates = [row["audio_s_per_s"] for row in rows]
    times_s = (round(median(row[name] for row in rows), 3) for name in ("p50_s", "p99_s"))
    return [sum(row["failed"] for row in rows), median(rates), min(rates), max(rates), *times_s]


def soak(result: Any) -> str:
    """Memory of the server under steady load."""
    held = result["soak"]
    titles = ["minutes", "answers", "failed", "second quarter, MB", "last quarter, MB"]
    columns = ("minutes", "answers", "failed", "second_quarter_mb", "last_quarter_mb")
    return table(titles, [[held[name] for name in columns]])
