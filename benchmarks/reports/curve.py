"""Quality against network evaluations as a picture: one panel per metric, one line per system."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..figures import blank, save
from ..quality.metrics.scores import headings
from ..report import Row

PANELS = ("dnsmos_ovrl", "estoi", "pesq", "lsd", "lsd_hf", "wer")
COLUMNS = 3


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write a PNG of those of `PANELS` that the rows hold, intervals as bars.

    Raises `BackendMissingError` without matplotlib.
    """
    shown = [metric for metric in PANELS if rows[0].get(metric)]
    lines = dict.fromkeys((row["system"], row["sampler"]) for row in rows)
    height = -(-len(shown) // COLUMNS)
    figure = blank(4.2 * COLUMNS, 3.4 * height + 1)
    panels = figure.subplots(height, COLUMNS, squeeze=False).flatten()
    for metric, axes in zip(shown, panels, strict=False):
        for number, line in enumerate(lines):
            own = [row for row in rows if (row["system"], row["sampler"]) == line]
            _plot(axes, [row for row in own if row[metric]], metric, number)
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks := sorted({row["steps"] for row in rows}), ticks)
        axes.set(title=headings()[metric], xlabel="network evaluations")
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    save(figure, path)


def _plot(axes: object, rows: Sequence[Row], metric: str, number: int) -> None:
    values = [row[metric] for row in rows]
    means = [value["mean"] for value in values]
    bars = [
        [value["mean"] - value["low"] for value in values],
        [value["high"] - value["mean"] for value in values],
    ]
    # Lines stand a little apart, so that their bars can be told from each other.
    steps = [row["steps"] * 2 ** (0.03 * number) for row in rows]
    label = f"{rows[0]['system']}, {rows[0]['sampler']}" if rows else ""
    axes.errorbar(steps, means, bars, label=label, marker="o", markersize=3, capsize=2, lw=1)  # type: ignore[attr-defined]
