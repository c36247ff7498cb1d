"""Tables of builds: plans, artifacts, sizes, parity, and what precisions do to the audio."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...families.hiresldm.components import NAMES as COMPONENTS
from ..quality.metrics.scores import headings
from ..report import Row, table

SCOPE = "component"
"""Where the scope of a row of the gate begins that is about a single component."""


def planned(rows: Iterable[Row]) -> str:
    """Every file that will be written, and its predicted size."""
    cells = ([*list(row.values())[:3], f"{row['predicted_bytes'] / 1e6:.2f}"] for row in rows)
    return table(["component", "format", "precision", "predicted MB"], cells)


def artifacts(result: Row) -> str:
    """Every file that was written: size, parity, time."""
    figures = ("MB", "of fp32 weights", "parity dB", "CPU ms per s")
    return table(
        ["component", "format", "precision", *figures, "note"],
        (
            [
                row["component"],
                row["format"],
                row["precision"],
                f"{row['bytes'] / 1e6:.2f}",
                f"{row['of_fp32']:.1%}",
                _figure(row["parity_db"]),
                _figure(row["ms_per_s"]),
                _note(row),
            ]
            for row in result["rows"]
        ),
    )


def pipelines(result: Row) -> str:
    """What every lossy pipeline does to the sound, against fp32 in its format."""
    rows = result["audio"]
    lines = ([f"{r['format']} on {r['engine']}", r["precision"], *_heard(r)] for r in rows)
    return table(["pipeline", "precision", *_delta_titles(rows)], lines)


def trials(result: Row) -> str:
    """Every mix of precisions that a search tried, against fp32."""
    rows = [
        trial | {"of_fp32": trial["bytes"] / result["fp32_bytes"]} for trial in result["trials"]
    ]
    lines = (
        [r["name"] + (" (chosen)" if r["name"] == result["chosen"] else ""), *_heard(r)]
        for r in rows
    )
    return table(["weights", *_delta_titles(rows)], lines)


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


def parity_in_short(result: Row) -> str:
    """The lowest distance of a component by format and precision, where an engine ran it."""
    lowest: dict[tuple[str, str], list[float]] = {}
    for row in result["rows"]:
        if row["scope"].startswith(SCOPE) and row["value"] is not None:
            lowest.setdefault((row["format"], row["precision"]), []).append(row["value"])
    formats = list(dict.fromkeys(kind for kind, _ in lowest if kind != "torch"))
    lines = (
        [precision, *(_lowest(lowest.get((kind, precision))) for kind in formats)]
        for precision in dict.fromkeys(precision for _, precision in lowest)
    )
    return table(["lowest SNR of a component, dB", *formats], lines)


def _heard(row: Row) -> list[str]:
    deltas = (f"{delta['mean']:+.4f}" for delta in row["deltas"].values())
    size = (f"{row['bytes'] / 1e6:.2f}", f"{row['of_fp32']:.1%}")
    return [*size, *deltas, "yes" if row["holds"] else "no"]


def _delta_titles(rows: list[dict[str, Any]]) -> list[str]:
    metrics = (headings()[metric] for metric in rows[0]["deltas"])
    return ["MB", "of float32 weights", *metrics, "within budget"]


def _note(row: Row) -> str:
    left_out = [f"left out: {row['left_out']}"] if row["left_out"] else []
    return "; ".join([*left_out, *(f"neural engine: {one}" for one in row["findings"])])


def _figure(value: float | None) -> str:
    return "not run" if value is None else f"{value:.1f}"


def _grouped(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["format"], row["precision"]), []).append(row)
    return {key: own for key, own in found.items() if len(own) == len(COMPONENTS)}


def _lowest(values: Sequence[float] | None) -> str:
    return f"{min(values):.0f}" if values else "-"
