"""The README's figures, drawn from `benchmarks/results` by `python -m hiresldm.benchmarks.readme`.

A table stands between `<!-- name -->` and `<!-- /name -->`; a test holds the file against this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..families.hiresldm.components import NAMES as COMPONENTS
from ..training.data.kinds import CLEAN
from . import report
from .peers.load import NAMES
from .quality import levels, per_speaker
from .quality.evaluation import ALL
from .quality.metrics.scores import headings
from .report import Row, interval_text, mean_text, table
from .reports import tables

ROOT = Path(__file__).resolve().parents[1]
RESULTS = "benchmarks/results"
SHIPPED = "student"
"""The row of the embedded bundle; its fewest steps are its default."""
SPEECH = ("dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak", "distillmos", "pesq", "estoi", "visqol")
DETAIL = ("lsd", "lsd_hf", "sisdr", "spk", "lost", "wer")
BY_CLASS = ("dnsmos_ovrl", "dnsmos_bak", "pesq", "estoi", "visqol", "lsd_hf", "lost", "wer")
NOISE = "noise"

_LOWER_IS_BETTER = "↓"


Tables = Mapping[str, tuple[str, Callable[[Any], str]]]
"""By name: the JSON file that a table is made from, and how."""


def fill(text: str, results: Path, tables: Tables | None = None) -> str:
    """A text with every marked table, by default the README's, made anew from JSON in `results`."""

    def made(match: re.Match[str]) -> str:
        name = match["name"]
        source, draw = (tables or TABLES)[name]
        drawn = draw(json.loads((results / source).read_text(encoding="utf-8")))
        return f"<!-- {name} -->\n{drawn}\n<!-- /{name} -->"

    return re.sub(r"<!-- (?P<name>\w+) -->\n.*?<!-- /(?P=name) -->", made, text, flags=re.DOTALL)


def overall(result: Row) -> str:
    """Two tables: every system over all kinds of damage, with intervals."""
    rows = [row for row in result["rows"] if row["class"] == ALL]
    return "\n\n".join(
        table(
            ["all damage", *_titles(metrics)],
            ([report.system_title(r), *(interval_text(r[m]) for m in metrics)] for r in rows),
        )
        for metrics in (_measured(SPEECH, rows), _measured(DETAIL, rows))
    )


def targets(result: Row) -> str:
    """The embedded model against the input and the best peer, metric by metric."""
    rows = [row for row in result["rows"] if row["class"] == ALL]
    shipped, given = _shipped(rows), next(row for row in rows if row["system"] == "input")
    peers = [row for row in rows if row["system"] in NAMES]
    lines = []
    for metric in _measured((*SPEECH, *DETAIL), rows):
        best = _best(peers, metric)
        reached = not _better(given, shipped, metric)
        beaten = _better(shipped, best, metric)
        peer = f"{mean_text(best[metric])} ({best['system']})"
        figures = (mean_text(given[metric]), peer, interval_text(shipped[metric]))
        lines.append([headings()[metric], *figures, *map(_yes, (reached, beaten))])
    titles = ["", "input", "best peer", "embedded model", "input reached", "every peer beaten"]
    return table(titles, lines)


def by_class(result: Row) -> str:
    """The embedded model against the input: each kind of damage, and the less damaged half."""
    metrics = _measured(BY_CLASS, result["rows"])
    lines = []
    for kind in dict.fromkeys(row["class"] for row in result["rows"] if row["class"] != ALL):
        own = [row for row in result["rows"] if row["class"] == kind]
        given, made = next(row for row in own if row["system"] == "input"), _shipped(own)
        cells = (f"{mean_text(given[m])} -> {mean_text(made[m])}" for m in metrics)
        lines.append(["none (clean speech in)" if kind == CLEAN else kind, *cells])
    lines.append(["less damaged half (ESTOI of the input)", *_less_damaged(result, metrics)])
    return table(["embedded model, against input", *_titles(metrics)], lines)


def noise(result: Row) -> str:
    """The embedded model, the input and every peer on noise alone."""
    rows = [row for row in result["rows"] if row["class"] == NOISE]
    peers = [row for row in rows if row["system"] in NAMES]
    shown = [_shipped(rows), *(row for row in rows if row["system"] == "input"), *peers]
    lines = (
        [headings()[metric], *(mean_text(row[metric]) for row in shown)]
        for metric in _measured((*SPEECH, *DETAIL), rows)
    )
    systems = ["embedded model", *(row["system"] for row in shown[1:])]
    return table(["noise alone", *systems], lines)


def speakers(result: Row) -> str:
    """Whose ESTOI the embedded model and every peer lower most, and how often by much."""
    pipeline = report.system_title(_shipped(result["rows"]))
    rows = per_speaker.rows(result["clips"])
    shown = [r for r in rows if r["system"] in NAMES or report.system_title(r) == pipeline]
    return per_speaker.markdown(shown)


def sizes(result: Row) -> str:
    """All four components: bytes, lowest distance, CPU time, per format and precision."""
    lines = []
    for (kind, precision), rows in _grouped(result["rows"]).items():
        size = sum(row["bytes"] for row in rows)
        whole = sum(row["bytes"] / row["of_fp32"] for row in rows)
        times = [row["ms_per_s"] for row in rows]
        timed = "-" if None in times else f"{sum(times):.1f}"
        least = min(row["parity_db"] for row in rows)
        lines.append([f"{kind} {precision}", f"{size / 1e6:.1f}", f"{size / whole:.1%}"])
        lines[-1] += [f"{least:.1f}", timed, "left out" if rows[0]["left_out"] else ""]
    titles = ["all four components", "MB", "of float32 weights", "lowest SNR of a component, dB"]
    return table([*titles, "CPU ms per second of audio, 1 step", ""], lines)


