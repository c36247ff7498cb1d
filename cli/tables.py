"""What `build` and `search` print: plans, artifacts, and what precisions do to the audio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..benchmarks.report import table
from ..export.listening import METRICS

if TYPE_CHECKING:
    from ..export.search import Found

SCORES = ("LSD", "ESTOI", "DNSMOS OVRL")
"""Headings of `METRICS`."""


def plan_table(rows: list[dict[str, Any]]) -> str:
    """Every file that will be written, and its predicted size."""
    cells = ([*list(row.values())[:3], f"{row['predicted_bytes'] / 1e6:.2f}"] for row in rows)
    return table(["part", "format", "precision", "predicted MB"], cells)


def artifact_table(result: dict[str, Any]) -> str:
    """Every file that was written: size, parity, time."""
    figures = ("MB", "of fp32 weights", "parity dB", "CPU ms per s")
    return table(
        ["part", "format", "precision", *figures, "note"],
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


def audio_table(rows: list[dict[str, Any]]) -> str:
    """What every precision does to the audio of the whole chain."""
    return table(
        ["whole chain", "precision", "MB", "of fp32 weights", *SCORES, "within budget"],
        (
            [
                f"{row['format']} on {row['engine']}",
                row["precision"],
                f"{row['bytes'] / 1e6:.2f}",
                f"{row['of_fp32']:.1%}",
                *(f"{row['deltas'][metric]['mean']:+.4f}" for metric in METRICS),
                "yes" if row["holds"] else "NO",
            ]
            for row in rows
        ),
    )


def mix_table(found: Found, full: int) -> str:
    """Every mix of precisions that was heard; `full` is the bytes of float32."""
    lines = []
    for mix in found.heard:
        chosen = " (chosen)" if mix is found.chosen else ""
        means = [f"{mix.deltas[metric]['mean']:+.4f}" for metric in METRICS]
        size = [f"{mix.bytes / 1e6:.2f}", f"{mix.bytes / full:.1%}"]
        lines.append([mix.name + chosen, *size, *means, "yes" if mix.holds else "no"])
    return table(["weights", "MB", "of fp32", *SCORES, "within budget"], lines)


def _note(row: dict[str, Any]) -> str:
    left_out = [f"left out: {row['left_out']}"] if row["left_out"] else []
    return "; ".join([*left_out, *(f"neural engine: {one}" for one in row["findings"])])


def _figure(value: float | None) -> str:
    return "not run" if value is None else f"{value:.1f}"
