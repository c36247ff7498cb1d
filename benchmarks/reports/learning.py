"""Learning curves of a log as pictures: one of each stage, with a panel for every run of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..figures import blank, save
from ..report import Row


def stages(runs: Sequence[Row]) -> list[str]:
    """The stages of the runs that have a curve, in order."""
    return list(dict.fromkeys(run["stage"] for run in runs if run.get("curve")))


def file_name(stage: str) -> str:
    """The file that a stage is drawn into."""
    return f"learning-{stage}.png"


def draw(runs: Sequence[Row], folder: Path) -> None:
    """Write a PNG of every stage into `folder`, and remove those of stages that are not in `runs`.

    Raises `BackendMissingError` without matplotlib.
    """
    drawn = stages(runs)
    for stage in drawn:
        _draw([r for r in runs if r["stage"] == stage and r.get("curve")], folder, stage)
    for old in set(folder.glob(file_name("*"))) - {folder / file_name(one) for one in drawn}:
        old.unlink()


def _draw(runs: Sequence[Row], folder: Path, stage: str) -> None:
    from matplotlib import color_sequences

    names = dict.fromkeys(name for r in runs for _, losses in r["curve"] for name in losses)
    colours = dict(zip(names, color_sequences["tab20"], strict=False)) | {"total": "black"}
    figure = blank(5 * len(runs) + 2, 4)
    panels = figure.subplots(1, len(runs), sharey=True, squeeze=False)[0]
    for axes, run in zip(panels, runs, strict=True):
        _plot(axes, run, colours)
        axes.set(title=f"{stage}, {run.get('device', 'device not recorded')}", xlabel="step")
    panels[0].set(ylabel="loss, as a share of its first value")
    labelled = {
        text: line
        for axes in panels
        for line, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(labelled.values(), labelled.keys(), loc="outside right center")
    save(figure, folder / file_name(stage))


def _plot(axes: Any, run: Row, colours: Mapping[str, Any]) -> None:
    """A line for every loss that stays positive; adversarial ones move through zero."""
    for name, colour in colours.items():
        points = [(step, losses[name]) for step, losses in run["curve"] if name in losses]
        if points and min(value for _, value in points) > 0:
            axes.plot(*_shares(points), label=name, color=colour)
    if run.get("valid"):
        axes.plot(*_shares(run["valid"]), label="validation voices", color="black", ls=":")


def _shares(points: Sequence[tuple[int, float]]) -> tuple[Sequence[int], Sequence[float]]:
    """Steps, and values as shares of the first."""
    return [step for step, _ in points], [value / points[0][1] for _, value in points]
