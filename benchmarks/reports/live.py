"""Tables of streams: how soon, how good, and of cores: how much several of them do at once."""

from __future__ import annotations

from typing import Any

from ..quality.evaluation import ALL
from ..quality.metrics.scores import headings
from ..report import table

METRICS = ("dnsmos_ovrl", "pesq", "estoi", "lsd", "sisdr", "lost")


def settings(result: Any) -> str:
    """Latency and load of every setting of streams."""
    titles = ["setting", "chunk and look-ahead, ms", "computing a chunk, ms (95 %, 99 %)"]
    lines = (
        [
            f"`{name}`",
            f"{one['before_output_ms']:.0f}",
            "{p50:.0f} ({p95:.0f}, {p99:.0f})".format(**one["compute_ms"]),
            f"{one['latency_p95_ms']:.0f}",
            f"{one['share_of_a_core']:.0%}",
        ]
        for name, one in result["settings"].items()
    )
    return table([*titles, "from ear to ear, ms (95 %)", "share of a core"], lines)


def scores(result: Any) -> str:
    """What each setting of streams costs against whole files."""
    rows = {row["system"]: row for row in result["rows"] if row["class"] == ALL}
    lines = [
        [headings()[metric], *(f"{row[metric]['mean']:.3f}" for row in rows.values())]
        for metric in METRICS
    ]
    near = result["snr_to_whole_db"]
    cells = (_near(near.get(system)) for system in rows)
    lines.append(["against the whole file, dB, median (least)", *cells])
    return table(["", *rows], lines)


def _near(values: Any) -> str:
    return "-" if values is None else f"{values['median']:.0f} ({values['least']:.0f})"


def cores(result: Any) -> str:
    """Real-time factors by number of threads, and their ratio to one."""
    lines = (
        [
            row["threads"],
            f"{row['rtf']['median']:.4f}",
            f"{row['fastest_rtf']:.4f}",
            f"{row['ratio_of_fastest']:.3f}",
            "yes" if row["equal_to_one_thread"] else "no",
        ]
        for row in result["threads"]
    )
    titles = ["threads", "real-time factor, median", "fastest", "of one thread", "equal to the bit"]
    return table(titles, lines)


def memory(result: Any) -> str:
    """Peak memory of fresh processes by length, channels and threads."""
    lines = (
        [f"{row['audio_s']:g}", row["channels"], row["threads"], f"{row['peak_bytes'] / 1e6:.0f}"]
        for row in result["memory"]
    )
    return table(["file, s", "channels", "threads", "peak memory, MB"], lines)