def matrix(result: Row) -> str:
    """The parity matrix, and how many rows of the gate passed."""
    statuses = [row["status"] for row in result["rows"]]
    counts = ", ".join(f"{statuses.count(s)} {s}" for s in dict.fromkeys(statuses))
    return f"{result['matrix']}\n\n{len(statuses)} rows: {counts}."


def ranges(result: Row) -> str:
    """What each way to choose w8a8 ranges leaves of every component, in decibels."""
    rows = result["compared"]
    kept = {(row["component"], row["method"]): row["snr_db"] for row in rows}
    components = list(dict.fromkeys(row["component"] for row in rows))
    lines = (
        [method, *(f"{kept[component, method]:.1f}" for component in components)]
        for method in dict.fromkeys(row["method"] for row in rows)
    )
    return table(["ranges by", *(f"{component}, dB" for component in components)], lines)


def by_steps(result: Row) -> str:
    """Quality against network evaluations, and the denoiser's time."""
    metrics = ("dnsmos_ovrl", "estoi", "lsd_hf", "wer")
    lines = (
        [
            *(row["system"], row["sampler"], row["steps"]),
            *(interval_text(row[m]) for m in metrics),
            *(f"{row['denoiser_ms_per_s']['median']:.1f}", f"{row['rtf']['median']:.3f}"),
        ]
        for row in result["rows"]
    )
    heads = ["system", "sampler", "steps", *_titles(metrics)]
    return table([*heads, "denoiser, ms per s", "real-time factor"], lines)


def by_seed(result: Row) -> str:
    """What another seed changes in a student, and whether any fails."""
    metrics = ("dnsmos_ovrl", "estoi", "lsd_hf")
    lines = (
        [
            *(row["system"], row["steps"], row["seeds"]),
            *(f"{row[m]['low']:.3f} to {row[m]['high']:.3f}" for m in metrics),
            *(row["not_finite"] + row["silent"], row["jumps"], f"{row['largest_jump_db']:.1f}"),
        ]
        for row in result["robustness"]
    )
    heads = ["student", "steps", "seeds", *(f"{title}, by seed" for title in _titles(metrics))]
    return table([*heads, "NaN or silent", "level jumps over 3 dB", "largest, dB"], lines)


TABLES: Tables = {
    "overall": ("quality.json", overall),
    "targets": ("quality.json", targets),
    "noise": ("quality.json", noise),
    "classes": ("quality.json", by_class),
    "speakers": ("quality.json", speakers),
    "levels": ("levels.json", levels.markdown),
    "sizes": ("build.json", sizes),
    "pipelines": ("build.json", tables.pipelines),
    "trials": ("search.json", tables.trials),
    "parity": ("parity.json", matrix),
    "speed": ("speed.json", report.speed_markdown),
    "ranges": ("calibration.json", ranges),
    "steps": ("steps.json", by_steps),
    "seeds": ("steps.json", by_seed),
}


def main() -> None:
    """Rewrite the tables of the README beside this checkout's rooms."""
    readme = ROOT / "README.md"
    readme.write_text(fill(readme.read_text(encoding="utf-8"), ROOT / RESULTS), encoding="utf-8")


def _less_damaged(result: Row, metrics: Sequence[str]) -> list[str]:
    clips = [clip for clip in result["clips"] if clip["class"] != CLEAN]
    given = [clip for clip in clips if clip["system"] == "input"]
    shipped = [clip for clip in clips if clip["system"] == SHIPPED]
    few = min(clip["steps"] for clip in shipped)
    pairs = zip(given, (clip for clip in shipped if clip["steps"] == few), strict=True)
    half = sorted(pairs, key=lambda pair: -pair[0]["estoi"])[: len(given) // 2]
    columns = [[[clip[m] for clip in side] for side in zip(*half, strict=True)] for m in metrics]
    return [" -> ".join(f"{_mean(side):.2f}" for side in column) for column in columns]


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / max(1, len(known))


def _measured(metrics: Iterable[str], rows: Sequence[Row]) -> list[str]:
    """Those of the metrics that the rows hold: a result may be older than a metric."""
    return [metric for metric in metrics if any(row.get(metric) for row in rows)]


def _titles(metrics: Iterable[str]) -> list[str]:
    return [headings()[metric] for metric in metrics]


def _shipped(rows: Sequence[Row]) -> Row:
    return min((row for row in rows if row["system"] == SHIPPED), key=lambda row: row["steps"])


def _best(rows: Sequence[Row], metric: str) -> Row:
    sign = _sign(metric)
    return min(rows, key=lambda row: sign * row[metric]["mean"])


def _better(one: Row, other: Row, metric: str) -> bool:
    sign = _sign(metric)
    return bool(sign * one[metric]["mean"] < sign * other[metric]["mean"])


def _sign(metric: str) -> int:
    return 1 if _LOWER_IS_BETTER in headings()[metric] else -1


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


def _grouped(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["format"], row["precision"]), []).append(row)
    return {key: own for key, own in found.items() if len(own) == len(COMPONENTS)}


if __name__ == "__main__":
    main()
