"""Tables of `build` and `search`: plans, artifacts, and what precisions do to the audio."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..quality.metrics.scores import headings
from ..report import Row, table


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
